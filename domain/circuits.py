"""Circuits: after trouble with an account or a template nothing more is tried, but for one probe at a time.

A circuit is closed while all is well. Trouble opens it; then messages are held, and from `probe_at` on one of them may
go as the probe. While that one is on its way the circuit is half open. Any success closes it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from uuid import UUID

from domain.keys import account_subject as account_subject  # noqa: PLC0414 - subjects belong to what speaks of circuits
from domain.keys import template_subject as template_subject  # noqa: PLC0414 - as above
from domain.notifications import Outcome
from domain.reasons import Reason

FAILURES_TO_OPEN = 5
"""So many messages in a row must find the provider unavailable."""

PROBE_PERMIT = timedelta(seconds=60)
"""How long a probe may be on its way; a lost one blocks no longer than that."""


class CircuitState(StrEnum):
    """Whether messages go."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Admission(Enum):
    """What a circuit says to one message."""

    GO = "go"
    PROBE = "probe"  # it may go if it gets the one permit
    HOLD = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """Where the circuit of a subject stands.

    Attributes:
        cause: Why it is open.
        failures: Troubles in a row while it was closed.
        probes: Probes that failed since it opened.
        episode: How often it has opened.
        probe_at: When the next probe may go; while one is on its way, when its permit expires.
    """

    state: CircuitState = CircuitState.CLOSED
    cause: Reason | None = None
    failures: int = 0
    probes: int = 0
    episode: int = 0
    opened_at: datetime | None = None
    probe_at: datetime | None = None

    @property
    def is_pristine(self) -> bool:
        """Tells whether nothing speaks against the subject; a success then changes nothing."""
        return self.state is CircuitState.CLOSED and self.failures == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What one attempt tells about a subject; without `trouble` it went well."""

    subject: str
    account_id: UUID
    trouble: Reason | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Probing:
    failures: int
    first: timedelta
    longest: timedelta


_CAUSES = {
    Reason.UNAVAILABLE: Reason.PROVIDER_UNAVAILABLE,
    Reason.OUTCOME_UNKNOWN: Reason.PROVIDER_UNAVAILABLE,
    Reason.MISCONFIGURED: Reason.MISCONFIGURED,
    Reason.TEMPLATE_UNAVAILABLE: Reason.TEMPLATE_UNAVAILABLE,
}
_PROBING = {
    Reason.PROVIDER_UNAVAILABLE: _Probing(
        failures=FAILURES_TO_OPEN, first=timedelta(seconds=5), longest=timedelta(minutes=5)
    ),
    Reason.MISCONFIGURED: _Probing(failures=1, first=timedelta(minutes=30), longest=timedelta(minutes=30)),
    Reason.TEMPLATE_UNAVAILABLE: _Probing(failures=1, first=timedelta(minutes=10), longest=timedelta(hours=1)),
}
_LONGEST_DOUBLING = 16


def subject_of(reason: Reason, *, account_id: UUID | str, template_version_id: UUID | str, locale: str) -> str | None:
    """Returns whose trouble a reason is: the account's, the template's, or nobody's."""
    match _CAUSES.get(reason):
        case None:
            return None
        case Reason.TEMPLATE_UNAVAILABLE:
            return template_subject(account_id, template_version_id, locale)
        case _:
            return account_subject(account_id)


def template_of(subject: str) -> UUID | None:
    """Returns the template's version that a circuit is about, or nothing where it is about an account."""
    kind, _, rest = subject.partition("/")
    return UUID(rest.split("/")[1]) if kind == "template" else None


def news_of(
    outcome: Outcome,
    reason: Reason | None,
    *,
    account_id: UUID,
    template_version_id: UUID,
    locale: str,
    at: datetime,
) -> tuple[News, ...]:
    """Returns what the provider's answer to an attempt tells about the account and the template.

    Only what the provider itself showed is news: pass no attempt that failed before its request was made.
    """
    account, template = account_subject(account_id), template_subject(account_id, template_version_id, locale)
    well = News(subject=account, account_id=account_id, trouble=None, at=at)
    subject = (
        subject_of(reason, account_id=account_id, template_version_id=template_version_id, locale=locale)
        if reason
        else None
    )
    match outcome:
        case Outcome.ACCEPTED:
            return (well, replace(well, subject=template))
        case Outcome.STOPPED | Outcome.HELD:
            return ()
        case _ if subject == account:
            return (replace(well, trouble=reason),)
        case Outcome.REFUSED if subject == template:
            return (well, replace(well, subject=template, trouble=reason))
        case Outcome.REFUSED:
            return (well,)
        case _:
            return ()


def after(circuit: Circuit, news: News) -> Circuit:
    """Returns the circuit after news; what was seen before it opened neither closes it nor counts again."""
    if circuit.opened_at is not None and news.at < circuit.opened_at:
        return circuit
    return after_success(circuit) if news.trouble is None else after_trouble(circuit, news.trouble, news.at)


def after_trouble(circuit: Circuit, reason: Reason, now: datetime) -> Circuit:
    """Returns the circuit after trouble: one failure more, opened, or open for longer after a failed probe."""
    cause = _CAUSES.get(reason)
    if cause is None:
        return circuit
    match circuit.state:
        case CircuitState.CLOSED:
            return _count(circuit, cause, now)
        case CircuitState.OPEN if not _is_graver(cause, circuit.cause):
            return circuit  # it was on its way when the circuit opened
        case _:
            return _reopen(circuit, cause, now)


def after_success(circuit: Circuit) -> Circuit:
    """Returns the circuit after a success, which closes it whatever was before."""
    return circuit if circuit.is_pristine else Circuit(episode=circuit.episode)


def admit(circuit: Circuit | None, now: datetime) -> Admission:
    """Returns whether a message may go; `PROBE` asks for the permit first, which only one gets."""
    if circuit is None or circuit.state is CircuitState.CLOSED:
        return Admission.GO
    return Admission.PROBE if circuit.probe_at is None or now >= circuit.probe_at else Admission.HOLD


def probing(circuit: Circuit, now: datetime) -> Circuit:
    """Returns the circuit with a probe on its way."""
    return replace(circuit, state=CircuitState.HALF_OPEN, probe_at=now + PROBE_PERMIT)


def strictest(circuits: Iterable[Circuit | None], now: datetime) -> Circuit | None:
    """Returns the circuit that holds a message back the longest, or nothing where all let it go."""
    holding = [circuit for circuit in circuits if circuit is not None and admit(circuit, now) is Admission.HOLD]
    return max(holding, key=lambda circuit: circuit.probe_at or now, default=None)


def _count(circuit: Circuit, cause: Reason, now: datetime) -> Circuit:
    counted = replace(circuit, failures=circuit.failures + 1)
    if counted.failures < _PROBING[cause].failures:
        return counted
    return replace(
        counted,
        state=CircuitState.OPEN,
        cause=cause,
        probes=0,
        episode=circuit.episode + 1,
        opened_at=now,
        probe_at=now + _pause(cause, 0),
    )


def _is_graver(cause: Reason, than: Reason | None) -> bool:
    """Tells whether a cause says more than the one known: a definite one outranks not having been reached."""
    return cause is not than and cause is not Reason.PROVIDER_UNAVAILABLE


def _reopen(circuit: Circuit, cause: Reason, now: datetime) -> Circuit:
    if _is_graver(cause, circuit.cause) or circuit.cause is None:
        probes = 0
    else:
        cause, probes = circuit.cause, circuit.probes + 1
    return replace(circuit, state=CircuitState.OPEN, cause=cause, probes=probes, probe_at=now + _pause(cause, probes))


def _pause(cause: Reason, probes: int) -> timedelta:
    rule = _PROBING[cause]
    doubled: timedelta = rule.first * (1 << min(probes, _LONGEST_DOUBLING))
    return min(doubled, rule.longest)
