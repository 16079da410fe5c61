"""What machines that watch the API see."""

import re

import httpx


async def test_the_process_says_that_it_is_alive(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_it_is_ready_at_the_newest_revision(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get("/readyz")
    assert answer.status_code == 200
    assert re.fullmatch(r"\d{4}", answer.json()["schema_revision"])
