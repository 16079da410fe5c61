"""Which rows of a line become pages, and which keep their own place."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from db import outbox, pages
from db.session import Database
from db.tables import outbox as outbox_table
from tests.test_pages import accept_many, form_one
from tests.test_worker import sandbox, version_id

__all__ = ["sandbox", "version_id"]


async def starts(database: Database, tenant_id: UUID) -> list[Any]:
    async with database.tenant(tenant_id) as connection:
        return list((await connection.execute(select(outbox_table.c.payload).order_by(outbox_table.c.id))).all())


async def test_a_short_line_makes_no_page(database: Database, tenant_id: UUID, version_id: UUID) -> None:
    await accept_many(database, tenant_id, version_id, 7)
    async with database.system() as connection:
        assert not await pages.form(connection, lane=1, size=20, least=8, most=4)
    async with database.tenant(tenant_id) as connection:
        assert (await connection.execute(select(func.count()).select_from(outbox_table))).scalar_one() == 7


async def test_what_a_page_gave_up_is_never_put_into_another_and_keeps_its_place(
    database: Database, tenant_id: UUID, version_id: UUID
) -> None:
    made = await accept_many(database, tenant_id, version_id, 30)
    await form_one(database)
    (page,) = [found for found in await starts(database, tenant_id) if found.payload["workflow"] == "page"]
    members = [UUID(name) for name in page.payload["input"]["notification_ids"]]
    async with database.tenant(tenant_id) as connection:
        await pages.hand_over(connection, tenant_id, UUID(page.payload["input"]["page_id"]), members)
    async with database.system() as connection:
        formed = await pages.form(connection, lane=1, size=20, least=8, most=4)
        assert formed == {tenant_id}
        taken = await outbox.lease(connection, count=100, paged=formed)
    mine = [entry for entry in taken if entry.tenant_id == tenant_id]
    alone = [entry.payload["input"]["notification_id"] for entry in mine if entry.payload["workflow"] == "notification"]
    assert alone == [str(name) for name in members]
    assert [entry.payload["workflow"] for entry in mine].count("page") == 2
    assert len(made) == 30
