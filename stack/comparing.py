"""The comparison that `carillon reconcile` asks for: connects to both sides, and refuses what would not be safe."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.client import Client
from temporalio.service import RPCError

from activities.comparison import Comparison, Divergence
from activities.repairs import GRACE, Repairs
from activities.workflow_facts import WorkflowFacts
from db.errors import FAILURES
from db.session import Database
from domain.recovery import Ground, Restored
from sealing import KeyRing
from settings import Settings
from stack.problems import StackError
from workflows.client import connect

_FAILURES: tuple[type[Exception], ...] = (RPCError, *FAILURES)
# A poll lasts a minute, and the server remembers it a little longer.
_POLLED_LATELY = timedelta(seconds=90)
# Temporal forgets by its own clock.
_MARGIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a comparison is to do.

    Attributes:
        restored: Which side is older since a restore.
        at: When it was restored; now, where that is not said.
        repair: Whether to do what is judged, or only to tell.
        resend: Whether to start what may have been sent already, and what is long overdue.
    """

    restored: Restored = Restored.NOTHING
    at: datetime | None = None
    repair: bool = False
    resend: bool = False


async def compare(settings: Settings, wish: Wish) -> list[Divergence]:
    """Returns every divergence between the sides that settings name; those that were repaired say so.

    Raises:
        StackError: One side does not answer, or workers would act on what is being repaired.
    """
    if wish.restored is Restored.NOTHING and wish.at:
        raise StackError("--at goes with --restored; say which side is older.")
    client = await _client(settings)
    after_restore = wish.restored is not Restored.NOTHING
    if wish.repair and after_restore:
        await _refuse_beside_workers(client, settings.task_queue)
    database = Database.connect(settings.database_url.get_secret_value(), pool_size=2)
    # Workers stand still after a restore, so that what has just ended is as settled as everything else.
    repairs = Repairs(database, grace=timedelta(0) if after_restore else GRACE)
    try:
        running = Comparison(database, client, repairs).run(await _ground(client, wish), repair=wish.repair)
        return [item async for item in running]
    except _FAILURES as problem:
        raise StackError(f"The comparison stopped ({type(problem).__name__}: {problem}); run it again.") from problem
    finally:
        await database.close()


async def _client(settings: Settings) -> Client:
    key_ring = KeyRing.parse(settings.key_ring.get_secret_value())
    try:
        return await connect(settings.temporal_address, namespace=settings.temporal_namespace, key_ring=key_ring)
    except RuntimeError as problem:
        raise StackError(f"Temporal at {settings.temporal_address} does not answer; start it first.") from problem


async def _ground(client: Client, wish: Wish) -> Ground:
    now = datetime.now(UTC)
    remembers_since = await WorkflowFacts(client).remembers_since(now)
    return Ground(
        now=now,
        restored=wish.restored,
        restored_at=wish.at or now,
        remembers_since=remembers_since + _MARGIN if remembers_since else None,
        resend=wish.resend,
    )


async def _refuse_beside_workers(client: Client, task_queue: str) -> None:
    pollers = await WorkflowFacts(client).pollers(task_queue, since=datetime.now(UTC) - _POLLED_LATELY)
    if pollers:
        raise StackError(
            f"Workers poll {task_queue!r} ({', '.join(pollers)}): they act on the older side meanwhile. "
            "Stop them, wait a minute and a half, and run this again."
        )
