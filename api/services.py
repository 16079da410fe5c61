"""What the handlers of requests work with, made once per process."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import Depends, Request

from activities.accounts import AccountProviders
from activities.buttons import Buttons
from activities.prepared_versions import PreparedVersions
from api.callback_groups import Heard
from api.line_bounds import LineBounds
from api.metrics import Metrics
from api.shared_lookups import SharedLookups
from api.waker import Waker
from db.groups import Groups
from db.session import Database
from sealing import KeyRing
from settings import Settings

log = structlog.get_logger()


class Background:
    """Small work that no answer waits for; it is finished before the process ends."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Runs `work` beside the requests; a failure is logged under `name` and harms nobody."""
        running = asyncio.create_task(self._guarded(name, work))
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    async def finish(self) -> None:
        """Waits for everything that was started."""
        while self._running:
            await asyncio.gather(*self._running)

    async def _guarded(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - nobody awaits this task; the log is where its failure goes
            log.warning("background.failed", work=name, error=repr(error))


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Settings, the database, the key ring, opened accounts, and what counts and runs beside the requests."""

    settings: Settings
    database: Database
    key_ring: KeyRing
    account_providers: AccountProviders
    buttons: Buttons
    lines: LineBounds
    callbacks: Groups[Heard, bool]
    metrics: Metrics = field(default_factory=Metrics)
    background: Background = field(default_factory=Background)
    waker: Waker = field(default_factory=Waker)
    versions: PreparedVersions = field(default_factory=PreparedVersions)
    lookups: SharedLookups = field(default_factory=SharedLookups)
    now: Callable[[], datetime] = _now
    keys_touched: dict[UUID, datetime] = field(default_factory=dict)
    """When this process last wrote each API key's `last_used_at`."""

    def wake(self) -> None:
        """Tells the dispatchers, beside the request, that rows of the outbox were committed."""
        if self.waker.wants_call():
            self.background.start("outbox.notify", self.waker.call(self.database))


async def services_of(request: Request) -> Services:
    """Returns the services of the application that a request came to."""
    found: Services = request.app.state.services
    return found


ServicesOf = Annotated[Services, Depends(services_of)]
