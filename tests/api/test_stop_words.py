"""STOP and START over a real callback: heeded once, in the commit that stores the message, and never overheard."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, update

from activities.resolution import Resolution, ResolutionPage
from db.consent_tables import consent, consent_entry, suppression
from db.delivery_tables import notification
from db.session import Database
from db.tables import address, recipient
from domain.reasons import Reason
from domain.recipients import Channel
from tests import factories
from tests.api.test_callbacks import envelope, message_id, rows, signed

__all__ = ["message_id"]

ASHA = "+15550100"
REPLY = {"channel": "whatsapp", "locale": "default", "content": {"kind": "text", "body": "You will hear no more."}}


@pytest.fixture
async def asha(database: Database, tenant_id: UUID, message_id: UUID) -> UUID:
    """A recipient with the number of the message that is on its way."""
    owner = await factories.insert(database, tenant_id, recipient, external_id="asha")
    await factories.insert(database, tenant_id, address, recipient_id=owner, kind="phone", value=ASHA)
    return owner


class Phone:
    """Somebody who writes to the tenant's number; each message is one second younger than the one before."""

    def __init__(self, client: httpx.AsyncClient, tenant_id: UUID) -> None:
        self._client, self._tenant_id = client, tenant_id
        self._at = int(datetime.now(UTC).timestamp()) - 600

    async def write(self, text: str, *, name: str | None = None, at: int | None = None) -> None:
        self._at += 1
        message = {"type": "text", "text": {"body": text}}
        await self.send({"id": name or f"wamid.in{self._at}", "timestamp": str(at or self._at), **message})

    async def send(self, message: dict[str, Any]) -> None:
        contacts = [{"profile": {"name": "Asha"}, "wa_id": "15550100"}]
        body = envelope(contacts=contacts, messages=[{"from": "15550100", **message}])
        place = f"/api/webhooks/meta/{self._tenant_id}"
        answer = await self._client.post(place, content=body, headers=signed(body))
        assert answer.status_code == 200


@pytest.fixture
def phone(anonymous: httpx.AsyncClient, tenant_id: UUID, asha: UUID) -> Phone:
    """Asha's phone."""
    return Phone(anonymous, tenant_id)


async def stands(database: Database, tenant_id: UUID) -> tuple[str, str | None]:
    (row,) = await rows(database, tenant_id, address)
    return row["status"], row["status_reason"]


STOPPED = ("suppressed", "stop_word")


async def test_a_stop_silences_the_address_and_is_kept_as_a_choice(
    phone: Phone, database: Database, tenant_id: UUID
) -> None:
    await phone.write("Stop!")
    assert await stands(database, tenant_id) == STOPPED
    (kept,) = await rows(database, tenant_id, consent)
    found = [kept[name] for name in ("subject_kind", "subject", "channel", "topic", "state", "source")]
    assert found == ["phone", ASHA, "whatsapp", "*", "denied", "stop_word"]
    assert kept["evidence"]["text"] == "Stop!"


async def test_a_sentence_is_no_stop(phone: Phone, database: Database, tenant_id: UUID) -> None:
    await phone.write("please stop the machine")
    await phone.write("HELP")
    assert await stands(database, tenant_id) == ("active", None)
    assert await rows(database, tenant_id, consent_entry) == []


async def test_a_button_with_the_word_is_an_answer(phone: Phone, database: Database, tenant_id: UUID) -> None:
    button = {"type": "button", "button": {"text": "Stop", "payload": "stop-machine"}}
    await phone.send({"id": "wamid.tap", "timestamp": "1763719300", **button})
    assert await stands(database, tenant_id) == ("active", None)


async def test_a_start_takes_the_stop_back(phone: Phone, database: Database, tenant_id: UUID) -> None:
    await phone.write("STOP")
    await phone.write("start")
    assert await stands(database, tenant_id) == ("active", None)
    assert await rows(database, tenant_id, suppression) == []
    assert [row["source"] for row in await rows(database, tenant_id, consent_entry)] == ["stop_word", "start_word"]


@pytest.mark.parametrize("reason", ["asked on the phone", "stop_word"])
async def test_a_start_lifts_nothing_that_somebody_else_decided(
    phone: Phone, database: Database, tenant_id: UUID, reason: str
) -> None:
    async with database.tenant(tenant_id) as connection:
        await connection.execute(update(address).values(status="suppressed", status_reason=reason))
    await phone.write("START")
    assert await stands(database, tenant_id) == ("suppressed", reason)


async def test_each_message_is_heeded_once_in_whatever_callback_it_comes(
    phone: Phone, database: Database, tenant_id: UUID
) -> None:
    await phone.write("STOP", name="wamid.a", at=1763719201)
    await phone.write("START", name="wamid.b", at=1763719202)
    await phone.write("STOP", name="wamid.a", at=1763719201)
    assert await stands(database, tenant_id) == ("active", None)


async def test_an_older_stop_that_comes_late_does_not_undo_a_start(
    phone: Phone, database: Database, tenant_id: UUID
) -> None:
    await phone.write("START", at=1763719300)
    await phone.write("STOP", at=1763719250)
    assert await stands(database, tenant_id) == ("active", None)


async def test_who_is_no_recipient_is_left_alone_too(phone: Phone, database: Database, tenant_id: UUID) -> None:
    async with database.tenant(tenant_id) as connection:
        await connection.execute(address.delete())
    version_id = await factories.make_version(database, tenant_id, REPLY, name="talk")
    made = await factories.make_notification(database, tenant_id, version_id, to=ASHA, to_kind="phone")
    await phone.write("Hello")
    assert await planned(database, tenant_id, made) == [Channel.WHATSAPP]
    await phone.write("STOP")
    assert await planned(database, tenant_id, made) == [Reason.ADDRESS_SUPPRESSED]


async def planned(database: Database, tenant_id: UUID, name: UUID) -> list[Channel | Reason]:
    page = ResolutionPage(tenant_id=str(tenant_id), notification_ids=(str(name),))
    [plan] = await Resolution(database, {}).resolve(page)
    return [hop.channel for hop in plan.hops] + [skipped.reason for skipped in plan.skipped]


async def test_a_tenant_may_add_words(
    phone: Phone, operator: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    body = {"stop_words": ["Basta"], "start_words": ["Weiter"]}
    answer = await operator.patch(f"/v1/tenants/{tenant_id}", json=body)
    assert {name: answer.json()[name] for name in body} == body
    await phone.write("basta.")
    assert await stands(database, tenant_id) == STOPPED
    await phone.write("weiter")
    assert await stands(database, tenant_id) == ("active", None)


async def test_a_stop_is_answered_once_where_the_tenant_says_so(
    phone: Phone, operator: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await factories.make_version(database, tenant_id, REPLY, name="goodbye")
    await operator.patch(f"/v1/tenants/{tenant_id}", json={"stop_reply_template": "goodbye"})
    await phone.write("STOP")
    await phone.write("STOP")
    async with database.tenant(tenant_id) as connection:
        asked = select(notification).where(notification.c.template == "goodbye")
        (reply,) = (await connection.execute(asked)).mappings().all()
    assert (reply["critical"], reply["to"], reply["trigger_type"]) == (True, ASHA, "stop_reply")
    another = await factories.make_notification(
        database, tenant_id, reply["template_version_id"], to=ASHA, to_kind="phone", critical=True
    )
    assert await planned(database, tenant_id, reply["id"]) == [Channel.WHATSAPP]
    assert await planned(database, tenant_id, another) == [Reason.ADDRESS_SUPPRESSED]


async def test_without_such_a_template_a_stop_is_answered_by_nothing(
    phone: Phone, database: Database, tenant_id: UUID
) -> None:
    await phone.write("STOP")
    assert len(await rows(database, tenant_id, notification)) == 1
