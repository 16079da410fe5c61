"""The steps of housekeeping that need the database alone."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from temporalio import activity

from activities.repairs import Repairs
from activities.sweeping import Sweep, Swept, counted
from db import ageing, findings, sweeps, waiting_receipts
from db.ageing import Keeping
from db.findings import NewFinding
from db.session import Database
from db.sweeps import StalledEntry
from db.waiting_receipts import Place, Reported, Unmatched
from domain.findings import Kind, Repair


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long things may take before they are called stalled.

    Attributes:
        outbox: A row that was leased again and again.
        leases: How often that is.
        longest_lease: From now; the dispatcher itself pauses for ten minutes at most.
        again: Until the same row is told of once more.
        receipt: A receipt that belongs to no message.
    """

    outbox: timedelta = timedelta(minutes=10)
    leases: int = 5
    longest_lease: timedelta = timedelta(minutes=20)
    again: timedelta = timedelta(minutes=10)
    receipt: timedelta = timedelta(minutes=10)


class Housekeeping:
    """Looks after rows that nobody else looks after."""

    def __init__(
        self,
        database: Database,
        repairs: Repairs,
        *,
        patience: Patience | None = None,
        keeping: Keeping | None = None,
        batch: int = 500,
    ) -> None:
        self._database = database
        self._repairs = repairs
        self._patience = patience or Patience()
        self._rules = ageing.rules(keeping or Keeping())
        self._batch = batch

    @activity.defn(name="housekeeping.outbox")
    @counted("housekeeping.outbox")
    async def outbox(self, sweep: Sweep) -> Swept:  # noqa: ARG002 - every step takes its order
        """Releases rows of the outbox that do not get any further."""
        wait = self._patience
        async with self._database.system() as connection:
            stalled = await sweeps.stalled_entries(
                connection,
                age=wait.outbox,
                leases=wait.leases,
                longest=wait.longest_lease,
                again=wait.again,
                limit=self._batch,
            )
        for entry in stalled:
            await self._repairs.record(entry.tenant_id, _about_entry(entry))
        async with self._database.system() as connection:
            await sweeps.release(connection, stalled)
        return Swept(seen=len(stalled), found=len(stalled), more=len(stalled) >= self._batch)

    @activity.defn(name="housekeeping.receipts")
    @counted("housekeeping.receipts")
    async def receipts(self, sweep: Sweep) -> Swept:
        """Tells of receipts that belong to no message, and closes what was told once they do, or never will."""
        place, finding_id = _places(sweep.cursor)
        async with self._database.system() as connection:
            new, place, read = await waiting_receipts.following(
                connection, after=place, age=self._patience.receipt, limit=self._batch
            )
            old = await waiting_receipts.reported(connection, after=finding_id, limit=self._batch)
        for unmatched in new:
            await self._repairs.record(unmatched.tenant_id, _about_receipts(unmatched))
        for one in old:
            await self._close(one)
        more_old = len(old) >= self._batch
        cursor = _cursor(place, old[-1].id if more_old else None)
        more = more_old or read >= self._batch
        return Swept(cursor=cursor, seen=read + len(old), found=len(new), more=more)

    @activity.defn(name="housekeeping.expire")
    @counted("housekeeping.expire")
    async def expire(self, sweep: Sweep) -> Swept:  # noqa: ARG002 - every step takes its order
        """Removes rows that are of no use any more."""
        removed = []
        for rule in self._rules:
            async with self._database.system() as connection:
                removed.append(await ageing.remove(connection, rule, limit=self._batch))
        return Swept(seen=sum(removed), more=max(removed) >= self._batch)

    async def _close(self, one: Reported) -> None:
        if one.waits and one.hopeful:
            return
        repair = Repair.GIVEN_UP if one.waits else Repair.ADOPTED
        async with self._database.tenant(one.tenant_id) as connection:
            await findings.repaired(connection, one.tenant_id, Kind.RECEIPT_UNMATCHED, [one.subject_id], repair)


def _about_entry(entry: StalledEntry) -> NewFinding:
    until = entry.leased_until.isoformat() if entry.leased_until else None
    return NewFinding(
        kind=Kind.OUTBOX_LEASED_TOO_LONG if entry.too_long else Kind.OUTBOX_STALLED,
        subject_type="outbox",
        subject_id=entry.dedup_key,
        repair=Repair.RELEASED,
        detail={"workflow_id": entry.workflow_id, "kind": entry.kind, "leases": entry.leases, "leased_until": until},
    )


def _about_receipts(unmatched: Unmatched) -> NewFinding:
    return NewFinding(
        kind=Kind.RECEIPT_UNMATCHED,
        subject_type="provider_message",
        subject_id=unmatched.provider_message_id,
        detail={
            "provider": unmatched.provider,
            "since": unmatched.since.isoformat(),
            "receipts": unmatched.receipts,
        },
    )


def _cursor(place: Place | None, finding_id: UUID | None) -> str:
    """Returns both places of the step: among the receipts that came, and among the findings that are open."""
    at, receipt_id = (place.received_at.isoformat(), str(place.id)) if place else ("", "")
    return f"{at} {receipt_id} {finding_id or ''}"


def _places(cursor: str | None) -> tuple[Place | None, UUID | None]:
    at, receipt_id, finding_id = (cursor or "  ").split(" ")
    place = Place(received_at=datetime.fromisoformat(at), id=UUID(receipt_id)) if at else None
    return place, UUID(finding_id) if finding_id else None
