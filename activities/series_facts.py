"""A series as its next decision sees it: its state, and the event, the recipient and the data as they are now."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db import calendars, series, series_steps
from db.asked_consents import standing_consents
from db.flow_json import state_of
from db.json import plain
from db.series import Series
from db.series_steps import Receiver
from domain.flow_needs import calendars_of, questions_of
from domain.flow_state import SeriesState
from domain.flow_steps import Flow


async def state_of_series(connection: AsyncConnection, tenant_id: UUID, row: Series, flow: Flow) -> SeriesState:
    """Returns the state of a stored series; the recipient, calendars and consent count as they are now."""
    receiver = await series_steps.receiver(connection, tenant_id, row.receiver_id)
    return state_of(
        {"entered_at": row.started_at.isoformat(), **plain(dict(row.state))},
        started_at=row.started_at,
        # Whose clock counts: what the start said, else the recipient's.
        zone=row.zone or (receiver.zone if receiver else None) or "UTC",
        calendars=await calendars.holidays(connection, tenant_id, calendars_of(flow)),
        consents=await standing_consents(connection, tenant_id, row, questions_of(flow)),
        place=row.place,
        anchors={name: datetime.fromisoformat(text) for name, text in row.anchors.items()},
        facts=facts_of(row, receiver),
        heard=await series.hearings(connection, tenant_id, row.id),
    )


def facts_of(row: Series, receiver: Receiver | None) -> Mapping[str, Any]:
    """Returns what the conditions and texts of a series see; numbers are those that CEL knows."""
    about = {"id": str(row.id), "key": row.key, "flow": row.flow, "anchors": dict(row.anchors)}
    return {
        "event": plain(dict(row.event)),
        "recipient": person(row.to, receiver),
        "series": about,
        "data": plain(dict(row.data)),
    }


def facts_with_outcomes(state: SeriesState) -> Mapping[str, Any]:
    """Returns the facts of a state with what came of its steps and what it heard."""
    heard = [{"kind": one.kind, "name": one.name, "data": dict(one.data)} for one in state.heard]
    return {**state.facts, "outcomes": dict(state.outcomes), "heard": heard}


def person(to: str, receiver: Receiver | None) -> dict[str, Any]:
    """Returns what conditions see of a recipient; of an address that nobody has, only itself."""
    if receiver is None:
        return {"id": to, "name": None, "locale": None, "zone": None, "attributes": {}}
    return {
        "id": receiver.external_id,
        "name": receiver.name,
        "locale": receiver.locale,
        "zone": receiver.zone,
        "attributes": plain(dict(receiver.attributes)),
    }
