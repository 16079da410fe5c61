"""Why somebody steered a series stands where people look afterwards: on its timeline and in the audit trail."""

from typing import Any

import httpx
import pytest

from tests.api import flowing


@pytest.mark.parametrize(
    ("way", "body", "kind"),
    [
        ("/pause", {}, "paused"),
        ("/skip", {}, "skipped"),
        ("/run-again", {"step": "second"}, "taken_again"),
        ("", {"data": {"name": "Ravi"}}, "changed"),
    ],
)
async def test_a_reason_is_kept_and_may_be_left_out(
    client: httpx.AsyncClient, way: str, body: dict[str, Any], kind: str
) -> None:
    await flowing.publish(client)
    for key, said in (("order-1", {"reason": "asked by phone"}), ("order-2", {})):
        place = f"/v1/series/{await flowing.start(client, key=key)}"
        answer = await client.request("POST" if way else "PATCH", f"{place}{way}", json=body | said)
        assert answer.status_code == 200, answer.text
        line = (await client.get(f"{place}/timeline")).json()["data"][0]
        entry = (await client.get("/v1/audit")).json()["data"][0]
        assert (line["kind"], entry["action"]) == (kind, f"series.{kind}")
        assert line["detail"].get("reason") == entry["detail"].get("reason") == said.get("reason")


async def test_a_series_is_resumed_and_a_flow_paused_with_a_reason(client: httpx.AsyncClient) -> None:
    await flowing.publish(client)
    place = f"/v1/series/{await flowing.start(client)}"
    await client.post(f"{place}/pause")
    await client.post(f"{place}/resume", json={"reason": "it was a mistake"})
    line = (await client.get(f"{place}/timeline")).json()["data"][0]
    assert (line["kind"], line["detail"]["from"], line["detail"]["reason"]) == ("resumed", "paused", "it was a mistake")
    await client.patch("/v1/flows/reminder", json={"status": "paused", "reason": "the shop is closed"})
    entry = (await client.get("/v1/audit")).json()["data"][0]
    assert (entry["action"], entry["detail"]["reason"]) == ("flow.paused", "the shop is closed")


async def test_what_is_still_to_come_names_the_zone(client: httpx.AsyncClient) -> None:
    await flowing.publish(client)
    place = f"/v1/series/{await flowing.start(client, zone='Asia/Kolkata')}"
    assert (await client.get(f"{place}/upcoming")).json()["zone"] == "Asia/Kolkata"
    await client.post(f"{place}/stop")
    assert (await client.get(f"{place}/upcoming")).json() == {"zone": None, "entries": []}
