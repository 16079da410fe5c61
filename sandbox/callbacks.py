"""Posts callbacks as Meta does: escaped JSON, signed on its bytes, tried again with growing delays.

Source: https://developers.facebook.com/docs/graph-api/webhooks/getting-started
"""

import asyncio
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import httpx
from httpx_aiohttp import HttpxAiohttpClient

from sandbox.behaviour import CallbackPolicy
from sandbox.journal import Journal

_CONNECTIONS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """One callback to post: where, signed with what, and the facts the journal keeps about it."""

    url: str
    secret: str
    payload: dict[str, Any]
    facts: dict[str, Any]


def serialised(payload: dict[str, Any]) -> bytes:
    """Returns the payload as Meta writes it: compact, non-ASCII as lower-case escapes, slashes escaped."""
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=True).replace("/", "\\/").encode("ascii")


def signature(secret: str, body: bytes) -> str:
    """Returns the value of the signature header for these very bytes."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


class Callbacks:
    """Sends callbacks and keeps at it; every try stands in the journal with its outcome."""

    def __init__(self, journal: Journal, policy: Callable[[], CallbackPolicy]) -> None:
        self._journal = journal
        self._policy = policy
        self._tasks: set[asyncio.Task[Any]] = set()
        # Requests that wait wait here: the client's own queue slows down with the square of its length.
        self._turns = asyncio.Semaphore(_CONNECTIONS)
        self._client = HttpxAiohttpClient(
            limits=httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS),
            follow_redirects=False,
            trust_env=False,
            headers={"User-Agent": "facebookexternalua", "Accept": "*/*", "Content-Type": "application/json"},
        )

    @property
    def pending(self) -> int:
        """Returns how much is still going to happen: statuses, retries, replies, bounces."""
        return len(self._tasks)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Runs work beside everything else until it ends or the sandbox closes."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def post(self, callback: Callback) -> bool:
        """Tries a callback once and tells whether it was taken; if not, further tries follow by themselves."""
        taken = await self._try(callback, 1)
        if not taken:
            self.spawn(self._keep_trying(callback))
        return taken

    async def handshake(self, url: str, verify_token: str) -> str | None:
        """Asks a callback address for the challenge; returns what is wrong with its answer, None if nothing is."""
        challenge = str(secrets.randbelow(10**10))
        query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": verify_token}
        try:
            answer = await self._client.get(url, params=query, timeout=self._policy().timeout)
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            return f"the callback URL could not be reached: {type(problem).__name__}"
        if answer.status_code != httpx.codes.OK:
            return f"the callback URL answered the handshake with HTTP {answer.status_code}"
        return None if answer.text.strip() == challenge else "the callback URL did not answer with the challenge"

    async def close(self) -> None:
        """Stops all tries; a new sandbox on the same journal takes them up again."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    async def _keep_trying(self, callback: Callback) -> None:
        for number, delay in enumerate(self._policy().retry_delays, 2):
            await asyncio.sleep(delay)
            if await self._try(callback, number):
                return
        self._note(callback, {"outcome": "given_up"})

    async def _try(self, callback: Callback, number: int) -> bool:
        body = serialised(callback.payload)
        headers = {"X-Hub-Signature-256": signature(callback.secret, body)}
        facts: dict[str, Any] = {"try": number}
        try:
            async with self._turns:
                answer = await self._client.post(
                    callback.url, content=body, headers=headers, timeout=self._policy().timeout
                )
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            self._note(callback, {**facts, "outcome": "unreachable", "error": type(problem).__name__})
            return False
        taken = answer.status_code == httpx.codes.OK
        outcome = "taken" if taken else "refused"
        self._note(callback, {**facts, "outcome": outcome, "http_status": answer.status_code})
        return taken

    def _note(self, callback: Callback, facts: dict[str, Any]) -> None:
        body = {"body": callback.payload} if facts.get("try") == 1 else {}
        self._journal.append(
            {"provider": "meta", "kind": "callback", **callback.facts, "url": callback.url, **facts, **body}
        )
