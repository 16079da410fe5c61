"""Opting out while a page waits or is on its way, over real Temporal, PostgreSQL and a stand-in of a mail server."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select, update
from temporalio.client import Client

from db import consents
from db.consent_tables import topic
from db.consents import NewConsent, Subject
from db.delivery_tables import message
from db.session import Database
from db.tables import template
from domain.consent import Source, State
from domain.recipients import Channel
from sandbox.serve import Sandbox
from sealing import KeyRing
from tests import factories
from tests.test_pages import accept_many, form_one, mails, queue, until_ended, working
from tests.test_worker import sandbox, version_id

__all__ = ["queue", "sandbox", "version_id"]


async def opt_out(database: Database, tenant_id: UUID, mail: str) -> None:
    new = NewConsent(
        subject=Subject("email", mail), channel=Channel.EMAIL, topic="news", state=State.DENIED,
        source=Source.ONE_CLICK, at=datetime.now(UTC),
    )  # fmt: skip
    async with database.tenant(tenant_id) as connection:
        await consents.keep(connection, tenant_id, [new])


async def test_who_opts_out_while_a_page_waits_gets_nothing_of_it(
    database: Database, tenant_id: UUID, version_id: UUID, client: Client, key_ring: KeyRing, queue: str,
    sandbox: Sandbox,
) -> None:  # fmt: skip
    await factories.insert(database, tenant_id, topic, name="news")
    async with database.tenant(tenant_id) as connection:
        await connection.execute(update(template).values(topic="news"))
    await accept_many(database, tenant_id, version_id, 12)
    await form_one(database)
    for one in (3, 7):
        await opt_out(database, tenant_id, f"reader{one}@example.com")
    async with working(client, database, key_ring, queue):
        assert await until_ended(database, tenant_id, 12) == {"accepted": 10, "rejected": 2}
    found = await mails(sandbox)
    assert found.total() == 10
    assert not {"reader3@example.com", "reader7@example.com"} & found.keys()


async def test_nothing_is_claimed_for_somebody_after_the_opt_out(
    database: Database, tenant_id: UUID, version_id: UUID, client: Client, key_ring: KeyRing, queue: str,
    sandbox: Sandbox,
) -> None:  # fmt: skip
    await factories.insert(database, tenant_id, topic, name="news")
    async with database.tenant(tenant_id) as connection:
        await connection.execute(update(template).values(topic="news"))
    await accept_many(database, tenant_id, version_id, 60)
    told: dict[str, datetime] = {}
    async with working(client, database, key_ring, queue, in_flight=2, page_size=20):
        for one in range(0, 60, 3):
            mail = f"reader{one}@example.com"
            await opt_out(database, tenant_id, mail)
            told[mail] = datetime.now(UTC)
        await until_ended(database, tenant_id, 60)
    async with database.tenant(tenant_id) as connection:
        claimed = (await connection.execute(select(message.c.address, message.c.created_at))).all()
    assert len(claimed) >= 40
    assert [row.address for row in claimed if row.created_at > told.get(row.address, row.created_at)] == []
