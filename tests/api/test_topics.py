"""Topics over HTTP: created, replaced, named by templates, and kept as long as one names them."""

import httpx
import pytest

NEWS = {"titles": {"en": "News", "hi": "समाचार"}, "default": "opted_out", "channels": ["email", "whatsapp"]}


async def test_a_topic_is_created_replaced_and_removed(client: httpx.AsyncClient) -> None:
    caps = [{"most": 3, "per": "7d", "channels": ["email"], "then": "delay"}, {"most": 9, "per": "31d"}]
    capped = await client.put("/v1/topics/capped", json={"caps": caps})
    assert capped.json()["caps"] == [caps[0], {**caps[1], "channels": [], "then": "skip"}]
    assert (await client.delete("/v1/topics/capped")).status_code == 204
    created = await client.put("/v1/topics/news", json=NEWS)
    assert (created.status_code, created.headers["Location"]) == (201, "/v1/topics/news")
    assert {name: created.json()[name] for name in NEWS} == NEWS
    again = await client.put("/v1/topics/news", json=NEWS)
    assert (again.status_code, again.headers["ETag"]) == (200, created.headers["ETag"])
    changed = await client.put("/v1/topics/news", json={"titles": {"en": "Letters"}})
    assert (changed.status_code, changed.json()["default"]) == (200, "opted_in")
    assert [one["name"] for one in (await client.get("/v1/topics")).json()["data"]] == ["news"]
    assert (await client.delete("/v1/topics/news")).status_code == 204
    assert (await client.get("/v1/topics/news")).status_code == 404


async def test_two_people_do_not_undo_each_other(client: httpx.AsyncClient) -> None:
    first = await client.put("/v1/topics/news", json=NEWS)
    await client.put("/v1/topics/news", json={})
    late = await client.put("/v1/topics/news", json=NEWS, headers={"If-Match": first.headers["ETag"]})
    assert (late.status_code, late.json()["type"]) == (412, "urn:carillon:problem:precondition-failed")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"transactional": True, "default": "opted_out"}, id="needs no consent, and needs it"),
        pytest.param({"titles": {"nonsense-!": "x"}}, id="no locale"),
        pytest.param({"channels": ["pigeon"]}, id="no channel"),
        pytest.param({"caps": [{"most": 0, "per": "1d"}]}, id="none at all"),
        pytest.param({"caps": [{"most": 1, "per": "P1M"}]}, id="a month is no exact time"),
        pytest.param({"caps": [{"most": 1, "per": "1d", "then": "hold"}]}, id="nothing that becomes of one too many"),
        pytest.param({"defualt": "opted_in"}, id="misspelt"),
    ],
)
async def test_a_topic_that_makes_no_sense_is_refused(client: httpx.AsyncClient, body: dict[str, object]) -> None:
    assert (await client.put("/v1/topics/news", json=body)).status_code == 422


async def test_a_template_names_a_topic_that_exists(client: httpx.AsyncClient) -> None:
    refused = await client.post("/v1/templates", json={"name": "weekly", "topic": "news"})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/topic")
    await client.put("/v1/topics/news", json=NEWS)
    made = await client.post("/v1/templates", json={"name": "weekly", "topic": "news"})
    assert (made.status_code, made.json()["topic"]) == (201, "news")
    kept = await client.delete("/v1/topics/news")
    assert (kept.status_code, "weekly" in kept.json()["detail"]) == (409, True)
    await client.patch("/v1/templates/weekly", json={"description": "Once a week"})
    assert (await client.get("/v1/templates/weekly")).json()["topic"] == "news"
    assert (await client.patch("/v1/templates/weekly", json={"topic": None})).json()["topic"] is None
    assert (await client.delete("/v1/topics/news")).status_code == 204


async def test_changes_of_topics_are_audited(client: httpx.AsyncClient) -> None:
    await client.put("/v1/topics/news", json=NEWS)
    await client.put("/v1/topics/news", json=NEWS)
    await client.put("/v1/topics/news", json={})
    await client.delete("/v1/topics/news")
    seen = (await client.get("/v1/audit", params={"subject_type": "topic"})).json()["data"]
    assert [entry["action"] for entry in seen] == ["topic.deleted", "topic.replaced", "topic.created"]
