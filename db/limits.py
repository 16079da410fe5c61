"""Slots of rate limits and daily caps, shared by all workers: what is given here is given once.

A slot is a reservation. Who gets one in the future waits until then and needs to ask nobody again; so nobody wakes up
only to find that others were faster.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.care_tables import day_count, rate_bucket
from domain import buckets
from domain.buckets import Run, State
from domain.limits import Bucket, Limits
from domain.reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Somebody who wants to send one message, under a name that the answer is found by.

    Attributes:
        at_once: A later slot is of no use: nothing is reserved then.
    """

    name: str
    limits: Limits
    at_once: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """When somebody may send.

    Attributes:
        at: The instant that was reserved; None where nothing was, because a cap is used up or the line is too long.
        reason: What makes it wait; None where nothing does.
        again: When to ask again, where nothing was reserved.
    """

    at: datetime | None
    reason: Reason | None
    again: datetime | None = None


# Rows are locked in one order, whatever was asked: caps before buckets, each by key. What is not there yet is made.
_LOCK = text("""
WITH counts AS (
    INSERT INTO day_count (tenant_id, key, day, used)
    SELECT :tenant, key, day, 0
    FROM unnest(CAST(:cap_keys AS text[])) AS asked(key) CROSS JOIN unnest(CAST(:days AS date[])) AS dated(day)
    ORDER BY key, day
    ON CONFLICT (tenant_id, key, day) DO UPDATE SET used = day_count.used
    RETURNING key, day, used
), held AS (
    INSERT INTO rate_bucket (tenant_id, key, next_at)
    SELECT :tenant, key, :now FROM unnest(CAST(:bucket_keys AS text[])) AS asked(key)
    WHERE (SELECT count(*) FROM counts) >= 0
    ORDER BY key
    ON CONFLICT (tenant_id, key) DO UPDATE SET next_at = rate_bucket.next_at
    RETURNING key, next_at, ahead, not_before
)
SELECT key, NULL::date AS day, NULL::integer AS used, next_at, ahead, not_before FROM held
UNION ALL SELECT key, day, used, NULL, NULL, NULL FROM counts
""")

_STORE = text("""
WITH counted AS (
    UPDATE day_count SET used = asked.used
    FROM unnest(CAST(:cap_keys AS text[]), CAST(:days AS date[]), CAST(:used AS integer[])) AS asked(key, day, used)
    WHERE day_count.tenant_id = :tenant AND day_count.key = asked.key AND day_count.day = asked.day
)
UPDATE rate_bucket SET next_at = asked.next_at, ahead = CAST(asked.ahead AS jsonb)
FROM unnest(CAST(:bucket_keys AS text[]), CAST(:fronts AS timestamptz[]), CAST(:aheads AS text[]))
     AS asked(key, next_at, ahead)
WHERE rate_bucket.tenant_id = :tenant AND rate_bucket.key = asked.key
""")

_DEFER = text("""
INSERT INTO rate_bucket (tenant_id, key, next_at, not_before) VALUES (:tenant, :key, :until, :until)
ON CONFLICT (tenant_id, key) DO UPDATE
SET not_before = greatest(rate_bucket.not_before, excluded.not_before),
    next_at = greatest(rate_bucket.next_at, excluded.next_at)
""")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
AT_ONCE = timedelta(milliseconds=20)
"""A turn so near is taken at once: a timer would be later than that."""
_AFTER_MIDNIGHT = timedelta(minutes=10)


@dataclass(slots=True, kw_only=True)
class _Ledger:
    """The locked rows, and what is to become of them."""

    now: datetime
    states: dict[str, State]
    counts: dict[tuple[str, date], int]
    taken: set[str] = field(default_factory=set)
    counted: set[tuple[str, date]] = field(default_factory=set)

    def reserve(self, asked: Asked) -> Slot:
        """Gives the earliest slot that all limits allow, or nothing at all."""
        now, limits = micros(self.now), asked.limits
        at, late = buckets.due(limits.buckets, self.states, now)
        if late is not None and asked.at_once and at > now + AT_ONCE // _MICROSECOND:
            return Slot(at=None, reason=late.reason, again=instant(at))
        step = buckets.interval_of(late) if late else 1
        if not all(buckets.has_place(bucket, self.states[bucket.key], at, now, step) for bucket in limits.buckets):
            narrow = late or limits.buckets[0]
            return Slot(at=None, reason=narrow.reason, again=self._again(asked.name, narrow))
        day = instant(at).date()
        for cap in limits.caps:
            if self.counts[cap.key, day] >= cap.limit:
                return Slot(at=None, reason=cap.reason, again=_next_day(asked.name, day))
        for bucket in limits.buckets:
            self.states[bucket.key] = buckets.take(bucket, self.states[bucket.key], at, now, step)
            self.taken.add(bucket.key)
        for cap in limits.caps:
            self.counts[cap.key, day] += 1
            self.counted.add((cap.key, day))
        return Slot(at=instant(at), reason=late.reason if late else None)

    def _again(self, name: str, late: Bucket) -> datetime:
        """Spreads those who find no place over the later part of the line, so that it is never empty nor stormed."""
        state = self.states[late.key]
        end = max([state.front, *(run.last for run in state.runs)])
        length = min(max(instant(end) - self.now, timedelta(seconds=1)), timedelta(hours=1))
        return self.now + length * (0.25 + 0.75 * _fraction(name))


async def reserve(
    connection: AsyncConnection, tenant_id: UUID, asked: Sequence[Asked], now: datetime
) -> dict[str, Slot]:
    """Reserves a slot for each who asks, in order, and returns them by name.

    The slot is the earliest instant at which all limits of the one who asks have room, and uses all of them up by one.
    Where a cap is used up, or the next slot is more than an hour away, nothing is used up. The rows stay locked until
    the transaction ends, so that it should end soon; they are locked in one order, so that nobody waits in a circle.
    """
    bound = [one for one in asked if one.limits.buckets or one.limits.caps]
    slots = {one.name: Slot(at=now, reason=None) for one in asked}
    if bound:
        ledger = await _lock(connection, tenant_id, bound, now)
        slots |= {one.name: ledger.reserve(one) for one in bound}
        await _store(connection, tenant_id, ledger)
    return slots


async def defer(connection: AsyncConnection, tenant_id: UUID, key: str, until: datetime) -> None:
    """Keeps a bucket closed until then, because a provider asked for it; never for shorter than it is already.

    Slots that were given before stay as they are. At that instant the bucket is empty: it goes on at its rate.
    """
    await connection.execute(_DEFER, {"tenant": tenant_id, "key": key, "until": until})


async def standing(
    connection: AsyncConnection, tenant_id: UUID, wanted: Sequence[Bucket], now: datetime
) -> dict[str, State]:
    """Returns where buckets stand now, by key; what was never used is full."""
    by_key = {bucket.key: bucket for bucket in wanted}
    query = select(rate_bucket).where(rate_bucket.c.tenant_id == tenant_id, rate_bucket.c.key.in_(by_key))
    rows = (await connection.execute(query)).mappings()
    found = {row["key"]: _state(by_key[row["key"]], dict(row), now) for row in rows}
    return {key: found.get(key, State(front=micros(now))) for key in by_key}


async def used(connection: AsyncConnection, tenant_id: UUID, day: date) -> dict[str, int]:
    """Returns how many slots of a day were given under each cap."""
    query = select(day_count.c.key, day_count.c.used).where(day_count.c.tenant_id == tenant_id, day_count.c.day == day)
    return {row.key: row.used for row in await connection.execute(query)}


async def _lock(connection: AsyncConnection, tenant_id: UUID, asked: Sequence[Asked], now: datetime) -> _Ledger:
    by_key = {bucket.key: bucket for one in asked for bucket in one.limits.buckets}
    rows = await connection.execute(
        _LOCK,
        {
            "tenant": tenant_id,
            "now": now,
            "cap_keys": sorted({cap.key for one in asked for cap in one.limits.caps}),
            "days": _days(now),
            "bucket_keys": sorted(by_key),
        },
    )
    ledger = _Ledger(now=now, states={}, counts={})
    for row in rows.mappings():
        if row["day"] is not None:
            ledger.counts[row["key"], row["day"]] = row["used"]
        else:
            ledger.states[row["key"]] = _state(by_key[row["key"]], dict(row), now)
    return ledger


async def _store(connection: AsyncConnection, tenant_id: UUID, ledger: _Ledger) -> None:
    taken, counted = sorted(ledger.taken), sorted(ledger.counted)
    if not taken and not counted:
        return
    values = {
        "tenant": tenant_id,
        "cap_keys": [key for key, _ in counted],
        "days": [day for _, day in counted],
        "used": [ledger.counts[place] for place in counted],
        "bucket_keys": taken,
        "fronts": [instant(ledger.states[key].front) for key in taken],
        "aheads": [json.dumps([(r.first, r.step, r.count) for r in ledger.states[key].runs]) for key in taken],
    }
    await connection.execute(_STORE, values)


def _state(bucket: Bucket, row: Mapping[str, Any], now: datetime) -> State:
    runs = tuple(Run(first=first, step=step, count=count) for first, step, count in row["ahead"])
    state = State(front=micros(row["next_at"]), runs=runs)
    if row["not_before"] is not None:
        state = buckets.emptied(bucket, state, micros(row["not_before"]))
    return buckets.settled(bucket, state, micros(now))


def _days(now: datetime) -> list[date]:
    """Returns the days that a slot can fall into."""
    now = now.astimezone(UTC)
    return sorted({now.date(), (now + buckets.HORIZON * _MICROSECOND).date()})


def _next_day(name: str, day: date) -> datetime:
    """Returns when to ask again for the next day: within its first minutes, not all at once."""
    return datetime.combine(day + timedelta(days=1), time(), UTC) + _AFTER_MIDNIGHT * _fraction(name)


def _fraction(name: str) -> float:
    """Returns a number between 0 and 1 that is always the same for a name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) / 2**32


def micros(instant: datetime) -> int:
    """Returns an instant in microseconds since 1970."""
    return (instant - _EPOCH) // _MICROSECOND


def instant(micros: int) -> datetime:
    """Returns the instant that lies so many microseconds after 1970."""
    return _EPOCH + micros * _MICROSECOND
