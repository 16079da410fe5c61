"""Outages: finding out whether a provider answers again, and letting go on what was parked meanwhile."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import structlog
from prometheus_client import Counter
from temporalio import activity

from activities import wishes
from activities.accounts import AccountProviders
from activities.persistence import persist
from activities.verification import VerificationError, verify
from db import circuits, outages
from db.circuits import Stored
from db.outages import Provided
from db.session import Database
from domain import keys
from domain.circuits import Admission, CircuitState, News, admit, template_of
from domain.errors import Misconfigured
from domain.outages import ANSWER, GRACE, MISSES, QUIET, Look, OutageInput, ReleaseOrder, is_over
from domain.reasons import Reason

log = structlog.get_logger(__name__)

_TRANSITIONS = Counter("carillon_circuit_transitions_total", "Circuits that opened or closed", ["to", "of"])
_CANDIDATES = 50
_TROUBLES = {"unavailable": Reason.UNAVAILABLE, "uncertain": Reason.UNAVAILABLE, "misconfigured": Reason.MISCONFIGURED}


def _clock() -> datetime:
    return datetime.now(UTC)


class Outages:
    """Looks after open circuits."""

    def __init__(
        self,
        database: Database,
        providers: AccountProviders,
        *,
        allowed_hosts: frozenset[str] = frozenset(),
        now: Callable[[], datetime] = _clock,
    ) -> None:
        self._database = database
        self._providers = providers
        self._allowed_hosts = allowed_hosts
        self._now = now

    @activity.defn(name="outages.probe")
    async def probe(self, order: OutageInput) -> Look:
        """Lets a parked notification go as the probe when one is due; without any, asks the provider itself."""
        now, tenant_id = self._now(), UUID(order.tenant_id)
        async with self._database.tenant(tenant_id) as connection:
            stored = await circuits.get(connection, tenant_id, UUID(order.circuit_id))
        if order.is_new and stored is not None:
            _count("open", stored)
        if stored is None or is_over(stored.circuit, order.episode):
            return Look(over=True, next_at=now, cursor=order.cursor)
        if admit(stored.circuit, now) is Admission.HOLD:
            return Look(over=False, next_at=stored.circuit.probe_at or now, cursor=order.cursor)
        # Who waits at this circuit may all go another way. A template cannot be asked about, only tried.
        in_vain = order.misses >= MISSES and template_of(stored.subject) is None
        cursor, rests = (None, False) if in_vain else await persist(lambda: self._let_probe(tenant_id, order, stored))
        if cursor is not None:
            return Look(over=False, next_at=now + ANSWER, cursor=cursor, misses=order.misses + 1)
        if rests and template_of(stored.subject) is not None:
            return Look(over=False, next_at=now + QUIET, cursor=order.cursor)
        return await self._without_parked(tenant_id, order, stored, now)

    @activity.defn(name="outages.release")
    async def release(self, order: ReleaseOrder) -> int:
        """Lets go on what was parked because of a circuit that closed; returns how many operations do it."""
        return await persist(lambda: self._release(order))

    async def _let_probe(self, tenant_id: UUID, order: OutageInput, stored: Stored) -> tuple[str | None, bool]:
        """Returns the one that was let go, or whether all that are parked are left alone at this time of their day."""
        async with self._database.tenant(tenant_id) as connection:
            after = UUID(order.cursor) if order.cursor else None
            waiting = await outages.candidates(connection, tenant_id, stored, after=after, most=_CANDIDATES)
            rests = {str(one.id): (one.rest, one.zone) for one in waiting if one.rest is not None}
            quiet = await wishes.resting(connection, tenant_id, rests, dict.fromkeys(rests, self._now()))
            found = next((one.id for one in waiting if str(one.id) not in quiet), None)
            if found is None:
                return None, bool(waiting)
            cause = f"{keys.outage_workflow(order.circuit_id, order.episode)}/{stored.circuit.probes}"
            await outages.let_probe(connection, tenant_id, found, cause=cause)
        log.info("circuit.probing", subject=stored.subject, notification_id=str(found))
        return str(found), False

    async def _without_parked(self, tenant_id: UUID, order: OutageInput, stored: Stored, now: datetime) -> Look:
        """Leaves the probe to new traffic for a while; where none comes, nobody's message is needed for it."""
        due = stored.circuit.probe_at or now
        if now < due + GRACE:
            return Look(over=False, next_at=due + GRACE, cursor=order.cursor, misses=order.misses)
        async with self._database.tenant(tenant_id) as connection:
            account = await outages.provided(connection, tenant_id, stored.account_id)
        if account.state == "suspended":
            return Look(over=False, next_at=now + QUIET, cursor=order.cursor)
        # Nobody waits for the template, and no message goes through an account that is retired: the next one tells.
        forgotten = template_of(stored.subject) is not None or account.state == "retired"
        if forgotten or await self._ask(tenant_id, stored, account, now):
            await persist(lambda: self._note(tenant_id, stored, None))
        return Look(over=False, next_at=self._now(), cursor=order.cursor)

    async def _ask(self, tenant_id: UUID, stored: Stored, account: Provided, now: datetime) -> bool:
        """Asks the provider as the probe, and tells whether it confirms the account."""
        async with self._database.tenant(tenant_id) as connection:
            if not await circuits.take_probe(connection, tenant_id, stored.subject, now):
                return False
        try:
            provider = self._providers.open(
                tenant_id,
                stored.account_id,
                provider=account.provider,
                sealed_config=account.sealed_config,
                updated_at=account.updated_at,
            )
            await verify(provider, allowed_hosts=self._allowed_hosts)
        except (VerificationError, Misconfigured) as error:
            trouble = _TROUBLES.get(error.code)
            log.info("circuit.still_troubled", subject=stored.subject, code=error.code)
            if trouble is not None:
                await persist(lambda: self._note(tenant_id, stored, trouble))
            return False
        return True

    async def _note(self, tenant_id: UUID, stored: Stored, trouble: Reason | None) -> None:
        news = News(subject=stored.subject, account_id=stored.account_id, trouble=trouble, at=self._now())
        async with self._database.tenant(tenant_id) as connection:
            await circuits.note(connection, tenant_id, [news])

    async def _release(self, order: ReleaseOrder) -> int:
        tenant_id = UUID(order.tenant_id)
        reason = keys.outage_workflow(order.circuit_id, order.episode)
        late = order.parked_after is not None
        async with self._database.tenant(tenant_id) as connection:
            stored = await circuits.get(connection, tenant_id, UUID(order.circuit_id))
            if stored is None or stored.circuit.state is not CircuitState.CLOSED:
                return 0  # it opened anew, and its next closing releases everybody
            made = await outages.release(
                connection,
                tenant_id,
                stored,
                reason=f"{reason}/late" if late else reason,
                parked_after=order.parked_after,
            )
        if not late:
            _count("closed", stored)
        return made


def _count(to: str, stored: Stored) -> None:
    of = "account" if template_of(stored.subject) is None else "template"
    _TRANSITIONS.labels(to, of).inc()
    cause = stored.circuit.cause.value if stored.circuit.cause else None
    log.warning("circuit.changed", to=to, subject=stored.subject, episode=stored.circuit.episode, cause=cause)
