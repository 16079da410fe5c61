"""Carries strikes out, and counts those of which there is proof that they happened."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import asyncpg

from tests.chaos.disk import Disk
from tests.chaos.installation import API, POSTGRES, PROVIDER, TEMPORAL, Installation
from tests.chaos.recorder import Recorder
from tests.chaos.schedule import Strike
from tests.chaos.tenants import Tenant

_COMMITS = 3
_FULL_FOR = 3.0
# What the database's clock says now lies an hour after what these rows say: leases have run out, attempts are old.
_SHIFTED = (
    "UPDATE outbox SET leased_until = leased_until - interval '1 hour' WHERE tenant_id = $1::uuid",
    "UPDATE attempt SET claimed_at = claimed_at - interval '1 hour' WHERE tenant_id = $1::uuid AND state = 'sending'",
    "UPDATE notification SET created_at = created_at - interval '1h' WHERE ended_at IS NULL AND tenant_id = $1::uuid",
)
_Blow = Callable[[Strike], Awaitable[bool]]


class Striker:
    """Strikes an installation as a schedule says."""

    def __init__(self, installation: Installation, disk: Disk, tenants: Sequence[Tenant], recorder: Recorder) -> None:
        self.happened: Counter[str] = Counter()
        self._installation = installation
        self._disk = disk
        self._tenants = tenants
        self._recorder = recorder
        self._blows: dict[str, _Blow] = {
            "crash-point": self._arm,
            "kill-backend": self._kill_backend,
            "kill-everything": self._kill_everything,
            "cut-after-commit": self._cut_after_commit,
            "cut-before-commit": self._cut_before_commit,
            "cut-connections": self._cut_connections,
            "swallow-database": self._swallow,
            "disk-full": self._fill_disk,
            "clock-jump": self._jump,
        }

    async def run(self, strikes: Sequence[Strike]) -> None:
        """Carries all strikes out in their time, and returns when the last one is over."""
        began = asyncio.get_running_loop().time()

        async def one(strike: Strike) -> None:
            await asyncio.sleep(max(0.0, began + strike.at - asyncio.get_running_loop().time()))
            await self._strike(strike)

        await asyncio.gather(*(one(strike) for strike in strikes))

    async def _strike(self, strike: Strike) -> None:
        blow = self._blows.get(strike.name) or (self._pause if strike.name.startswith("pause-") else self._kill)
        try:
            hit = await blow(strike)
        except (OSError, asyncpg.PostgresError, TimeoutError) as problem:  # another strike was quicker
            self._recorder.note("strike", name=strike.name, at=strike.at, hit=False, error=repr(problem))
            return
        if hit and strike.name != "crash-point":  # those are counted where they are reached
            self.happened[strike.name] += 1
        self._recorder.note("strike", name=strike.name, at=strike.at, hit=hit, point=strike.crash_point)

    def _part(self, strike: Strike) -> str:
        whom = strike.name.partition("-")[2]
        workers = self._installation.workers
        parts = {"api": API, "postgres": POSTGRES, "temporal": TEMPORAL, "provider": PROVIDER}
        return parts.get(whom) or workers[strike.target % len(workers)]

    async def _kill(self, strike: Strike) -> bool:
        part = self._part(strike)
        return self._installation.arm(part, strike.crash_point) if strike.crash_point else self._installation.kill(part)

    async def _pause(self, strike: Strike) -> bool:
        part = self._part(strike)
        if not self._installation.pause(part):
            return False
        await asyncio.sleep(strike.seconds)
        self._installation.go_on(part)
        return True

    async def _arm(self, strike: Strike) -> bool:
        return self._installation.arm(self._passing(strike), strike.crash_point)

    def _passing(self, strike: Strike) -> str:
        """Returns the part that comes by the crash point."""
        workers = self._installation.workers
        return API if strike.in_api else workers[strike.target % len(workers)]

    async def _kill_backend(self, strike: Strike) -> bool:
        return self._installation.kill_backend(strike.target)

    async def _kill_everything(self, strike: Strike) -> bool:
        if strike.crash_point:
            self._installation.arm(self._passing(strike), strike.crash_point)
        hits = [self._installation.kill(part) for part in (API, *self._installation.workers, POSTGRES, TEMPORAL)]
        return sum(hits) > 1

    async def _cut_after_commit(self, strike: Strike) -> bool:
        self._installation.proxy.cut_after_commit(_COMMITS)
        return await self._commits_are_cut(strike)

    async def _cut_before_commit(self, strike: Strike) -> bool:
        self._installation.proxy.cut_before_commit(_COMMITS)
        return await self._commits_are_cut(strike)

    async def _commits_are_cut(self, strike: Strike) -> bool:
        before = self._installation.proxy.commits_cut
        await asyncio.sleep(strike.seconds)
        return self._installation.proxy.commits_cut > before

    async def _cut_connections(self, _: Strike) -> bool:
        return self._installation.proxy.cut() > 0

    async def _swallow(self, strike: Strike) -> bool:
        connections = self._installation.proxy.connections
        self._installation.proxy.swallow()
        await asyncio.sleep(strike.seconds)
        await self._installation.proxy.let_pass()
        return connections > 0

    async def _fill_disk(self, _: Strike) -> bool:
        full = await asyncio.to_thread(self._disk.fill)
        await asyncio.sleep(_FULL_FOR)
        await asyncio.to_thread(self._disk.free)
        return full

    async def _jump(self, strike: Strike) -> bool:
        tenant = self._tenants[strike.target % len(self._tenants)]
        connection = await asyncpg.connect(self._installation.truth_dsn, timeout=5)
        try:
            async with asyncio.timeout(5):
                tags = [await connection.execute(statement, tenant.id) for statement in _SHIFTED]
        finally:
            await connection.close(timeout=1)
        return any(not tag.endswith(" 0") for tag in tags)
