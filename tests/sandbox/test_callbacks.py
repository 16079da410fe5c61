"""Callbacks: their bytes and signature, their order, their retries, and what a restart does to them."""

import asyncio
import hashlib
import hmac
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.behaviour import Behaviour, Times
from sandbox.callbacks import serialised, signature
from sandbox.serve import Sandbox

from .conftest import (
    ACCOUNT,
    GUEST,
    NUMBER,
    PATIENT,
    QUICK,
    SECRET,
    TOKEN,
    Caller,
    Receiver,
    registration,
    settings,
    until,
)

# RFC 4231, test case 2: independent of this project.
VECTOR = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


def test_the_signature_agrees_with_a_published_vector() -> None:
    assert signature("Jefe", b"what do ya want for nothing?") == f"sha256={VECTOR}"


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"a": "b/c"}, rb'{"a":"b\/c"}'),
        ({"a": "\u00e9\u4f60"}, rb'{"a":"\u00e9\u4f60"}'),
        ({"a": "\U0001f514"}, rb'{"a":"\ud83d\udd14"}'),
        ({"a": 'q"\\n\n'}, rb'{"a":"q\"\\n\n"}'),
    ],
    ids=["slash", "letters", "beyond the first plane", "quote and line break"],
)
def test_callbacks_are_escaped_as_the_vendor_does(payload: dict[str, str], expected: bytes) -> None:
    assert serialised(payload) == expected
    assert json.loads(serialised(payload)) == payload


async def test_a_message_becomes_sent_delivered_and_read(caller: Caller, receiver: Receiver) -> None:
    answer = await caller.template(biz_opaque_callback_data="ref-1")
    wamid = answer.json()["messages"][0]["id"]
    await until(lambda: len(receiver.statuses) == 3)
    assert sorted(receiver.names()) == ["delivered", "read", "sent"]
    for headers, body in zip(receiver.headers, receiver.bodies, strict=True):
        expected = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        assert headers["x-hub-signature-256"] == f"sha256={expected}"
        assert body.isascii()
    payload = receiver.payloads[0]
    assert payload["object"] == "whatsapp_business_account"
    assert payload["entry"][0]["id"] == ACCOUNT
    value = receiver.values[0]
    assert value["metadata"] == {"display_phone_number": "15550783881", "phone_number_id": NUMBER}
    assert value["contacts"][0]["wa_id"] == GUEST
    for status in receiver.statuses:
        assert status["id"] == wamid
        assert status["recipient_id"] == GUEST
        assert status["biz_opaque_callback_data"] == "ref-1"
        assert status["pricing"] == {"billable": True, "pricing_model": "PMP", "category": "utility", "type": "regular"}
        assert "conversation" not in status
        assert status["timestamp"].isdecimal()


async def test_all_copies_of_all_callbacks_can_be_shuffled(caller: Caller, receiver: Receiver) -> None:
    await caller.behave({"shuffle_callbacks": True, "duplicate_callbacks": 9})
    await caller.template()
    await until(lambda: len(receiver.statuses) == 30)
    names = receiver.names()
    assert {name: names.count(name) for name in names} == {"sent": 10, "delivered": 10, "read": 10}
    assert names not in (sorted(names), sorted(names, reverse=True), ["sent"] * 10 + ["delivered"] * 10 + ["read"] * 10)


async def test_a_callback_can_go_astray_to_everybody_else(caller: Caller, receiver: Receiver) -> None:
    other = {"waba_id": "9", "display_phone_number": "+15550783999", "access_token": "t-2", "app_secret": "another"}
    url = receiver.url.replace("/hook", "/hook?other")
    answer = await caller.client.put("/_sandbox/numbers/9", json={**other, "webhook_url": url, "check_webhook": False})
    assert answer.status_code == 200, answer.text
    await caller.behave({"misdirect_callbacks": True, "until": "sent"})
    await caller.template(biz_opaque_callback_data="ref-1")
    await until(lambda: len(receiver.bodies) == 2)
    assert receiver.bodies[0] == receiver.bodies[1]
    secrets = ["another", SECRET]
    expected = [signature(secret, body) for secret, body in zip(secrets, receiver.bodies, strict=True)]
    assert [headers["x-hub-signature-256"] for headers in receiver.headers] == expected
    strayed, _ = await caller.journal(kind="callback", reference="ref-1", status="sent")
    assert (strayed["update"], strayed["astray"]) == ("misdirected", "9")


@pytest.mark.parametrize("clock", [-604_800, 86_400], ids=["a week late", "a day ahead"])
async def test_the_provider_s_clock_can_be_off(caller: Caller, receiver: Receiver, clock: int) -> None:
    await caller.behave({"callback_clock": clock, "callbacks_first": True, "until": "sent"})
    await caller.template()
    (status,) = receiver.statuses
    (entry,) = await caller.journal(kind="accepted")
    accepted = datetime.fromisoformat(entry["at"]).timestamp()
    assert abs(int(status["timestamp"]) - accepted - clock) < 60


async def test_free_form_outside_the_window_is_accepted_and_fails_later(caller: Caller, receiver: Receiver) -> None:
    answer = await caller.send(type="text", text={"body": "hello"}, biz_opaque_callback_data="ref-1")
    assert answer.status_code == 200
    (status,) = await until(lambda: receiver.statuses)
    assert (status["status"], status["errors"][0]["code"]) == ("failed", 131047)
    assert status["biz_opaque_callback_data"] == "ref-1"
    assert "contacts" not in receiver.values[0]
    assert "recipient_user_id" not in status
    await caller.client.post("/_sandbox/inbound", json={"number": NUMBER, "from": GUEST, "text": "hi"})
    receiver.bodies.clear()
    await caller.send(type="text", text={"body": "hello again"})
    await until(lambda: "read" in receiver.names())
    assert {status["pricing"]["type"] for status in receiver.statuses} == {"free_customer_service"}


async def test_a_callback_that_is_not_taken_comes_again(caller: Caller, receiver: Receiver) -> None:
    await caller.behave({"until": "sent"})
    receiver.answers = [500, 202, 403]
    await caller.template(biz_opaque_callback_data="ref-1")
    await until(lambda: len(receiver.bodies) == 4)
    assert len(set(receiver.bodies)) == 1
    tries = await until_journal(caller, 4, kind="callback")
    assert [(one["try"], one["outcome"], one["http_status"]) for one in tries] == [
        (1, "refused", 500),
        (2, "refused", 202),
        (3, "refused", 403),
        (4, "taken", 200),
    ]


async def test_a_callback_nobody_takes_is_given_up(caller: Caller, receiver: Receiver) -> None:
    await caller.behave({"until": "sent"})
    number = registration("http://127.0.0.1:1/nobody", check_webhook=False)
    await caller.client.put(f"/_sandbox/numbers/{NUMBER}", json=number)
    await caller.template()
    entries = await until_journal(caller, 5, kind="callback")
    assert [entry["outcome"] for entry in entries] == ["unreachable"] * 4 + ["given_up"]
    assert receiver.bodies == []


@pytest.mark.parametrize(
    ("url", "token", "says"),
    [
        (None, "wrong", "HTTP 403"),
        ("http://127.0.0.1:1/", None, "could not be reached"),
        ("no address", None, "could not be reached"),
    ],
    ids=["wrong verify token", "nobody listens", "no address"],
)
async def test_a_webhook_that_fails_the_handshake_is_not_registered(
    caller: Caller, receiver: Receiver, url: str | None, token: str | None, says: str
) -> None:
    body = registration(url or receiver.url, verify_token=token or "v")
    answer = await caller.client.put("/_sandbox/numbers/555", json=body)
    assert answer.status_code == 400
    assert says in answer.json()["detail"]
    assert (await caller.client.get("/_sandbox/numbers/555")).status_code == 404


async def test_overrides_take_status_callbacks_but_not_template_updates(caller: Caller, receiver: Receiver) -> None:
    await caller.behave({"until": "sent"})
    override = {"override_callback_uri": f"{receiver.url}?by=account", "verify_token": "verify-1"}
    answer = await caller.client.post(f"/v26.0/{ACCOUNT}/subscribed_apps", json=override)
    assert answer.json() == {"success": True}
    shown = await caller.client.get(f"/v26.0/{ACCOUNT}/subscribed_apps")
    assert shown.json()["data"][0]["override_callback_uri"] == override["override_callback_uri"]
    await caller.template()
    (entry,) = await until_journal(caller, 1, kind="callback")
    assert entry["url"].endswith("?by=account")
    template_id = (await caller.client.get(f"/v26.0/{ACCOUNT}/message_templates?name=pending")).json()["data"][0]["id"]
    await caller.client.post(f"/_sandbox/templates/{template_id}/review", json={"status": "APPROVED"})
    entries = await until_journal(caller, 2, kind="callback")
    assert entries[1]["url"] == receiver.url
    refused = await caller.client.post(
        f"/v26.0/{NUMBER}", json={"webhook_configuration": {**override, "verify_token": "wrong"}}
    )
    assert refused.json()["error"]["code"] == 2200


async def test_an_unsubscribed_account_gets_no_callbacks(caller: Caller, receiver: Receiver) -> None:
    await caller.client.delete(f"/v26.0/{ACCOUNT}/subscribed_apps")
    acted = await caller.client.post("/_sandbox/inbound", json={"number": NUMBER, "from": GUEST, "text": "hi"})
    assert acted.json()["callback"] == "nowhere"
    await caller.client.post(f"/v26.0/{ACCOUNT}/subscribed_apps")
    acted = await caller.client.post("/_sandbox/inbound", json={"number": NUMBER, "from": GUEST, "text": "hi"})
    assert acted.json()["callback"] == "taken"
    assert len(receiver.messages) == 1


async def test_a_restart_goes_on_with_what_nobody_has_taken(tmp_path: Path, receiver: Receiver) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    slow = Behaviour(times=Times(sent=0, delivered=60, read=90), callbacks=PATIENT)
    body = {"messaging_product": "whatsapp", "to": GUEST, "biz_opaque_callback_data": "ref-1", "type": "template"}
    async with (
        Sandbox(settings(tmp_path), slow) as first,
        httpx.AsyncClient(base_url=first.url, headers=headers) as client,
    ):
        await client.put(f"/_sandbox/numbers/{NUMBER}", json=registration(receiver.url))
        template = {"name": "plain", "language": {"code": "en_US"}}
        sent = await client.post(f"/v26.0/{NUMBER}/messages", json={**body, "template": template})
        await until(lambda: receiver.names() == ["sent"])
        async with asyncio.timeout(5):
            await until_entry(first, kind="callback", outcome="taken")
        receiver.answers = [500] * 10
        await client.post("/_sandbox/inbound", json={"number": NUMBER, "from": GUEST, "text": "hi"})
        last = first.journal.last
    receiver.bodies, receiver.answers = [], []
    async with Sandbox(settings(tmp_path), Behaviour(times=QUICK, callbacks=PATIENT)) as second:
        await until(lambda: len(receiver.statuses) == 2 and receiver.messages)
        assert sorted(receiver.names()) == ["delivered", "read"]
        assert {status["id"] for status in receiver.statuses} == {sent.json()["messages"][0]["id"]}
        assert receiver.messages[0]["text"]["body"] == "hi"
        assert second.journal.last > last
        assert [entry["seq"] for entry in second.journal.entries()] == list(range(1, second.journal.last + 1))
        assert second.platform.world.window_open(NUMBER, GUEST)


async def until_journal(caller: Caller, count: int, **wanted: str) -> list[dict[str, Any]]:
    entries = await caller.journal(**wanted)
    async with asyncio.timeout(5):
        while len(entries) < count:
            entries = await caller.journal(**wanted)
    assert len(entries) == count
    return entries


async def until_entry(sandbox: Sandbox, **wanted: str) -> None:
    await until(lambda: any(wanted.items() <= entry.items() for entry in sandbox.journal.entries()))
