"""How workers written in Python talk to the provider."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import orjson

_JSON = {"Content-Type": "application/json"}


class Sender:
    """Sends messages over connections that stay open."""

    def __init__(self, session: aiohttp.ClientSession, provider: str) -> None:
        self._session = session
        self._url = f"{provider}/messages"

    async def send(self, to: str, name: str) -> str:
        """Sends one message and returns the provider's id of it."""
        body = orjson.dumps({"to": to, "name": name})
        async with self._session.post(self._url, data=body, headers=_JSON) as answer:
            answer.raise_for_status()
            identifier: str = orjson.loads(await answer.read())["messages"][0]["id"]
            return identifier


@asynccontextmanager
async def sender(provider: str, *, connections: int) -> AsyncIterator[Sender]:
    """Yields a sender with at most so many connections."""
    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Sender(session, provider)
