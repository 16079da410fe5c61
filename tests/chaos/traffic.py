"""Services that use the API: they ask, repeat what failed under the same key, cancel, and read; all of it recorded."""

import asyncio
import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.chaos.recorder import Recorder, now
from tests.chaos.schedule import Ask
from tests.chaos.tenants import TEMPLATE, Tenant

_AGAIN = {408, 409, 425, 429, 500, 502, 503, 504}
"""Answers after which the same request is made again; of 409 only what says that it is still at work."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 3.0
_AT_ONCE = 32
"""Requests under way; others wait here, since the client's own queue slows down with the square of its length."""
_BETWEEN_READS = 0.1
_WATCHED_SHARE = 3


class Traffic:
    """Everybody who talks to the API in a campaign."""

    def __init__(self, http: httpx.AsyncClient, tenants: Sequence[Tenant], recorder: Recorder) -> None:
        self._http = http
        self._tenants = tenants
        self._recorder = recorder
        self._began = 0.0
        self._patience_ends = float("inf")
        self._ids: dict[int, str] = {}
        self._answered: set[int] = set()
        self._watched: list[tuple[Tenant, str]] = []
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def run(self, asks: Sequence[Ask]) -> None:
        """Makes all requests in their time, and returns once each has its answer or was given up."""
        self._began = asyncio.get_running_loop().time()
        single = [self._single(ask) for ask in asks if ask.bulk is None]
        batched = itertools.groupby((ask for ask in asks if ask.bulk is not None), key=lambda ask: ask.bulk)
        bulks = [self._bulk(list(batch)) for _, batch in batched]
        cancellations = [self.cancel(ask) for ask in asks if ask.cancel_after is not None]
        await asyncio.gather(*single, *bulks, *cancellations)

    async def watch(self, pause: float = _BETWEEN_READS) -> None:
        """Reads the statuses of some notifications, one after the other, until it is cancelled."""
        for turn in itertools.count():
            await asyncio.sleep(pause)
            if self._watched:
                tenant, name = self._watched[turn % len(self._watched)]
                await self._read(tenant, name)

    async def pry(self) -> None:
        """Lets every tenant ask for notifications of the next one; the answers must show nothing."""
        for place, tenant in enumerate(self._tenants):
            other = self._tenants[(place + 1) % len(self._tenants)]
            theirs = [name for owner, name in self._watched if owner is other][:5]
            for name in theirs:
                answer = await self._get(tenant, f"/v1/notifications/{name}")
                status = None if answer is None else answer.status_code
                self._recorder.note("pry", tenant=tenant.id, owner=other.id, id=name, status=status)

    def give_up_after(self, seconds: float) -> None:
        """Lets requests that got no answer be repeated for so many seconds more."""
        self._patience_ends = asyncio.get_running_loop().time() + seconds

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, self._began + at - asyncio.get_running_loop().time()))

    async def _single(self, ask: Ask) -> None:
        await self._until(ask.at)
        body = _body(ask, self._tenants[ask.tenant])
        await asyncio.gather(*(self._send(ask, body) for _ in range(ask.repeats)))
        if ask.other_body:
            await self._send(ask, {**body, "data": {**body["data"], "order": f"{ask.key}-other"}}, other=True)

    async def _send(self, ask: Ask, body: dict[str, Any], *, other: bool = False) -> None:
        tenant = self._tenants[ask.tenant]
        facts = {"tenant": tenant.id, "key": ask.key, "other": other}
        headers = {"Idempotency-Key": ask.key}
        answer = await self._persist("send", tenant, "/v1/notifications", body, facts, headers)
        if answer is not None and answer.status_code == httpx.codes.ACCEPTED and not other:
            self._remember(ask, answer.json()["id"])
        self._answered.add(ask.number)

    async def _bulk(self, asks: Sequence[Ask]) -> None:
        await self._until(asks[0].at)
        tenant = self._tenants[asks[0].tenant]
        items = [{**_body(ask, tenant), "idempotency_key": ask.key} for ask in asks]
        facts = {"tenant": tenant.id, "keys": [ask.key for ask in asks]}
        answer = await self._persist("bulk", tenant, "/v1/notifications/bulk", {"items": items}, facts)
        if answer is not None and answer.status_code == httpx.codes.OK:
            for ask, result in zip(asks, answer.json()["results"], strict=True):
                if result["id"] is not None:
                    self._remember(ask, result["id"])
        self._answered.update(ask.number for ask in asks)

    async def cancel(self, ask: Ask) -> None:
        """Cancels what was asked for, in its time, and returns once that has its answer or was given up."""
        tenant = self._tenants[ask.tenant]
        facts = {"tenant": tenant.id, "key": ask.key}
        if ask.cancel_by_key:
            await self._until(max(0.0, ask.at + (ask.cancel_after or 0.0)))
            path, body = "/v1/notifications/cancel", {"idempotency_key": ask.key}
            await self._persist("cancel", tenant, path, body, facts)
            return
        await self._until(ask.at)
        while ask.number not in self._answered:
            await asyncio.sleep(_FIRST_PAUSE / 4)
        name = self._ids.get(ask.number)
        if name is None:
            return
        await asyncio.sleep(ask.cancel_after or 0.0)
        await self._persist("cancel", tenant, f"/v1/notifications/{name}/cancel", None, {**facts, "id": name})

    async def _persist(
        self,
        what: str,
        tenant: Tenant,
        path: str,
        body: dict[str, Any] | None,
        facts: dict[str, Any],
        headers: dict[str, str] | None = None,
    ) -> httpx.Response | None:
        """Makes a request until it has an answer that is one; None when the patience ended first."""
        authorised = {"Authorization": f"Bearer {tenant.key}", **(headers or {})}
        for turn in itertools.count():
            answer = await self._once(what, path, body, authorised, facts)
            if answer is not None and not _is_worth_repeating(answer):
                return answer
            if asyncio.get_running_loop().time() > self._patience_ends:
                return None
            asked = float(answer.headers.get("Retry-After", 0)) if answer is not None else 0.0
            await asyncio.sleep(min(max(_FIRST_PAUSE * 2**turn, asked), _LONGEST_PAUSE))
        raise AssertionError("counting never ends")

    async def _once(
        self, what: str, path: str, body: dict[str, Any] | None, headers: dict[str, str], facts: dict[str, Any]
    ) -> httpx.Response | None:
        async with self._turns:
            sent_at = now()
            try:
                answer = await self._http.post(path, json=body, headers=headers)
            except httpx.HTTPError as problem:
                self._recorder.note(what, **facts, sent_at=sent_at, error=repr(problem))
                return None
        self._recorder.note(what, **facts, sent_at=sent_at, status=answer.status_code, answer=_answer(answer))
        return answer

    async def _read(self, tenant: Tenant, name: str) -> None:
        answer = await self._get(tenant, f"/v1/notifications/{name}")
        if answer is not None and answer.status_code == httpx.codes.OK:
            self._recorder.note("read", tenant=tenant.id, id=name, status=200, seen=answer.json()["status"])

    async def _get(self, tenant: Tenant, path: str) -> httpx.Response | None:
        try:
            return await self._http.get(path, headers={"Authorization": f"Bearer {tenant.key}"})
        except httpx.HTTPError:
            return None

    def _remember(self, ask: Ask, name: str) -> None:
        if ask.number not in self._ids:
            self._ids[ask.number] = name
            if ask.number % _WATCHED_SHARE == 0:
                self._watched.append((self._tenants[ask.tenant], name))


def _body(ask: Ask, tenant: Tenant) -> dict[str, Any]:
    started = datetime.now(UTC)
    addressed = {"phone": ask.phone} if ask.channels[0] == "whatsapp" else {"email": ask.mailbox}
    times = {"expires_at": ask.expires_in, "send_at": ask.send_in}
    return {
        "to": {"recipient": ask.key} if ask.known else addressed,
        "template": TEMPLATE,
        "data": {"order": ask.key, "tenant": tenant.name},
        "channels": list(ask.channels),
        "on_unknown": ask.on_unknown,
        "fallback": ask.fallback,
        **{
            name: (started + timedelta(seconds=seconds)).isoformat()
            for name, seconds in times.items()
            if seconds is not None
        },
    }


def _is_worth_repeating(answer: httpx.Response) -> bool:
    if answer.status_code == httpx.codes.CONFLICT:
        return "in-flight" in str(answer.json().get("type"))
    return answer.status_code in _AGAIN


def _answer(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return answer.text[:200]
