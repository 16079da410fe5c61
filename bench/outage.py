"""A provider that is down while messages keep coming: what becomes of each? Run `python -m bench.outage`.

Most messages have all the time in the world, some expire before the provider is back, some have e-mail as the next
channel. Printed: how each ended, what was lost or doubled, how many attempts were burnt, and how long it took.
"""

import asyncio
import os
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.message import Message
from typing import Any

import asyncpg
from aiosmtpd.handlers import AsyncMessage
from aiosmtpd.smtp import SMTP

from bench.ground import Ground, ground, until
from stack.ports import any_free

COUNT = int(os.environ.get("OUTAGE_COUNT", "20000"))
RATE = int(os.environ.get("OUTAGE_RATE", "200"))
PATIENCE = 30.0
RECIPIENTS = 100


class Mailbox(AsyncMessage):
    """A mail server that takes everything."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port
        self.taken: Counter[str] = Counter()

    async def handle_message(self, message: Message) -> None:
        """Takes a mail; aiosmtpd names its recipients in a header of its own."""
        self.taken[message["X-RcptTo"]] += 1

    async def serve(self) -> asyncio.Server:
        """Listens."""
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: SMTP(self, enable_SMTPUTF8=True), "127.0.0.1", self.port)


async def main() -> None:
    """Runs the outage and prints what became of everything."""
    async with ground(workers=1, CARILLON_PROVIDER_HOSTS="127.0.0.1") as place:
        mailbox = Mailbox(any_free())
        server = await mailbox.serve()
        await _prepare(place, mailbox)
        await place.provider.off()
        began = time.perf_counter()
        await _accept(place)
        accepted = time.perf_counter()
        print(f"{COUNT} accepted in {accepted - began:.0f} s while the provider is down")
        database = await asyncpg.connect(place.postgres.dsn)
        await database.execute("SELECT set_config('role', 'carillon_system', false)")
        await until(lambda: _settled(database), within=3600, pause=2)
        burnt = await database.fetchval("SELECT count(*) FROM attempt")
        print(f"all parked, expired or fallen back after {time.perf_counter() - began:.0f} s; {burnt} attempts so far")
        await place.provider.on()
        healed = time.perf_counter()
        await until(lambda: _ended(database), within=3600, pause=2)
        await _report(place, database, mailbox, time.perf_counter() - healed)
        await database.close()
        server.close()


async def _prepare(place: Ground, mailbox: Mailbox) -> None:
    config = {
        "host": "127.0.0.1",
        "port": mailbox.port,
        "security": "none",
        "from_address": "hello@carillon.example",
        "return_path_domain": "bounces.carillon.example",
        "verp_key": "v" * 32,
    }
    made = await _call(place, "POST", "/v1/accounts", {"name": "mail", "provider": "smtp", "config": config})
    await _call(place, "POST", f"/v1/accounts/{made['id']}/verify", None)
    for account in (await _call(place, "GET", "/v1/accounts", None))["data"]:
        limits = {"rate": RATE, "burst": RATE, "pair_seconds": 0.01, "pair_burst": 1000}
        await _call(place, "PATCH", f"/v1/accounts/{account['id']}", {"limits": limits})
    await _call(place, "POST", "/v1/templates", {"name": "both", "channels": ["whatsapp", "email"]})
    parts = [
        {
            "channel": "whatsapp",
            "locale": "default",
            "content": {"kind": "template", "name": "hello_v1", "language": "en", "body": ["{{ name }}"]},
        },
        {"channel": "email", "locale": "default", "content": {"subject": "Hello", "text": "Dear {{ name }}"}},
    ]
    version = {"parts": parts, "variables": [{"name": "name"}]}
    number = (await _call(place, "POST", "/v1/templates/both/versions", version))["number"]
    await _call(place, "POST", f"/v1/templates/both/versions/{number}/publish", None)
    for one in range(RECIPIENTS):
        addresses = [
            {"kind": "phone", "value": f"+1556{one:07d}"},
            {"kind": "email", "value": f"r{one}@example.com"},
        ]
        await _call(place, "PUT", f"/v1/recipients/r{one}", {"addresses": addresses})


async def _call(place: Ground, method: str, path: str, body: Any) -> Any:
    answer = await place.api.request(method, path, json=body)
    if answer.is_error:
        raise SystemExit(f"{method} {path} answered {answer.status_code}: {answer.text}")
    return answer.json() if answer.content else None


async def _accept(place: Ground) -> None:
    tenth = COUNT // 10
    await place.accept(0, COUNT - 2 * tenth)
    soon = (datetime.now(UTC) + timedelta(seconds=60)).isoformat()
    await place.accept(1_000_000, tenth, expires_at=soon)
    for start in range(0, tenth, 500):
        items = [
            {
                "to": {"recipient": f"r{one % RECIPIENTS}"},
                "template": "both",
                "data": {"name": "Asha"},
                "fallback": {"whatsapp": {"within": PATIENCE}},
                "idempotency_key": f"{place.run}-both-{one}",
            }
            for one in range(start, min(start + 500, tenth))
        ]
        await _call(place, "POST", "/v1/notifications/bulk", {"items": items})


async def _settled(database: asyncpg.Connection) -> bool:
    """Tells whether nothing moves any more: each is parked for good, or has ended."""
    moving: int = await database.fetchval(
        "SELECT count(*) FROM notification WHERE ended_at IS NULL"
        " AND (parked_at IS NULL OR expires_at IS NOT NULL OR template = 'both')"
    )
    return int(moving) == 0


async def _ended(database: asyncpg.Connection) -> bool:
    left: int = await database.fetchval("SELECT count(*) FROM notification WHERE ended_at IS NULL")
    return int(left) == 0


async def _report(place: Ground, database: asyncpg.Connection, mailbox: Mailbox, seconds: float) -> None:
    rows = await database.fetch("SELECT status, channel, count(*) AS n FROM notification GROUP BY 1, 2 ORDER BY 3 DESC")
    ends = {(row["status"], row["channel"]): row["n"] for row in rows}
    sent = sum(n for (status, channel), n in ends.items() if status == "accepted" and channel == "whatsapp")
    mailed = sum(n for (status, channel), n in ends.items() if status == "accepted" and channel == "email")
    expired = sum(n for (status, _), n in ends.items() if status == "expired")
    unknown = sum(n for (status, _), n in ends.items() if status == "unknown")
    seen = await place.provider.seen()
    took = seen["messages"] + seen["twice"]
    print(f"after the provider came back: {seconds:.0f} s ({sent / seconds:.0f}/s)")
    print(f"  sent by WhatsApp     {sent:6d}   the provider took {took}")
    print(f"  fell back to e-mail  {mailed:6d}   the mail server took {mailbox.taken.total()}")
    print(f"  expired              {expired:6d}")
    print(f"  unknown              {unknown:6d}")
    print(f"  otherwise            {COUNT - sent - mailed - expired - unknown:6d}   {ends}")
    lost = COUNT - sum(ends.values())
    doubled = took - sent + mailbox.taken.total() - mailed
    print(f"  lost {lost}, doubled {doubled}")


if __name__ == "__main__":
    asyncio.run(main())
