"""The whole way, as real processes: HTTP in, real protocols out, callbacks back, and what a SIGKILL leaves."""

import json
import os
import signal
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.instance import Instance, running, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


class Service:
    """A service that uses the API, and somebody who looks into the sandbox."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        urls = instance.sees()["urls"]
        key = json.loads((instance.home / "demo.json").read_text("utf-8"))["key"]
        headers = {"Authorization": f"Bearer {key}"}
        self.api = httpx.Client(base_url=urls["API"], headers=headers, timeout=20, trust_env=False)
        self.sandbox = httpx.Client(base_url=urls["sandbox mailbox"], timeout=20, trust_env=False)

    def sends(self, *, to: dict[str, str], key: str | None = None, **body: Any) -> str:
        """Posts a notification and returns its id."""
        asked = {"to": to, "template": "order.shipped", "data": {"name": "Asha", "order": "A-1"}, **body}
        answer = self.api.post(
            "/v1/notifications", json=asked, headers={"Idempotency-Key": key or f"test-{uuid.uuid4()}"}
        )
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def reads(self, notification_id: str) -> dict[str, Any]:
        """Returns a notification."""
        found: dict[str, Any] = self.api.get(f"/v1/notifications/{notification_id}").raise_for_status().json()
        return found

    def becomes(self, notification_id: str, status: str, within: float = 30) -> dict[str, Any]:
        """Waits until a notification has a status, and returns it."""
        until(lambda: self.reads(notification_id)["status"] == status, within)
        return self.reads(notification_id)

    def timeline(self, notification_id: str) -> list[dict[str, Any]]:
        """Returns what happened to a notification."""
        answer = self.api.get(f"/v1/notifications/{notification_id}/timeline").raise_for_status().json()
        return list(answer["entries"])

    def accepted(self, recipient: str) -> list[dict[str, Any]]:
        """Returns what the sandbox accepted for a recipient, by its own journal."""
        answer = self.sandbox.get("/journal", params={"kind": "accepted", "limit": 10_000}).raise_for_status().json()
        return [entry for entry in answer["entries"] if entry["to"].lstrip("+") == recipient.lstrip("+")]

    def makes_recipient(self, name: str, phone: str) -> None:
        """Creates a recipient with a phone and a mailbox."""
        addresses = [{"kind": "phone", "value": phone}, {"kind": "email", "value": f"{name}@example.com"}]
        self.api.put(f"/v1/recipients/{name}", json={"name": "Asha", "addresses": addresses}).raise_for_status()


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running() as instance:
        yield Service(instance)


def test_a_whatsapp_template_is_delivered_and_read(service: Service) -> None:
    notification_id = service.sends(to={"phone": "+15550151000"}, channels=["whatsapp"])
    found = service.becomes(notification_id, "read")
    assert (found["channel"], found["provider"]) == ("whatsapp", "meta")
    assert [entry["id"] for entry in service.accepted("15550151000")] == [found["external_id"]]


def test_an_e_mail_arrives_with_both_parts(service: Service) -> None:
    notification_id = service.sends(to={"email": "whole@example.com"}, channels=["email"])
    service.becomes(notification_id, "accepted")
    listed = service.sandbox.get("/mailbox", params={"to": "whole@example.com"}).raise_for_status().json()
    assert "A-1" in json.dumps(listed)


def test_a_permanent_refusal_falls_back_to_e_mail(service: Service) -> None:
    service.makes_recipient("turned-down", "+15550150001")
    found = service.becomes(service.sends(to={"recipient": "turned-down"}), "accepted")
    assert found["channel"] == "email"
    assert len(service.accepted("turned-down@example.com")) == 1


def test_no_delivery_in_time_falls_back_to_e_mail(service: Service) -> None:
    service.makes_recipient("silent", "+15550150002")
    fallback = {"whatsapp": {"success": "delivered", "within": "PT1S"}}
    notification_id = service.sends(to={"recipient": "silent"}, fallback=fallback)
    until(lambda: service.reads(notification_id)["channel"] == "email")
    assert len(service.accepted("15550150002")) == 1
    assert len(service.accepted("silent@example.com")) == 1
    assert "not_confirmed_in_time" in json.dumps(service.timeline(notification_id))


def test_the_same_key_twice_is_one_notification(service: Service) -> None:
    first = service.sends(to={"phone": "+15550151001"}, channels=["whatsapp"], key="once")
    second = service.sends(to={"phone": "+15550151001"}, channels=["whatsapp"], key="once")
    assert first == second
    service.becomes(first, "read")
    assert len(service.accepted("15550151001")) == 1


def test_a_throttled_message_is_sent_when_its_turn_comes(service: Service) -> None:
    notification_id = service.sends(to={"phone": "+15550150004"}, channels=["whatsapp"])
    service.becomes(notification_id, "read", within=60)
    assert len(service.accepted("15550150004")) == 1


def test_a_lost_answer_is_settled_by_the_receipt(service: Service) -> None:
    notification_id = service.sends(to={"phone": "+15550150003"}, channels=["whatsapp"])
    service.becomes(notification_id, "read")
    assert len(service.accepted("15550150003")) == 1


def test_a_cancelled_notification_is_never_sent(service: Service) -> None:
    notification_id = service.sends(to={"phone": "+15550151002"}, channels=["whatsapp"], send_at="2099-01-01T00:00:00Z")
    assert service.api.post(f"/v1/notifications/{notification_id}/cancel").json()["result"] == "stopped"
    assert service.becomes(notification_id, "cancelled")["reason"] == "cancelled"
    assert service.accepted("15550151002") == []


def test_a_worker_killed_between_acceptance_and_record_leaves_one_message_and_honest_doubt(service: Service) -> None:
    recipient = "15550151003"
    effect = {"delay_answer": 30, "drop_callbacks": True}
    rules = {"rules": [{"match": {"recipient": recipient}, "effect": effect}]}
    service.sandbox.put("/_sandbox/behaviour", json=rules).raise_for_status()
    notification_id = service.sends(to={"phone": f"+{recipient}"}, channels=["whatsapp"])
    until(lambda: service.accepted(recipient))
    os.kill(service.instance.pids()["worker-1"], signal.SIGKILL)
    found = service.becomes(notification_id, "unknown", within=90)
    assert found["reason"] == "outcome_unknown"
    assert len(service.accepted(recipient)) == 1
    service.sandbox.delete("/_sandbox/behaviour").raise_for_status()


def test_what_is_accepted_while_the_worker_is_away_is_sent_when_it_is_back(service: Service) -> None:
    os.kill(service.instance.pids()["worker-1"], signal.SIGKILL)
    recipients = [f"1555016{number:04d}" for number in range(1000, 1020)]
    sent = [service.sends(to={"phone": f"+{name}"}, channels=["whatsapp"]) for name in recipients]
    for notification_id in sent:
        service.becomes(notification_id, "read", within=90)
    assert [len(service.accepted(name)) for name in recipients] == [1] * len(recipients)
