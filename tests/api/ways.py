"""One way to meet each reason: what has to happen so that a notification is explained by it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import update

from db.care_tables import circuit
from db.tables import address
from domain import keys
from domain.notifications import Outcome
from domain.reasons import Reason
from domain.status import Status
from tests import factories
from tests.api import sending
from tests.api.stories import EMAIL, PHONE, Story, Way

FREE_FORM = {"channel": "whatsapp", "locale": "default", "content": {"kind": "text", "body": "Hello {{ name }}"}}
WITH_IMAGE = {
    "channel": "whatsapp",
    "locale": "default",
    "content": {"kind": "template", "name": "hello", "header": {"image": "{{ picture }}"}, "skip_if_no_image": True},
}
PICTURE = {"name": "picture", "type": "string", "required": False, "example": "https://example.com/a.png"}


async def _published(story: Story, *parts: dict[str, Any]) -> None:
    await sending.publish(story.client, *(parts or (sending.SMS, sending.EMAIL, sending.WHATSAPP)))


async def _recipient(story: Story, **addresses: str) -> dict[str, str]:
    body = {"addresses": [{"kind": kind, "value": value} for kind, value in addresses.items()]}
    answer = await story.client.put("/v1/recipients/asha", json=body)
    assert answer.is_success, answer.text
    return {"recipient": "asha"}


async def _text(story: Story) -> UUID:
    """Returns a notification whose attempts the way itself makes, without a worker."""
    await _published(story)
    await story.account("sms")
    return await story.send(work=False, channels=["sms"])


async def no_address(story: Story) -> UUID:
    await _published(story)
    return await story.send(to=await _recipient(story, **PHONE), channels=["email"])


async def address_suppressed(story: Story) -> UUID:
    await _published(story)
    to = await _recipient(story, **EMAIL)
    listed = (await story.client.get("/v1/recipients/asha")).json()["addresses"]
    path = f"/v1/recipients/asha/addresses/{listed[0]['id']}/suppress"
    assert (await story.client.post(path, json={"reason": "asked to stop"})).is_success
    return await story.send(to=to, channels=["email"])


async def address_invalid(story: Story) -> UUID:
    await _published(story)
    to = await _recipient(story, **EMAIL)
    async with story.database.tenant(story.tenant_id) as connection:
        await connection.execute(update(address).values(status="invalid"))
    return await story.send(to=to, channels=["email"])


async def no_account(story: Story) -> UUID:
    await _published(story)
    return await story.send(to=EMAIL, channels=["email"])


async def account_suspended(story: Story) -> UUID:
    await _published(story)
    await story.account("email")
    await story.suspend("email")
    return await story.send(to=EMAIL, channels=["email"])


async def no_template_part(story: Story) -> UUID:
    await _published(story, sending.SMS, {**sending.EMAIL, "locale": "hi"})
    await story.account("email")
    return await story.send(to=EMAIL, channels=["email"], locale="en")


async def outside_window(story: Story) -> UUID:
    await _published(story, FREE_FORM)
    await story.account("whatsapp")
    return await story.send(to=PHONE)


async def no_image(story: Story) -> UUID:
    await sending.publish(story.client, WITH_IMAGE, variables=[sending.NAME, PICTURE])
    await story.account("whatsapp")
    return await story.send(to=PHONE)


async def country_not_allowed(story: Story) -> UUID:
    await _published(story)
    await story.account("sms")
    return await story.send(to=PHONE, channels=["sms"])


def by_whatsapp(code: int, status: int = 400) -> Way:
    """Returns the way on which WhatsApp answers with an error code."""

    async def way(story: Story) -> UUID:
        await _published(story)
        await story.account("whatsapp")
        await story.whatsapp_refuses(code, status)
        return await story.send(to=PHONE, channels=["whatsapp"])

    return way


async def outcome_unknown(story: Story) -> UUID:
    await _published(story)
    await story.account("email")
    return await story.send(to={"email": "drop@example.com"}, channels=["email"])


async def provider_unavailable(story: Story) -> UUID:
    await _published(story)
    made = await story.account("email")
    opened = {"state": "open", "cause": "provider_unavailable", "probe_at": datetime.now(UTC) + timedelta(hours=1)}
    await factories.insert(
        story.database, story.tenant_id, circuit, subject=keys.account_subject(made), account_id=made, **opened
    )
    return await story.send(to=EMAIL, channels=["email"])


async def failed_over(story: Story) -> UUID:
    await _published(story)
    await story.account("email", priority=10, name="Away", config={"port": 1})
    await story.account("email", name="There")
    return await story.send(to=EMAIL, channels=["email"])


def limited(**limits: Any) -> Way:
    """Returns the way on which two messages come at once to an account that may send one for now."""

    async def way(story: Story) -> UUID:
        await _published(story)
        await story.account("email")
        await story.limit("email", **limits)
        both = [await story.send(work=False, to=EMAIL, channels=["email"]) for _ in range(2)]
        await story.work()
        return await story.later_one(*both)

    return way


async def not_confirmed_in_time(story: Story) -> UUID:
    await _published(story)
    await story.account("email")
    await story.account("whatsapp")
    to = await _recipient(story, email="asha@example.com", phone="+919800000001")
    return await story.send(to=to, channels=["email", "whatsapp"], fallback={"email": {"within": 0.2}})


async def delivery_failed(story: Story) -> UUID:
    name = await _text(story)
    await story.receive(await story.attempt(name, Outcome.ACCEPTED), Status.FAILED, "m1")
    return name


async def possible_duplicate(story: Story) -> UUID:
    name = await _text(story)
    await story.attempt(name, Outcome.UNKNOWN, error_code="outcome_unknown")
    await story.attempt(name, Outcome.ACCEPTED, number=2, possible_duplicate=True)
    return name


async def duplicate_confirmed(story: Story) -> UUID:
    name = await _text(story)
    first = await story.attempt(name, Outcome.UNKNOWN, error_code="outcome_unknown")
    await story.attempt(name, Outcome.ACCEPTED, number=2, possible_duplicate=True)
    await story.receive(first, Status.SENT, "m1")
    return name


def settled(outcome: str) -> Way:
    """Returns the way on which a person settles a doubt."""

    async def way(story: Story) -> UUID:
        name = await _text(story)
        await story.attempt(name, Outcome.UNKNOWN, error_code="outcome_unknown")
        await story.ask(name, "settle", outcome=outcome, reason="asked the provider")
        return name

    return way


async def cancelled(story: Story) -> UUID:
    await _published(story)
    name = await story.send(work=False)
    await story.ask(name, "cancel")
    return name


async def expired(story: Story) -> UUID:
    await _published(story)
    await story.account("email")
    await story.suspend("email")
    soon = datetime.now(UTC) + timedelta(seconds=1)
    return await story.send(to=EMAIL, channels=["email"], expires_at=soon.isoformat())


async def scheduled(story: Story) -> UUID:
    await _published(story)
    return await story.send(work=False, send_at=(datetime.now(UTC) + timedelta(days=1)).isoformat())


async def resumed(story: Story) -> UUID:
    name = await account_suspended(story)
    await story.parked(name)
    assert (await story.client.post(f"/v1/accounts/{story.accounts['email']}/resume")).is_success
    await story.ask(name, "resume")
    return name


async def dropped(story: Story) -> UUID:
    name = await account_suspended(story)
    await story.parked(name)
    await story.ask(name, "drop", reason="too old")
    return name


async def attempts_exhausted(story: Story) -> UUID:
    name = await _text(story)
    for number in range(1, 9):
        await story.attempt(name, Outcome.NOT_SENT, number=number, error_code="throttled")
    await story.end(name, Status.FAILED, Reason.ATTEMPTS_EXHAUSTED)
    return name


async def not_sent(story: Story) -> UUID:
    name = await _text(story)
    await story.attempt(name, Outcome.NOT_SENT, error_code="not_sent", detail="the message could not be composed")
    return name


def written(kind: str, reason: Reason) -> Way:
    """Returns the way on which the ledger holds a decision that no other way leads to in a test's time."""

    async def way(story: Story) -> UUID:
        version_id = await factories.make_version(story.database, story.tenant_id)
        name: UUID = uuid_utils.compat.uuid7()
        await factories.make_notification(
            story.database, story.tenant_id, version_id, id=name, to="+15550100", to_kind="phone"
        )
        await story.decide(name, kind, reason, channel="sms")
        return name

    return way
