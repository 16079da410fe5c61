"""A series on a clock that the test moves: the product's own looks, on a real database, when they ask for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from activities.links import Links
from activities.series import SeriesSteps
from activities.series_starting import begin
from api.flow_files import read
from db import flows, series, series_lists
from db.delivery_tables import notification
from db.flow_json import flow_document
from db.series import NewSeries, Series
from db.series_hearing import NewHearing, hear
from db.series_tables import series as series_table
from db.session import Database
from domain.durations import parse
from domain.flow_events import heard_events
from domain.flow_steps import Again, Flow
from domain.series import Pause, SeriesInput
from sealing import KeyRing

LINKS = Links(KeyRing({"test": b"k" * 32}), "https://example.com")
START = datetime(2026, 6, 1, 4, 30, tzinfo=UTC)  # 10:00 in Kolkata, a Monday
ASHA = {"to": "+919876543210", "to_kind": "phone"}


def after(length: str) -> datetime:
    """Returns an instant so long after the start."""
    span = parse(length)
    return START + timedelta(days=span.days) + span.exact


def defined(text: str) -> Flow:
    """Returns the flow that a text defines."""
    flow, wrong = read(text)
    assert flow is not None, wrong
    return flow


async def publish(database: Database, tenant_id: UUID, text: str) -> tuple[UUID, UUID]:
    """Publishes a definition, and returns its flow and its version."""
    flow = defined(text)
    async with database.tenant(tenant_id) as connection:
        stored = await flows.create(connection, tenant_id, flow.name)
        number = await flows.add_version(
            connection, tenant_id, stored, source=text, definition=flow_document(flow), starts_on=flow.on,
            hears=heard_events(flow),
        )  # fmt: skip
        await flows.change(connection, tenant_id, stored.id, published_number=number, status="active")
        version = await flows.version(connection, tenant_id, stored.id, number)
    assert version is not None
    return stored.id, version.id


@dataclass
class Clock:
    """One series, and the time that it believes in."""

    database: Database
    tenant_id: UUID
    series_id: UUID
    now: datetime = START
    pause: Pause = field(default_factory=Pause)

    async def look(self) -> Pause:
        """Looks once at the time that it is."""
        order = SeriesInput(tenant_id=str(self.tenant_id), series_id=str(self.series_id))
        self.pause = Pause(again=True)
        while self.pause.again:
            self.pause = await SeriesSteps(self.database, LINKS).advance(order, self.now)
        return self.pause

    async def until(self, moment: datetime | None = None) -> Pause:
        """Looks whenever the series asked to, until nothing is left to do by itself, or until `moment`."""
        await self.look()
        while self.pause.until is not None and (moment is None or self.pause.until <= moment):
            self.now = max(self.now, self.pause.until)
            await self.look()
        self.now = max(self.now, moment or self.now)
        return self.pause

    async def hears(self, kind: str, name: str | None = None, **data: Any) -> None:
        """Lets it hear something now."""
        news = NewHearing(
            series_id=self.series_id, cause=f"{kind}/{name}/{self.now}/{data}", kind=kind, name=name, at=self.now,
            data=data,
        )  # fmt: skip
        async with self.database.tenant(self.tenant_id) as connection:
            await hear(connection, self.tenant_id, [news])

    async def row(self) -> Series:
        """Returns the series as it stands."""
        async with self.database.tenant(self.tenant_id) as connection:
            found = await series.get(connection, self.tenant_id, self.series_id)
        assert found is not None
        return found

    async def change(self, **values: Any) -> None:
        """Changes its row."""
        async with self.database.tenant(self.tenant_id) as connection:
            await connection.execute(update(series_table).values(values))

    async def transcript(self, *kinds: str) -> list[tuple[str, str, str | None]]:
        """Returns what its timeline says, as `(how long after the start, what, at which step)`."""
        async with self.database.tenant(self.tenant_id) as connection:
            lines = await series_lists.timeline(connection, self.tenant_id, self.series_id, limit=500, before=None)
        wanted = [line for line in reversed(lines) if not kinds or line.kind in kinds]
        return [(str(line.at - START), line.kind, line.step) for line in wanted]

    async def sent(self) -> list[Mapping[str, Any]]:
        """Returns the notifications that it made, the first one first."""
        async with self.database.tenant(self.tenant_id) as connection:
            rows = await connection.execute(select(notification).order_by(notification.c.id))
            return [dict(row) for row in rows.mappings()]

    async def accepted(self, notification_id: UUID) -> None:
        """Lets a provider have taken a notification that it made."""
        async with self.database.tenant(self.tenant_id) as connection:
            taken = update(notification).where(notification.c.id == notification_id)
            await connection.execute(taken.values(accepted_at=datetime.now(UTC)))


async def started(database: Database, tenant_id: UUID, text: str, **values: Any) -> Clock:
    """Publishes a flow and starts a series of it at `START`."""
    flow_id, version_id = await publish(database, tenant_id, text)
    fields = {
        "key": None, "receiver_id": None, "zone": "Asia/Kolkata", "anchors": {}, "data": {"name": "Asha"}, "event": {},
        "resource_type": None, "resource_id": None, **ASHA, **values,
    }  # fmt: skip
    new = NewSeries(flow_id=flow_id, flow_version_id=version_id, **fields)
    async with database.tenant(tenant_id) as connection:
        begun = await begin(connection, tenant_id, new, flow=defined(text), again=Again.REUSE, now=START)
        assert begun.series_id is not None
        await series.change(connection, tenant_id, begun.series_id, started_at=START)
    return Clock(database, tenant_id, begun.series_id)
