"""Calendars over HTTP: created, replaced, asked by flows, and kept as long as one asks them."""

from uuid import UUID

import httpx
import pytest
from sqlalchemy import select

from db.session import Database
from db.tables import outbox
from tests.api import flowing, scheduling, sending

QUIET = """
name: reminder
quiet_hours: {from: "21:00", to: "08:00", holidays: india, spread: 30m}
steps: [{wait: {next: "09:00", holidays: india}}, {send: hello}]
"""


async def test_a_calendar_is_created_replaced_and_removed(client: httpx.AsyncClient) -> None:
    created = await client.put("/v1/calendars/india", json={"days": ["2026-11-08", "08-15", "08-15"]})
    assert (created.status_code, created.headers["Location"]) == (201, "/v1/calendars/india")
    assert created.json()["days"] == ["08-15", "2026-11-08"]
    again = await client.put("/v1/calendars/india", json={"days": ["08-15", "2026-11-08"]})
    assert (again.status_code, again.headers["ETag"]) == (200, created.headers["ETag"])
    changed = await client.put("/v1/calendars/india", json={"days": ["08-15"], "description": "Bank holidays"})
    assert (changed.status_code, changed.json()["description"]) == (200, "Bank holidays")
    late = await client.put("/v1/calendars/india", json={"days": []}, headers={"If-Match": created.headers["ETag"]})
    assert late.status_code == 412
    assert [one["name"] for one in (await client.get("/v1/calendars")).json()["data"]] == ["india"]
    assert (await client.delete("/v1/calendars/india")).status_code == 204
    assert (await client.get("/v1/calendars/india")).status_code == 404
    assert (await client.delete("/v1/calendars/india")).status_code == 404
    actions = [one["action"] for one in (await client.get("/v1/audit?subject_type=calendar")).json()["data"]]
    assert actions == ["calendar.deleted", "calendar.replaced", "calendar.created"]


@pytest.mark.parametrize("days", [["2026-02-30"], ["13-01"], ["diwali"], ["2026"], None])
async def test_days_that_are_none_are_refused(client: httpx.AsyncClient, days: list[str] | None) -> None:
    refused = await client.put("/v1/calendars/india", json={"days": days})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"].startswith("/days")


async def test_a_flow_is_published_only_with_its_calendars_which_then_stay(client: httpx.AsyncClient) -> None:
    pushed = await client.put("/v1/flows/reminder", json={"definition": QUIET})
    assert pushed.status_code == 200
    refused = await client.post("/v1/flows/reminder/publish", json={"version": 1})
    assert refused.status_code == 422
    assert "'india', which is not there" in refused.json()["errors"][0]["detail"]
    await client.put("/v1/calendars/india", json={"days": ["08-15"]})
    assert (await client.post("/v1/flows/reminder/publish", json={"version": 1})).status_code == 200
    kept = await client.delete("/v1/calendars/india")
    assert (kept.status_code, "reminder" in kept.json()["detail"]) == (409, True)
    await client.put("/v1/flows/reminder", json={"definition": without_holidays(QUIET)})
    assert (await client.post("/v1/flows/reminder/publish", json={"version": 2})).status_code == 200
    assert (await client.delete("/v1/calendars/india")).status_code == 204


def without_holidays(text: str) -> str:
    return text.replace(", holidays: india", "")


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ('{from: "09:00", to: "09:00"}', "quiet always"),
        ('{from: "09:00"}', "`from` and `to`, or neither"),
        ("{mode: hold}", "or `holidays`"),
        ('{from: "21:00", to: "08:00", spread: 2d}', "at most 12h"),
        ('{from: "21:00", to: "08:00", spread: 1h, mode: skip}', "holds messages"),
    ],
)
async def test_quiet_hours_that_make_no_sense_are_refused(client: httpx.AsyncClient, rule: str, why: str) -> None:
    definition = f"name: reminder\nquiet_hours: {rule}\nsteps: [{{send: hello}}]"
    checked = (await client.post("/v1/flows/check", json={"definition": definition})).json()
    assert not checked["valid"]
    assert why in checked["faults"][0]["message"]


async def test_series_that_ask_a_calendar_look_again_when_it_changes(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID
) -> None:
    await sending.publish(client)
    await client.put("/v1/calendars/india", json={"days": []})
    await client.put("/v1/calendars/other", json={"days": []})
    await flowing.publish(client, QUIET)
    series_id = await flowing.start(client)

    async def woken() -> int:
        async with database.tenant(tenant_id) as connection:
            left = select(outbox.c.id).where(outbox.c.workflow_id == f"series/{series_id}", outbox.c.kind == "signal")
            return len((await connection.execute(left)).all())

    await client.put("/v1/calendars/other", json={"days": ["08-15"]})
    assert await woken() == 0
    await client.put("/v1/calendars/india", json={"days": ["08-15"]})
    assert await woken() == 1
    await client.put("/v1/calendars/india", json={"days": ["08-15"]})
    assert await woken() == 1


EXCEPT = {"cron": "0 9 * * *", "zone": "Asia/Kolkata", "except": {"calendars": ["india"]}}


async def words(database: Database) -> list[str]:
    """Returns the words to clocks that are on their way."""
    async with database.system() as connection:
        rows = await connection.execute(
            select(outbox.c.dedup_key).where(outbox.c.kind == "schedule").order_by(outbox.c.id)
        )
        return [key.split("/", 2)[2] for key in rows.scalars()]


async def test_a_schedule_leaves_out_the_days_of_a_calendar_which_changes_what_comes(
    client: httpx.AsyncClient, database: Database
) -> None:
    refused = await client.post("/v1/schedules", json=scheduling.body(spec=EXCEPT))
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/spec/except/calendars/0"
    await client.put("/v1/calendars/india", json={"days": []})
    made = await scheduling.make(client, spec=EXCEPT)
    assert made["spec"]["except"]["calendars"] == ["india"]
    first, second = (due["local"][:10] for due in made["next"][:2])
    changed = await client.put("/v1/calendars/india", json={"days": [first]})
    assert changed.status_code == 200
    found = (await client.get(f"/v1/schedules/{made['id']}")).json()
    assert found["next"][0]["local"][:10] == second
    assert found["next_at"] == found["next"][0]["at"]
    preview = (await client.post("/v1/schedules/preview", json={"spec": EXCEPT})).json()
    assert preview["next"][:5] == found["next"]
    assert await words(database) == ["version/1", "version/2"]


async def test_a_calendar_that_a_schedule_names_is_not_removed(client: httpx.AsyncClient) -> None:
    await client.put("/v1/calendars/india", json={"days": []})
    made = await scheduling.make(client, spec=EXCEPT)
    kept = await client.delete("/v1/calendars/india")
    assert (kept.status_code, "Schedules ask this calendar (daily)" in kept.json()["detail"]) == (409, True)
    replaced = await client.put(f"/v1/schedules/{made['id']}", json=scheduling.body())
    assert replaced.status_code == 200
    assert (await client.delete("/v1/calendars/india")).status_code == 204
    for path, verb in ((f"/v1/schedules/{made['id']}", "PUT"), ("/v1/schedules/preview", "POST")):
        sent = scheduling.body(spec=EXCEPT) if verb == "PUT" else {"spec": EXCEPT}
        assert (await client.request(verb, path, json=sent)).status_code == 422


async def test_a_calendar_of_every_day_leaves_nothing_to_come(client: httpx.AsyncClient) -> None:
    await client.put("/v1/calendars/india", json={"days": ["01-01"]})
    yearly = {**EXCEPT, "cron": "0 9 1 1 *"}
    await flowing.publish(client)
    refused = await client.post("/v1/schedules", json=scheduling.body(spec=yearly))
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/spec")


async def test_another_tenant_s_calendar_of_the_name_is_another_one(
    client: httpx.AsyncClient, other_client: httpx.AsyncClient
) -> None:
    await client.put("/v1/calendars/india", json={"days": []})
    made = await scheduling.make(client, spec=EXCEPT)
    first = made["next"][0]["local"][:10]
    await other_client.put("/v1/calendars/india", json={"days": [first]})
    assert (await client.get(f"/v1/schedules/{made['id']}")).json()["next"] == made["next"]
    assert (await other_client.delete("/v1/calendars/india")).status_code == 204
