"""Many series of a flow at once: where they wait, over to another version, and stopped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.json import encode
from domain.notifications import LANES, Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where series go on in another version, and what wakes them there."""

    step: str | None
    place: int
    wakes: Sequence[Mapping[str, str | None]]


# By the versions, since the index of those that are not over is of (tenant, version, step).
_WAITING = text("""
SELECT v.number AS version, s.step, s.count
FROM (
    SELECT flow_version_id, step, count(*) AS count FROM series
    WHERE tenant_id = :tenant AND ended_at IS NULL AND flow_version_id = ANY(
        ARRAY(SELECT id FROM flow_version WHERE tenant_id = :tenant AND flow_id = :flow)
    )
    GROUP BY flow_version_id, step
) AS s JOIN flow_version AS v ON v.tenant_id = :tenant AND v.id = s.flow_version_id
ORDER BY v.number, s.step NULLS FIRST
""")
_PARKED = text("""
SELECT reason, count(*) AS count FROM (SELECT reason FROM series WHERE status = 'parked' LIMIT :most) AS listed
GROUP BY reason
""")
# One walk along the index of (tenant, flow, status, id) for each, never longer than what is shown.
_COUNTS = text("""
SELECT f.id, s.status, (
    SELECT count(*) FROM (
        SELECT FROM series AS c WHERE c.tenant_id = :tenant AND c.flow_id = f.id AND c.status = s.status LIMIT :most
    ) AS counted
) AS total
FROM unnest(CAST(:flows AS uuid[])) AS f(id), unnest(ARRAY['running', 'paused', 'parked']) AS s(status)
""")

# The rows are locked in the order of their ids, as by all who lock several series. What a step came to goes with it: a
# question that is open counts on, a repetition does not begin anew, a digest takes nothing twice. That also holds for
# steps at which it does not stand and that are called otherwise now, unless the new name has something of its own.
_MIGRATE = text("""
WITH meant AS MATERIALIZED (
    SELECT id, step FROM series
    WHERE tenant_id = :tenant AND flow_id = :flow AND ended_at IS NULL AND flow_version_id <> :version
    ORDER BY id FOR NO KEY UPDATE
), moved AS (
    UPDATE series AS s SET flow_version_id = :version, updated_at = now(), entries = s.entries + 1,
           place = coalesce(told.place, CASE WHEN s.step IS NULL AND s.place > 0
                                             THEN CAST(:behind AS integer) ELSE s.place END),
           step = coalesce(told.target, s.step),
           wakes = CAST(coalesce(told.wakes, CASE WHEN s.place = 0 THEN CAST(:first AS text) ELSE :last END) AS jsonb),
           state = coalesce((
               SELECT jsonb_object_agg(part.key, CASE
                   WHEN part.key IN ('outcomes', 'rounds', 'digested') THEN coalesce((
                       SELECT jsonb_object_agg(
                           CASE WHEN of_step.key = meant.step THEN coalesce(told.target, of_step.key)
                                ELSE coalesce(renamed.names ->> of_step.key, of_step.key) END, of_step.value
                           -- The last of one name stands.
                           ORDER BY of_step.key IS NOT DISTINCT FROM meant.step, NOT renamed.names ? of_step.key)
                       FROM jsonb_each(part.value) AS of_step), '{}')
                   ELSE part.value END)
               FROM jsonb_each(s.state) AS part
           ), s.state) || CASE WHEN told.target = meant.step OR told.target IS NULL THEN '{}'
                               ELSE jsonb_build_object('asked_as', coalesce(s.state ->> 'asked_as', meant.step)) END
    FROM meant LEFT JOIN unnest(CAST(:steps AS text[]), CAST(:targets AS text[]), CAST(:places AS integer[]),
                                CAST(:wakes AS text[]))
                         AS told(step, target, place, wakes) ON told.step = meant.step
    CROSS JOIN (SELECT CAST(:renamed AS jsonb) AS names) AS renamed
    WHERE s.tenant_id = :tenant AND s.id = meant.id
    RETURNING s.id, s.entries, s.step
), noted AS (
    INSERT INTO series_entry (tenant_id, id, series_id, number, kind, step, detail, at)
    SELECT :tenant, gen_random_uuid(), id, entries, 'migrated', step, '{}', now() FROM moved
)
INSERT INTO outbox (tenant_id, id, lane, kind, workflow_id, dedup_key, payload)
SELECT :tenant, gen_random_uuid(), :lane, 'signal', 'series/' || id,
       'signal/series/' || id || '/migrated/' || entries, '{"signal": "woken", "arguments": []}'
FROM moved ON CONFLICT DO NOTHING
""")
_STOP = text("""
WITH meant AS MATERIALIZED (
    SELECT id FROM series
    WHERE tenant_id = :tenant AND flow_id = :flow AND ended_at IS NULL AND flow_version_id <> :version
    ORDER BY id FOR NO KEY UPDATE
), stopped AS (
    UPDATE series AS s SET status = 'stopped', reason = 'version_replaced', ended_at = now(), next_at = NULL,
           wakes = '[]', updated_at = now(), entries = s.entries + 1
    FROM meant WHERE s.tenant_id = :tenant AND s.id = meant.id
    RETURNING s.id, s.entries
), noted AS (
    INSERT INTO series_entry (tenant_id, id, series_id, number, kind, detail, at)
    SELECT :tenant, gen_random_uuid(), id, entries, 'ended',
           '{"status": "stopped", "reason": "version_replaced"}', now() FROM stopped
)
INSERT INTO outbox (tenant_id, id, lane, kind, workflow_id, dedup_key, payload)
SELECT :tenant, gen_random_uuid(), :lane, 'signal', 'series/' || id, 'signal/series/' || id || '/stopped',
       '{"signal": "woken", "arguments": []}'
FROM stopped ON CONFLICT DO NOTHING
""")


async def parked_by_cause(connection: AsyncConnection, *, most: int) -> Mapping[str, int]:
    """Returns how many series of all tenants are parked for each cause, looking at `most` of them."""
    rows: Any = await connection.execute(_PARKED, {"most": most})
    return {row.reason: row.count for row in rows}


async def waiting(connection: AsyncConnection, tenant_id: UUID, flow_id: UUID) -> Sequence[Any]:
    """Returns how many series that are not over stand at which step, as rows of version, step and count."""
    return (await connection.execute(_WAITING, {"tenant": tenant_id, "flow": flow_id})).all()


async def count_by_status(
    connection: AsyncConnection, tenant_id: UUID, flow_ids: Sequence[UUID], *, most: int
) -> Mapping[UUID, Mapping[str, int]]:
    """Returns how many series of each flow run, are paused and are parked, none of them counted beyond `most`."""
    asked = {"tenant": tenant_id, "flows": list(flow_ids), "most": most}
    found: dict[UUID, dict[str, int]] = {flow_id: {} for flow_id in flow_ids}
    for row in await connection.execute(_COUNTS, asked):
        found[row.id][row.status] = row.total
    return found


async def migrate(
    connection: AsyncConnection,
    tenant_id: UUID,
    flow_id: UUID,
    version_id: UUID,
    places: Mapping[str, Destination],
    *,
    renamed: Mapping[str, str],
    first: Destination,
    behind: Destination,
) -> None:
    """Lets all series of other versions go on by this one, each where its step is given a place, and wakes them.

    One that stands at no step has not begun, and does so at the `first`, or has taken its last one: it goes `behind`
    the last one of this version. What came of steps that are `renamed` goes by their new names.
    """
    given = list(places.values())
    asked = {
        "tenant": tenant_id, "flow": flow_id, "version": version_id, "lane": LANES[Lane.BULK], "steps": list(places),
        "renamed": encode(dict(renamed)),
        "targets": [one.step for one in given], "places": [one.place for one in given],
        "wakes": [encode(list(one.wakes)) for one in given],
        "behind": behind.place, "first": encode(list(first.wakes)), "last": encode(list(behind.wakes)),
    }  # fmt: skip
    await connection.execute(_MIGRATE, asked)


async def stop_other_versions(connection: AsyncConnection, tenant_id: UUID, flow_id: UUID, version_id: UUID) -> None:
    """Stops all series of other versions, and wakes them: each takes back what it handed over and was not sent."""
    asked = {"tenant": tenant_id, "flow": flow_id, "version": version_id, "lane": LANES[Lane.BULK]}
    await connection.execute(_STOP, asked)
