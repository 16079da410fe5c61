"""Bounces, complaints and opt-outs at the provider silence the address, once, and for whatever is sent to it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import uuid_utils.compat
from sqlalchemy import select

from activities.recording import Recorder
from db import opt_outs, receipts, suppressions
from db.consent_tables import consent, suppression, topic
from db.delivery_tables import attempt, message
from db.opt_outs import NewComplaint
from db.receipts import NewReceipt
from db.session import Database
from db.tables import address, recipient
from domain.notifications import AttemptRecord, Outcome
from domain.recipients import Address, AddressKind
from domain.status import Status
from domain.suppression import Cause
from sealing import KeyRing
from tests import factories

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
REFERENCE = "ab" * 16
MAIL = "asha@example.com"


@dataclass
class Sent:
    """A message on its way to somebody's mailbox, or phone."""

    database: Database
    tenant_id: UUID
    notification_id: UUID
    message_id: UUID
    attempt_id: UUID

    async def rows(self, table: Any) -> list[Any]:
        async with self.database.tenant(self.tenant_id) as connection:
            return list((await connection.execute(select(table))).mappings())

    async def stands(self) -> tuple[str, str | None]:
        (row,) = await self.rows(address)
        return row["status"], row["status_reason"]

    async def receipt(self, code: str, detail: str, provider: str = "smtp") -> None:
        async with self.database.tenant(self.tenant_id) as connection:
            kept = await factories.keep_callback(
                connection, self.tenant_id, provider=provider, body=uuid_utils.compat.uuid7().bytes
            )
            new = NewReceipt(
                callback_id=kept, provider=provider, event_key="e1", status=Status.BOUNCED, raw_status="failed",
                occurred_at=AT, provider_message_id="m1", reference=REFERENCE, error_code=code, provider_code=detail,
            )  # fmt: skip
            await receipts.add(connection, self.tenant_id, [new])

    async def complain(self) -> None:
        complaint = NewComplaint(cause="complaint/smtp/1", reference=REFERENCE, occurred_at=AT, kind="abuse")
        async with self.database.tenant(self.tenant_id) as connection:
            await opt_outs.complained(connection, self.tenant_id, [complaint])

    async def restore(self) -> None:
        async with self.database.tenant(self.tenant_id) as connection:
            await suppressions.forget(connection, self.tenant_id, Address(AddressKind.EMAIL, MAIL))
            await connection.execute(address.update().values(status="active", status_reason=None))


async def on_its_way(
    database: Database, tenant_id: UUID, key_ring: KeyRing, *, provider: str, channel: str, kind: str, value: str
) -> Sent:
    account_id = await factories.make_account(
        database, tenant_id, key_ring, provider=provider, channel=channel, config={}
    )
    version_id = await factories.make_version(database, tenant_id)
    owner = await factories.insert(database, tenant_id, recipient, external_id="asha")
    await factories.insert(database, tenant_id, address, recipient_id=owner, kind=kind, value=value)
    made = await factories.make_notification(database, tenant_id, version_id, to=value, to_kind=kind)
    fields = {"hop": 0, "channel": channel, "provider": provider, "account_id": account_id, "success": "accepted"}
    whom = {"address_kind": kind, "address": value, "template_version_id": version_id, "locale": "en"}
    sent = await factories.insert(database, tenant_id, message, notification_id=made, **fields, **whom)
    tried = await factories.insert(database, tenant_id, attempt, message_id=sent, number=1, reference=REFERENCE)
    return Sent(database, tenant_id, made, sent, tried)


@pytest.fixture
async def mail(database: Database, tenant_id: UUID, key_ring: KeyRing) -> Sent:
    """A mail on its way."""
    return await on_its_way(database, tenant_id, key_ring, provider="smtp", channel="email", kind="email", value=MAIL)


@pytest.fixture
async def chat(database: Database, tenant_id: UUID, key_ring: KeyRing) -> Sent:
    """A WhatsApp message on its way."""
    return await on_its_way(
        database, tenant_id, key_ring, provider="meta", channel="whatsapp", kind="phone", value="+15550100"
    )


async def test_a_hard_bounce_makes_the_address_invalid(mail: Sent) -> None:
    await mail.receipt("invalid_address", "5.1.1")
    assert await mail.stands() == ("invalid", "hard_bounce")
    assert await mail.rows(consent) == []


async def test_a_full_mailbox_is_no_reason_to_give_up_the_address(mail: Sent) -> None:
    await mail.receipt("rejected", "5.2.2")
    assert await mail.stands() == ("active", None)


async def test_a_number_that_is_not_on_whatsapp_may_still_take_texts(chat: Sent) -> None:
    await chat.receipt("invalid_address", "131026", "meta")
    assert await chat.stands() == ("active", None)


async def test_an_opt_out_at_the_provider_holds_here_too(chat: Sent) -> None:
    await chat.receipt("unsubscribed", "131050", "meta")
    assert await chat.stands() == ("suppressed", "provider_opt_out")
    assert [(row["channel"], row["state"], row["source"]) for row in await chat.rows(consent)] == [
        ("whatsapp", "denied", "provider")
    ]


async def test_a_complaint_ends_every_topic_of_the_channel(mail: Sent) -> None:
    for name in ("news", "offers"):
        await factories.insert(mail.database, mail.tenant_id, topic, name=name)
    await mail.complain()
    assert await mail.stands() == ("suppressed", "complaint")
    assert sorted((row["topic"], row["channel"], row["source"]) for row in await mail.rows(consent)) == [
        ("*", "email", "complaint"),
        ("news", "email", "complaint"),
        ("offers", "email", "complaint"),
    ]


async def test_a_complaint_counts_once_so_that_it_can_be_settled(mail: Sent) -> None:
    await mail.complain()
    await mail.restore()
    await mail.complain()
    assert await mail.stands() == ("active", None)


async def test_a_complaint_about_nothing_of_ours_does_nothing(mail: Sent) -> None:
    async with mail.database.tenant(mail.tenant_id) as connection:
        unknown = NewComplaint(cause="c", reference="cd" * 16, occurred_at=AT, kind="abuse")
        await opt_outs.complained(connection, mail.tenant_id, [unknown])
    assert await mail.rows(suppression) == []


async def test_a_refusal_at_the_door_counts_as_a_bounce_and_only_once(mail: Sent) -> None:
    record = AttemptRecord(
        tenant_id=str(mail.tenant_id), notification_id=str(mail.notification_id), message_id=str(mail.message_id),
        attempt_id=str(mail.attempt_id), outcome=Outcome.REFUSED, at=AT, provider="smtp",
        error_code="invalid_address", provider_code="5.1.1",
    )  # fmt: skip
    recorder = Recorder(mail.database)
    await recorder.keep(record)
    assert await mail.stands() == ("invalid", "hard_bounce")
    await mail.restore()
    await recorder.keep(record)
    assert await mail.stands() == ("active", None)


async def test_what_a_start_could_lift_does_not_hide_a_complaint(mail: Sent) -> None:
    to = Address(AddressKind.EMAIL, MAIL)
    async with mail.database.tenant(mail.tenant_id) as connection:
        assert await suppressions.add(connection, mail.tenant_id, to, Cause.STOP_WORD, AT)
    await mail.complain()
    assert await mail.stands() == ("suppressed", "complaint")
    async with mail.database.tenant(mail.tenant_id) as connection:
        assert not await suppressions.lift(connection, mail.tenant_id, to, Cause.STOP_WORD)
    assert await mail.stands() == ("suppressed", "complaint")
