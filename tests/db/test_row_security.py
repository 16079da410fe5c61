"""The database itself keeps tenants apart, whatever a query forgets."""

from uuid import UUID

import pytest
import uuid_utils.compat
from sqlalchemy import Table, UniqueConstraint, select, text
from sqlalchemy.exc import ProgrammingError

from db.schedule_tables import metadata
from db.session import Database
from db.tables import recipient

TABLES = sorted(metadata.tables.values(), key=lambda table: table.name)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
async def test_every_table_forces_row_security(database: Database, table: Table) -> None:
    async with database.system() as connection:
        row = await connection.execute(
            text("SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = to_regclass(:name)"),
            {"name": table.name},
        )
        assert row.one() == (True, True)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_tenant_comes_first_in_every_unique_key(table: Table) -> None:
    if table.name == "tenant":
        return
    assert next(iter(table.primary_key.columns)).name == "tenant_id"
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            assert next(iter(constraint.columns)).name == "tenant_id"


async def test_a_tenant_sees_only_its_own_rows(database: Database, tenant_id: UUID, other_tenant_id: UUID) -> None:
    for owner in (tenant_id, other_tenant_id):
        async with database.tenant(owner) as connection:
            row = {"tenant_id": owner, "id": uuid_utils.compat.uuid7(), "external_id": "same"}
            await connection.execute(recipient.insert().values(row))
    async with database.tenant(tenant_id) as connection:
        seen = (await connection.execute(select(recipient.c.tenant_id))).scalars().all()
    assert seen == [tenant_id]


async def test_a_tenant_cannot_write_for_another(database: Database, tenant_id: UUID, other_tenant_id: UUID) -> None:
    row = {"tenant_id": other_tenant_id, "id": uuid_utils.compat.uuid7(), "external_id": "x"}
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with database.tenant(tenant_id) as connection:
            await connection.execute(recipient.insert().values(row))


async def test_without_a_tenant_nothing_is_seen(database: Database, tenant_id: UUID) -> None:
    async with database.tenant(tenant_id) as connection:
        row = {"tenant_id": tenant_id, "id": uuid_utils.compat.uuid7(), "external_id": "x"}
        await connection.execute(recipient.insert().values(row))
        await connection.execute(text("SELECT set_config('carillon.tenant_id', '', true)"))
        assert (await connection.execute(select(recipient.c.id))).all() == []


async def test_the_tenant_does_not_leak_into_the_next_transaction(database: Database, tenant_id: UUID) -> None:
    async with database.tenant(tenant_id):
        pass
    async with database.system() as connection:
        setting = await connection.execute(text("SELECT current_setting('carillon.tenant_id', true), current_user"))
        assert setting.one() in {("", "carillon_system"), (None, "carillon_system")}


async def test_the_ledger_is_not_deleted_by_a_tenant(database: Database, tenant_id: UUID) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with database.tenant(tenant_id) as connection:
            await connection.execute(text("DELETE FROM attempt"))
