"""An account whose circuit is open, for tests of who looks after it."""

import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from activities.accounts import AccountProviders
from activities.outages import Outages
from db import circuits
from db.care_tables import circuit, operation
from db.session import Database
from db.tables import outbox
from domain.circuits import CircuitState, News, account_subject
from domain.outages import Look, OutageInput, ReleaseOrder
from domain.reasons import Reason
from sealing import KeyRing
from tests.activities.test_delivery import CONFIG
from tests.factories import make_account, make_notification, make_version

NOW = datetime(2026, 7, 14, 9, tzinfo=UTC)
DUE = NOW + timedelta(seconds=5)


@dataclass
class Ground:
    """A tenant with an account, a template, and a circuit that opened at `NOW`."""

    database: Database
    tenant_id: UUID
    account_id: UUID
    version_id: UUID
    key_ring: KeyRing
    now: datetime = NOW
    circuit_id: UUID = field(default_factory=lambda: UUID(int=0))

    @property
    def outages(self) -> Outages:
        hosts = frozenset({"127.0.0.1"})
        return Outages(self.database, AccountProviders(self.key_ring), allowed_hosts=hosts, now=lambda: self.now)

    async def note(self, *troubles: Reason | None, subject: str | None = None, at: datetime | None = None) -> None:
        about = subject or account_subject(self.account_id)
        news = [News(subject=about, account_id=self.account_id, trouble=one, at=at or self.now) for one in troubles]
        async with self.database.tenant(self.tenant_id) as connection:
            await circuits.note(connection, self.tenant_id, news)
            query = select(circuit.c.id).where(circuit.c.subject == about)
            self.circuit_id = (await connection.execute(query)).scalar_one()

    async def parked(self, cause: Reason = Reason.PROVIDER_UNAVAILABLE, **values: Any) -> UUID:
        fields = {"parked_at": NOW, "parked_cause": cause.value, "parked_account_id": self.account_id, **values}
        version_id = fields.pop("version_id", self.version_id)
        return await make_notification(
            self.database, self.tenant_id, version_id, to="asha@example.org", to_kind="email", **fields
        )

    async def probe(self, now: datetime, cursor: UUID | None = None, *, episode: int = 1, misses: int = 0) -> Look:
        self.now = now
        order = OutageInput(
            tenant_id=str(self.tenant_id),
            circuit_id=str(self.circuit_id),
            episode=episode,
            cursor=str(cursor) if cursor else None,
            misses=misses,
        )
        return await self.outages.probe(order)

    async def release(self, *, parked_after: datetime | None = None, episode: int = 1) -> int:
        order = ReleaseOrder(
            tenant_id=str(self.tenant_id), circuit_id=str(self.circuit_id), episode=episode, parked_after=parked_after
        )
        return await self.outages.release(order)

    async def resumed(self) -> list[UUID]:
        async with self.database.tenant(self.tenant_id) as connection:
            rows = await connection.execute(select(outbox).where(outbox.c.kind == "signal").order_by(outbox.c.id))
        signals = [row for row in rows.mappings() if row["payload"]["signal"] == "resume"]
        return [UUID(row["workflow_id"].removeprefix("notification/")) for row in signals]

    async def state(self) -> CircuitState:
        async with self.database.tenant(self.tenant_id) as connection:
            found = await circuits.get(connection, self.tenant_id, self.circuit_id)
        assert found is not None
        return found.circuit.state

    async def operations(self) -> list[tuple[str, dict[str, Any], int, str]]:
        async with self.database.tenant(self.tenant_id) as connection:
            rows = await connection.execute(select(operation).order_by(operation.c.id))
        return [(row["kind"], row["filter"], row["rate"], row["actor"]) for row in rows.mappings()]

    async def another_account(self, **values: Any) -> UUID:
        return await make_account(
            self.database, self.tenant_id, self.key_ring, provider="smtp", channel="email", config={}, **values
        )


def config(port: int) -> dict[str, Any]:
    return CONFIG | {"port": port}


def silent_port() -> int:
    """A port at which nobody answers."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


async def opened(database: Database, tenant_id: UUID, key_ring: KeyRing) -> Ground:
    """Returns a ground whose provider does not answer."""
    account_id = await make_account(
        database, tenant_id, key_ring, provider="smtp", channel="email", config=config(silent_port())
    )
    version_id = await make_version(database, tenant_id)
    made = Ground(database, tenant_id, account_id, version_id, key_ring)
    await made.note(*[Reason.UNAVAILABLE] * 5)
    return made
