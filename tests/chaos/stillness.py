"""Waits, within bounds, until nothing moves any more: no row under way, no callback to come, no report unread."""

import asyncio

import asyncpg
import httpx

from tests.chaos.installation import Installation
from tests.chaos.mail_relay import MailRelay
from tests.chaos.recorder import Recorder

_BETWEEN_LOOKS = 0.5
_LOOKS = 3
"""How many looks in a row have to find everything still."""

_MOVING = """
SELECT (SELECT count(*) FROM notification WHERE ended_at IS NULL AND parked_at IS NULL) AS notifications,
       (SELECT count(*) FROM notification WHERE ended_at IS NULL AND parked_at IS NOT NULL) AS parked,
       (SELECT count(*) FROM attempt WHERE state = 'sending') AS attempts,
       (SELECT count(*) FROM outbox) AS "rows of the outbox",
       (SELECT count(*) FROM receipt AS r WHERE r.message_id IS NULL AND EXISTS (
           SELECT 1 FROM attempt AS a WHERE a.tenant_id = r.tenant_id
              AND (a.provider_message_id = r.provider_message_id OR a.reference = r.reference)
       )) AS "receipts without a home"
"""


async def until_nothing_moves(
    installation: Installation, http: httpx.AsyncClient, relay: MailRelay, recorder: Recorder, within: float
) -> list[str]:
    """Returns once nothing moves; after `within` seconds, what still does. Parked notifications may stay."""
    deadline = asyncio.get_running_loop().time() + within
    still, moving = 0, {"everything": 1}
    while still < _LOOKS:
        if asyncio.get_running_loop().time() > deadline:
            moving.pop("parked", None)
            return [f"after {within:.0f} s there still moved: {_listed(moving)}"] if moving else []
        moving = await _moving(installation, http, relay)
        recorder.note("moving", counts=moving)
        still = 0 if moving else still + 1
        await asyncio.sleep(_BETWEEN_LOOKS)
    return []


async def _moving(installation: Installation, http: httpx.AsyncClient, relay: MailRelay) -> dict[str, int]:
    try:
        counts = await _rows(installation.truth_dsn)
        health = await http.get(f"{installation.layout.sandbox_url}/healthz")
        counts["callbacks"] = int(health.json()["pending"])
    except (OSError, TimeoutError, asyncpg.PostgresError, httpx.HTTPError, ValueError) as problem:
        return {f"a part that does not answer ({type(problem).__name__})": 1}
    counts["bounces"] = relay.pending
    return {what: count for what, count in counts.items() if count}


async def _rows(dsn: str) -> dict[str, int]:
    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        return dict(await connection.fetchrow(_MOVING, timeout=5))
    finally:
        await connection.close(timeout=1)


def _listed(moving: dict[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in moving.items())
