"""Rows of the tenant matrix for findings; `matrix_rows.py` says how."""

from db import findings
from db.findings import NewFinding
from domain.findings import Kind
from tests.api.matrix_rows import Call, Row, World


async def _found(world: World) -> Call:
    found = NewFinding(kind=Kind.RECEIPT_UNMATCHED, subject_type="provider_message", subject_id="wamid.secret")
    async with world.database.tenant(world.tenant_id) as connection:
        await findings.record(connection, world.tenant_id, [found])
    return Call(foreign=200, secret=("wamid.secret",))


FINDING_ROWS: dict[str, Row] = {"list_findings": _found}
