"""How many of WhatsApp's callbacks can be taken, and how long does one wait, beside a bare route that stores a row?

Each is signed and tells one status (`sent`, later `delivered`) of a message that really was handed over, as WhatsApp
would. Meanwhile the workers are stopped (SIGSTOP).
"""

import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Sequence

import asyncpg

from bench.beside import COUNT, ROUNDS, SECONDS, compare, database_of, paused_workers, post
from bench.figures import Figure
from bench.ground import APP_SECRET, Ground, until
from bench.load import session
from bench.provider import NUMBER_ID

RATE = 200.0
_STATUSES = ("sent", "delivered")
_FIRST = 4_000_000
_SPARE = 500  # for the warm-up


async def measure(place: Ground) -> list[Figure]:
    """Returns requests per second and waits of the route for callbacks and of the bare route."""
    per_round = COUNT + int(RATE * SECONDS)
    messages = await _delivered(place, (ROUNDS * per_round + _SPARE) // len(_STATUSES) + 1)
    numbers = itertools.count()
    async with database_of(place) as database:
        tenant = await database.fetchval("SELECT id FROM tenant WHERE name = 'bench'")
    async with session(str(place.api.base_url)) as http:

        async def call_back(number: int) -> None:
            # The bare route takes half of all numbers, and each message's second status comes long after its first.
            turn, index = divmod(number, len(messages))
            body = _status(messages[index], _STATUSES[turn % len(_STATUSES)])
            await post(http, f"/api/webhooks/meta/{tenant}", 200, data=body, headers=_signed(body))

        with paused_workers(place):
            return await compare(
                place, "callbacks", call_back, rate=RATE, aim="at most 250", numbers=lambda: next(numbers)
            )


async def _delivered(place: Ground, count: int) -> Sequence[asyncpg.Record]:
    """Has `count` messages sent by the workers, and returns what the provider and we call them."""
    await place.provider.forget()
    await place.accept(_FIRST, count)
    await place.provider.wait(count, within=170)
    async with database_of(place) as database:

        async def recorded() -> bool:
            return len(await database.fetch(_OURS)) >= count

        await until(recorded, within=30, pause=0.5)
        found: Sequence[asyncpg.Record] = await database.fetch(_OURS)
    return found


_OURS = f"""
SELECT a.provider_message_id AS id, a.reference, m.address
FROM attempt AS a JOIN message AS m ON m.tenant_id = a.tenant_id AND m.id = a.message_id
WHERE a.provider_message_id IS NOT NULL AND m.address BETWEEN '+1555{_FIRST}' AND '+1555{_FIRST + 999_999}'
"""  # noqa: S608 - made of our own numbers


def _status(message: asyncpg.Record, word: str) -> bytes:
    told = {
        "id": message["id"],
        "status": word,
        "timestamp": str(int(time.time())),
        "recipient_id": message["address"].lstrip("+"),
        "biz_opaque_callback_data": message["reference"],
    }
    metadata = {"display_phone_number": "15550783881", "phone_number_id": NUMBER_ID}
    value = {"messaging_product": "whatsapp", "metadata": metadata, "statuses": [told]}
    entry = {"id": "102290129340398", "changes": [{"field": "messages", "value": value}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


def _signed(body: bytes) -> dict[str, str]:
    digest = hmac.new(APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={digest}", "Content-Type": "application/json"}
