"""The flows that are given as examples, over HTTP against the whole stack: events in, messages out, answers back."""

import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.test_the_whole_way import Service
from tests.instance import running, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
FLOWS = Path(__file__).parents[2] / "examples" / "flows"
SAID = "{{ event.type }}"
EVENT = {"Content-Type": "application/cloudevents+json"}


class Person:
    """Somebody with a phone and a mailbox, who has written to us lately, so that WhatsApp lets free text through."""

    def __init__(self, service: Service, number: int) -> None:
        self.name, self.phone = f"person-{number}", f"+1555019{1000 + number}"
        self._service = service
        addresses = [{"kind": "phone", "value": self.phone}, {"kind": "email", "value": f"{self.name}@example.com"}]
        body = {"zone": "Asia/Kolkata", "addresses": addresses}
        service.api.put(f"/v1/recipients/{self.name}", json=body).raise_for_status()
        self.writes("Hello")

    def writes(self, text: str) -> None:
        """Writes to us on WhatsApp."""
        (number,) = self._service.sandbox.get("/_sandbox/numbers").json()["numbers"]
        act = {"number": number["id"], "from": self.phone, "type": "text", "text": text}
        self._service.sandbox.post("/_sandbox/inbound", json=act).raise_for_status()

    def got(self) -> list[str]:
        """Returns the templates of what reached them, the first one first, by the product's own record."""
        answer = self._service.api.get("/v1/notifications", params={"recipient": self.name, "limit": 50})
        found = answer.raise_for_status().json()["data"][::-1]
        return [one["template"] for one in found if one["status"] in {"accepted", "sent", "delivered", "read"}]

    def gets(self, *templates: str) -> None:
        """Waits until exactly this has reached them."""
        until(lambda: self.got() == list(templates))

    def in_hand(self) -> int:
        """Returns how many messages the stand-ins took for them."""
        by_mail = self._service.accepted(f"{self.name}@example.com")
        return len(by_mail) + len(self._service.accepted(self.phone))


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running() as instance:
        made = Service(instance)
        for file in FLOWS.glob("*.yaml"):
            _publish(made, file.read_text("utf-8"))
        yield made


def _publish(service: Service, definition: str) -> None:
    parts = [
        {"channel": "email", "locale": "default", "content": {"subject": SAID, "text": SAID}},
        {"channel": "whatsapp", "locale": "default", "content": {"kind": "text", "body": SAID}},
        {"channel": "sms", "locale": "default", "content": {"body": SAID}},
    ]
    version = {"parts": parts, "variables": [{"name": "event.type", "type": "string"}]}
    for template in dict.fromkeys(re.findall(r"send: (\w+)", definition)):
        body = {"name": template, "channels": ["whatsapp", "email", "sms"]}
        service.api.post("/v1/templates", json=body).raise_for_status()
        service.api.post(f"/v1/templates/{template}/versions", json=version).raise_for_status()
        service.api.post(f"/v1/templates/{template}/versions/1/publish").raise_for_status()
    name = re.findall(r"^name: (\w+)$", definition, re.MULTILINE)[0]
    service.api.put(f"/v1/flows/{name}", json={"definition": definition}).raise_for_status()
    service.api.post(f"/v1/flows/{name}/publish", json={"version": 1}).raise_for_status()


def happens(service: Service, type_: str, **data: str) -> list[dict[str, Any]]:
    """Sends an event in and returns what it did."""
    event = {"specversion": "1.0", "id": str(uuid.uuid4()), "source": "/test", "type": type_, "data": data}
    answer = service.api.post("/v1/events", json=event, headers=EVENT).raise_for_status().json()
    effects: list[dict[str, Any]] = answer["results"][0]["effects"]
    return effects


def begins(service: Service, type_: str, **data: str) -> str:
    """Sends an event in that starts one series, and returns its id."""
    (started,) = [effect for effect in happens(service, type_, **data) if effect["result"] == "started"]
    return str(started["series_id"])


def reads(service: Service, series_id: str) -> dict[str, Any]:
    """Returns a series."""
    found: dict[str, Any] = service.api.get(f"/v1/series/{series_id}").raise_for_status().json()
    return found


def waits_at(service: Service, series_id: str, step: str) -> dict[str, Any]:
    """Waits until a series rests at a step, and returns it."""
    until(lambda: (found := reads(service, series_id))["step"] == step and found["next_at"])
    return reads(service, series_id)


def ends(service: Service, series_id: str) -> tuple[str, str | None]:
    """Waits until a series is over, and returns how it ended."""
    found = until(lambda: (found := reads(service, series_id))["ended_at"] and found)
    return found["status"], found["reason"]


def test_an_order_is_confirmed_and_reminded_until_it_is_paid(service: Service) -> None:
    asha, ravi = Person(service, 1), Person(service, 2)
    unpaid = begins(service, "order.placed", customer=asha.name, order="1")
    paid = begins(service, "order.placed", customer=ravi.name, order="2")
    asha.gets("order_placed")
    ravi.gets("order_placed")
    for series_id in (unpaid, paid):
        found = waits_at(service, series_id, "two_days")
        asleep = datetime.fromisoformat(found["next_at"]) - datetime.fromisoformat(found["started_at"])
        assert timedelta(days=2) <= asleep < timedelta(days=2, minutes=1)
    happens(service, "order.paid", customer=ravi.name, order="2")
    assert ends(service, paid)[0] == "stopped"
    service.api.post(f"/v1/series/{unpaid}/skip", json={}).raise_for_status()
    assert ends(service, unpaid)[0] == "completed"
    asha.gets("order_placed", "order_unpaid")
    assert (asha.in_hand(), ravi.in_hand()) == (2, 1)


def test_an_appointment_that_moves_takes_its_reminders_along(service: Service) -> None:
    asha, ravi = Person(service, 3), Person(service, 4)
    starts_at = datetime.now(UTC) + timedelta(days=9)
    moved = begins(service, "appointment.booked", patient=asha.name, appointment="1", starts_at=starts_at.isoformat())
    gone = begins(service, "appointment.booked", patient=ravi.name, appointment="2", starts_at=starts_at.isoformat())
    found = waits_at(service, moved, "day_before")
    assert datetime.fromisoformat(found["next_at"]) == starts_at - timedelta(days=1)
    nearer = datetime.now(UTC) + timedelta(hours=2, seconds=3)
    service.api.patch(f"/v1/series/{moved}", json={"anchors": {"starts_at": nearer.isoformat()}}).raise_for_status()
    assert ends(service, moved)[0] == "completed"
    asha.gets("appointment_soon")  # it is too late for the day before
    happens(service, "appointment.cancelled", patient=ravi.name, appointment="2")
    assert ends(service, gone)[0] == "stopped"
    assert (asha.in_hand(), ravi.in_hand()) == (1, 0)


def test_an_invoice_is_followed_until_after_it_is_due(service: Service) -> None:
    asha = Person(service, 5)
    due_at = datetime.now(UTC) + timedelta(days=25)
    series_id = begins(service, "invoice.sent", customer=asha.name, invoice="1", due_at=due_at.isoformat())
    waits_at(service, series_id, "a_week_before")
    upcoming = service.api.get(f"/v1/series/{series_id}/upcoming").raise_for_status().json()
    assert [one["step"] for one in upcoming["entries"] if one["kind"] == "do"] == ["soon", "tomorrow", "overdue"]
    long_ago = datetime.now(UTC) - timedelta(days=9)
    service.api.patch(f"/v1/series/{series_id}", json={"anchors": {"due_at": long_ago.isoformat()}}).raise_for_status()
    assert ends(service, series_id)[0] == "completed"
    asha.gets("invoice_overdue")
    assert asha.in_hand() == 1


def test_a_code_comes_at_once_and_expires(service: Service) -> None:
    phone = Person(service, 6).phone
    series_id = begins(service, "login.requested", phone=phone, login="1")
    assert ends(service, series_id)[0] == "completed"
    until(lambda: len(service.accepted(phone)) == 1)
    (code,) = service.api.get("/v1/notifications", params={"template": "login_code"}).json()["data"]
    lasts = datetime.fromisoformat(code["expires_at"]) - datetime.fromisoformat(code["created_at"])
    assert code["critical"]
    assert timedelta(minutes=9) < lasts <= timedelta(minutes=10)


def test_whoever_is_on_duty_answers_or_the_lead_is_asked(service: Service) -> None:
    asha, ravi, lead = (Person(service, number) for number in (7, 8, 9))
    answered = begins(service, "machine.stopped", on_duty=asha.name, lead=lead.name, machine="1")
    silent = begins(service, "machine.stopped", on_duty=ravi.name, lead=lead.name, machine="2")
    for person, series_id in ((asha, answered), (ravi, silent)):
        person.gets("machine_stopped")
        waits_at(service, series_id, "answer")
    asha.writes("On my way")
    assert ends(service, answered)[0] == "completed"
    service.api.post(f"/v1/series/{silent}/skip", json={}).raise_for_status()
    assert ends(service, silent)[0] == "completed"
    lead.gets("machine_unanswered")
    assert [one.in_hand() for one in (asha, ravi, lead)] == [1, 1, 1]
