"""The pages of series, flows, replies and schedules over rows whose every text is hostile."""

from uuid import UUID

from sqlalchemy import func, select

from api.flow_files import read
from db.care_tables import operation
from db.consent_tables import topic
from db.flow_json import flow_document
from db.schedule_tables import schedule, schedule_run
from db.series_tables import flow, flow_version, held_reply, series, series_entry
from db.session import Database
from tests import factories
from tests.api import flowing
from tests.api.reply_rows import says
from tests.api.scheduling import DAILY

NAME = "hostile"
FAR_OFF = "9999-12-31T23:59:00+00:00"  # clocks of zones to the east show a year that no calendar here has
_KINDS = (
    "started", "sent", "waiting", "heard", "timeout", "branch", "round", "until", "missed", "quiet", "skipped",
    "throttle", "updated", "called", "parked", "paused", "resumed", "changed", "taken_again", "migrated", "ended",
    "another",
)  # fmt: skip
_SEEN = "%3Cscript%3Ealert(1)%3C/script%3E"


async def hostile_places(database: Database, tenant_id: UUID, text: str) -> dict[str, str]:
    """Returns the addresses of the pages, by what they show."""
    version_id = await _flow(database, tenant_id, text)
    found = await _series(database, tenant_id, version_id, text)
    found |= await _replies(database, tenant_id, found["series"], text)
    found |= await _schedule(database, tenant_id, text)
    await factories.insert(
        database, tenant_id, topic, name="hostile", titles={"en": text}, description=text, default_state="opted_in"
    )
    flow_place = f"/console/flows/{NAME}"
    return {
        **found,
        "flows": "/console/flows",
        "flow": flow_place,
        "flow version": f"{flow_place}/versions/2",
        "publish": f"{flow_place}/versions/2/publish",
        "pause flow": f"{flow_place}/pause",
        "series list": f"/console/series?resource_type={_SEEN}",
        "no series": f"/console/series?key={_SEEN}",
        "many": "/console/series/many/stop",
        "replies": "/console/replies?state=all",
        "no replies": f"/console/replies?author={_SEEN}",
        "schedules": "/console/schedules",
        "no schedules": f"/console/schedules?name={_SEEN}",
        "topics": "/console/topics",
    }


async def _flow(database: Database, tenant_id: UUID, text: str) -> UUID:
    """Makes a flow of two versions, and returns the one that is live."""
    read_flow, _ = read(flowing.REMINDER)
    assert read_flow is not None
    said = {"definition": flow_document(read_flow), "source": f"# {text}\n{flowing.REMINDER}"}
    flow_id = await factories.insert(
        database, tenant_id, flow, name=NAME, title=text, status="active", published_number=1, newest_number=2
    )
    made = [
        await factories.insert(database, tenant_id, flow_version, flow_id=flow_id, number=number, **said)
        for number in (1, 2)
    ]
    return made[0]


async def _series(database: Database, tenant_id: UUID, version_id: UUID, text: str) -> dict[str, str]:
    async with database.tenant(tenant_id) as connection:
        flow_id = (await connection.execute(select(flow.c.id))).scalar_one()
    series_id = await factories.insert(
        database, tenant_id, series, flow_id=flow_id, flow_version_id=version_id, key=text, to=text,
        to_kind="recipient", anchors={text: FAR_OFF}, zone="Asia/Kolkata", data={text: [text]}, event={text: text},
        resource_type=text, resource_id=text, status="parked", reason=text, detail=text, step=text,
        wakes=[{"kind": "event", "name": text}], entries=len(_KINDS), state={"outcomes": {text: {text: text}}},
    )  # fmt: skip
    names = ("by", "reason", "detail", "step", "when", "heard", "name", "template", "status", "flow", "from", text)
    detail = {
        **dict.fromkeys(names, text),
        "case": 0,
        "judged": [{"when": text, "holds": True, "saw": {text: text}}],
        "anchors": {text: FAR_OFF},
        "until": FAR_OFF,
        "data": [text],
        "awaited": [text],
    }
    for number, kind in enumerate(_KINDS, 1):
        await factories.insert(
            database, tenant_id, series_entry, series_id=series_id, number=number, kind=kind, step=text,
            detail={**detail, "attributes": [text]}, at=func.now(),
        )  # fmt: skip
    operation_id = await factories.insert(
        database, tenant_id, operation, subject="series", kind="stop", rate=1, total=2, actor=text, reason=text,
        filter={"key": text},
    )  # fmt: skip
    place = f"/console/series/{series_id}"
    questions = {
        f"{kind} series": f"{place}/{kind}" for kind in ("pause", "resume", "skip", "run-again", "move", "stop")
    }
    return {"series": place, **questions, "operation of series": f"/console/operations/{operation_id}"}


async def _replies(database: Database, tenant_id: UUID, series_place: str, text: str) -> dict[str, str]:
    meant = [UUID(series_place.rpartition("/")[2])]
    found = {}
    for state, more in (("open", {}), ("dismissed", {"settled_by": text, "settled_reason": text})):
        said = await says(
            database, tenant_id, body=text, payload=text, author_name=text, author="+15550001111",
            provider_message_id=f"wamid.{state}",
        )  # fmt: skip
        held = await factories.insert(
            database, tenant_id, held_reply, inbound_message_id=said, reason="forged", candidates=meant, state=state,
            settled_at=func.now() if more else None, **more,
        )  # fmt: skip
        found[f"{state} reply"] = f"/console/replies/{held}"
    return found


async def _schedule(database: Database, tenant_id: UUID, text: str) -> dict[str, str]:
    schedule_id = await factories.insert(
        database, tenant_id, schedule, name=text, note=text, spec=DAILY, flow=text,
        action={"start": {"flow": text, "to": {"phone": text}}, "query": {text: text}},
    )  # fmt: skip
    await factories.insert(
        database, tenant_id, schedule_run, schedule_id=schedule_id, scheduled_at=func.now(), status="failed",
        error=text, refusals=[{"item": text, "detail": text}],
    )  # fmt: skip
    place = f"/console/schedules/{schedule_id}"
    return {"schedule": place, "trigger": f"{place}/trigger"}
