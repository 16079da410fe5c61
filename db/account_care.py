"""How accounts fare: their health, their circuits, and what is parked because of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from db import circuits, health
from db.care_tables import circuit
from db.delivery_tables import notification
from db.health import AccountHealth
from db.tables import template, template_version
from domain.circuits import Circuit, CircuitState, template_of
from domain.reasons import Reason

MOST = 100_000
"""How many parked notifications one look counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Care:
    """How an account fares; without trouble there is neither a measurement nor a circuit."""

    health: AccountHealth | None = None
    circuit: Circuit | None = None
    parked: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A circuit that is not closed, of the account itself or of a template there.

    Attributes:
        template: The template's name, its version and the locale; None for the account itself.
    """

    circuit: Circuit
    template: tuple[str, int, str] | None


async def read(connection: AsyncConnection, tenant_id: UUID, account_ids: Sequence[UUID]) -> dict[UUID, Care]:
    """Returns how each account fares."""
    if not account_ids:
        return {}
    healths = await health.read(connection, tenant_id, account_ids)
    own = await circuits.of_accounts(connection, tenant_id, account_ids)
    parked = await _parked(connection, tenant_id, account_ids)
    return {
        account_id: Care(health=healths.get(account_id), circuit=own.get(account_id), parked=parked.get(account_id, 0))
        for account_id in account_ids
    }


async def parked_by_cause(connection: AsyncConnection, tenant_id: UUID, account_id: UUID) -> Mapping[Reason, int]:
    """Returns how many notifications are parked because of an account, by cause."""
    columns = notification.c
    found = (
        select(columns.parked_cause)
        .where(columns.tenant_id == tenant_id, columns.parked_at.is_not(None), columns.parked_account_id == account_id)
        .limit(MOST)
        .subquery()
    )
    query = select(found.c.parked_cause, func.count()).group_by(found.c.parked_cause).order_by(found.c.parked_cause)
    return {Reason(cause): count for cause, count in await connection.execute(query)}


async def troubles(connection: AsyncConnection, tenant_id: UUID, account_id: UUID) -> list[Trouble]:
    """Returns the circuits of an account and its templates that are not closed, the latest openings first."""
    query = (
        select(circuit.c.subject)
        .where(circuit.c.tenant_id == tenant_id, circuit.c.account_id == account_id)
        .where(circuit.c.state != CircuitState.CLOSED.value)
        .order_by(circuit.c.opened_at.desc(), circuit.c.id)
        .limit(200)
    )
    subjects = list((await connection.execute(query)).scalars())
    found = await circuits.read(connection, tenant_id, subjects)
    versions = [version for subject in subjects if (version := template_of(subject)) is not None]
    names = await _names(connection, tenant_id, versions)
    return [Trouble(circuit=found[subject], template=_template(subject, names)) for subject in subjects]


def _template(subject: str, names: Mapping[UUID, tuple[str, int]]) -> tuple[str, int, str] | None:
    version = template_of(subject)
    if version is None or version not in names:
        return None
    return (*names[version], subject.rpartition("/")[2])


async def _names(connection: AsyncConnection, tenant_id: UUID, versions: Sequence[UUID]) -> dict[UUID, tuple[str, int]]:
    on = (template.c.tenant_id == tenant_id) & (template.c.id == template_version.c.template_id)
    query = select(template_version.c.id, template.c.name, template_version.c.number).join(template, on)
    query = query.where(template_version.c.tenant_id == tenant_id, template_version.c.id.in_(versions))
    return {row.id: (row.name, row.number) for row in await connection.execute(query)}


async def _parked(connection: AsyncConnection, tenant_id: UUID, account_ids: Sequence[UUID]) -> Mapping[UUID, int]:
    columns = notification.c
    found = (
        select(columns.parked_account_id)
        .where(columns.tenant_id == tenant_id, columns.parked_at.is_not(None))
        .where(columns.parked_account_id.in_(account_ids))
        .limit(MOST)
        .subquery()
    )
    query = select(found.c.parked_account_id, func.count()).group_by(found.c.parked_account_id)
    return dict((await connection.execute(query)).all())
