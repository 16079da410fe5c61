"""Circuits open after trouble, let one probe through at a time, and close with the first success."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.circuits import (
    FAILURES_TO_OPEN,
    PROBE_PERMIT,
    Admission,
    Circuit,
    CircuitState,
    News,
    account_subject,
    admit,
    after,
    after_success,
    after_trouble,
    news_of,
    probing,
    strictest,
    subject_of,
    template_subject,
)
from domain.notifications import Outcome
from domain.reasons import Reason

NOW = datetime(2026, 7, 14, 9, tzinfo=UTC)
ACCOUNT, VERSION = UUID(int=1), UUID(int=2)
ABOUT_ACCOUNT, ABOUT_TEMPLATE = account_subject(ACCOUNT), template_subject(ACCOUNT, VERSION, "hi-IN")
TROUBLES = (Reason.UNAVAILABLE, Reason.OUTCOME_UNKNOWN, Reason.MISCONFIGURED, Reason.TEMPLATE_UNAVAILABLE)


def opened(reason: Reason = Reason.UNAVAILABLE, now: datetime = NOW) -> Circuit:
    circuit = Circuit()
    while circuit.state is CircuitState.CLOSED:
        circuit = after_trouble(circuit, reason, now)
    return circuit


@pytest.mark.parametrize(
    ("reason", "failures", "cause", "first"),
    [
        pytest.param(Reason.UNAVAILABLE, 5, Reason.PROVIDER_UNAVAILABLE, 5, id="the provider is away"),
        pytest.param(Reason.OUTCOME_UNKNOWN, 5, Reason.PROVIDER_UNAVAILABLE, 5, id="it does not answer in time"),
        pytest.param(Reason.MISCONFIGURED, 1, Reason.MISCONFIGURED, 1800, id="bad credentials"),
        pytest.param(Reason.TEMPLATE_UNAVAILABLE, 1, Reason.TEMPLATE_UNAVAILABLE, 600, id="a paused template"),
    ],
)
def test_trouble_opens_a_circuit(reason: Reason, failures: int, cause: Reason, first: int) -> None:
    circuit = Circuit()
    for number in range(1, failures + 1):
        assert circuit.state is CircuitState.CLOSED
        circuit = after_trouble(circuit, reason, NOW)
        assert circuit.failures == number
    assert (circuit.state, circuit.cause, circuit.episode) == (CircuitState.OPEN, cause, 1)
    assert (circuit.opened_at, circuit.probe_at) == (NOW, NOW + timedelta(seconds=first))


@pytest.mark.parametrize(
    ("reason", "pauses"),
    [
        pytest.param(Reason.UNAVAILABLE, [5, 10, 20, 40, 80, 160, 300, 300], id="away: 5 s doubling to 5 min"),
        pytest.param(Reason.TEMPLATE_UNAVAILABLE, [600, 1200, 2400, 3600, 3600], id="template: 10 min doubling to 1 h"),
        pytest.param(Reason.MISCONFIGURED, [1800, 1800, 1800], id="misconfigured: every 30 min"),
    ],
)
def test_failed_probes_come_further_apart(reason: Reason, pauses: list[int]) -> None:
    circuit, now, found = opened(reason), NOW, []
    for _ in pauses:
        assert circuit.probe_at is not None
        found.append((circuit.probe_at - now).total_seconds())
        now = circuit.probe_at
        circuit = after_trouble(probing(circuit, now), reason, now)
    assert found == pauses


@pytest.mark.parametrize(
    ("circuit", "later", "admission"),
    [
        pytest.param(None, 0, Admission.GO, id="nothing known"),
        pytest.param(Circuit(failures=4), 0, Admission.GO, id="some trouble, not enough"),
        pytest.param(opened(), 4.9, Admission.HOLD, id="just opened"),
        pytest.param(opened(), 5, Admission.PROBE, id="a probe is due"),
        pytest.param(probing(opened(), NOW), 59, Admission.HOLD, id="a probe is on its way"),
        pytest.param(probing(opened(), NOW), 60, Admission.PROBE, id="the probe was lost"),
    ],
)
def test_a_circuit_admits(circuit: Circuit | None, later: float, admission: Admission) -> None:
    assert admit(circuit, NOW + timedelta(seconds=later)) is admission


@pytest.mark.parametrize(
    ("reason", "subject"),
    [
        pytest.param(Reason.UNAVAILABLE, ABOUT_ACCOUNT, id="away"),
        pytest.param(Reason.OUTCOME_UNKNOWN, ABOUT_ACCOUNT, id="no answer"),
        pytest.param(Reason.MISCONFIGURED, ABOUT_ACCOUNT, id="credentials"),
        pytest.param(Reason.TEMPLATE_UNAVAILABLE, ABOUT_TEMPLATE, id="template"),
        *(pytest.param(reason, None, id=reason.value) for reason in Reason if reason not in TROUBLES),
    ],
)
def test_a_reason_is_the_trouble_of_a_subject(reason: Reason, subject: str | None) -> None:
    assert subject_of(reason, account_id=ACCOUNT, template_version_id=VERSION, locale="hi-IN") == subject


@pytest.mark.parametrize(
    ("outcome", "reason", "news"),
    [
        pytest.param(Outcome.ACCEPTED, None, {ABOUT_ACCOUNT: None, ABOUT_TEMPLATE: None}, id="accepted"),
        pytest.param(Outcome.REFUSED, Reason.INVALID_ADDRESS, {ABOUT_ACCOUNT: None}, id="about a person: it answers"),
        pytest.param(
            Outcome.REFUSED,
            Reason.TEMPLATE_UNAVAILABLE,
            {ABOUT_ACCOUNT: None, ABOUT_TEMPLATE: Reason.TEMPLATE_UNAVAILABLE},
            id="about the template",
        ),
        pytest.param(
            Outcome.REFUSED, Reason.MISCONFIGURED, {ABOUT_ACCOUNT: Reason.MISCONFIGURED}, id="about the account"
        ),
        pytest.param(Outcome.NOT_SENT, Reason.UNAVAILABLE, {ABOUT_ACCOUNT: Reason.UNAVAILABLE}, id="not reached"),
        pytest.param(Outcome.UNKNOWN, Reason.OUTCOME_UNKNOWN, {ABOUT_ACCOUNT: Reason.OUTCOME_UNKNOWN}, id="in doubt"),
        pytest.param(Outcome.NOT_SENT, Reason.THROTTLED, {}, id="asked for fewer"),
        pytest.param(Outcome.NOT_SENT, Reason.NOT_SENT, {}, id="our own mistake"),
        pytest.param(Outcome.HELD, Reason.RATE_LIMITED, {}, id="not attempted"),
        pytest.param(Outcome.STOPPED, Reason.CANCELLED, {}, id="stopped"),
    ],
)
def test_an_attempt_tells_news(outcome: Outcome, reason: Reason | None, news: dict[str, Reason | None]) -> None:
    found = news_of(outcome, reason, account_id=ACCOUNT, template_version_id=VERSION, locale="hi-IN", at=NOW)
    assert {item.subject: item.trouble for item in found} == news


def news(trouble: Reason | None, seconds: float) -> News:
    return News(subject=ABOUT_ACCOUNT, account_id=ACCOUNT, trouble=trouble, at=NOW + timedelta(seconds=seconds))


def test_a_success_seen_before_it_opened_does_not_close_it() -> None:
    circuit = opened()
    assert after(circuit, news(None, -1)) == circuit
    assert after(circuit, news(None, 1)) == Circuit(episode=1)


def test_trouble_that_was_on_its_way_when_it_opened_changes_nothing() -> None:
    circuit = opened()
    assert after(circuit, news(Reason.UNAVAILABLE, 1)) == circuit


def test_a_definite_cause_outranks_not_having_been_reached() -> None:
    graver = after_trouble(opened(), Reason.MISCONFIGURED, NOW)
    assert (graver.cause, graver.probe_at) == (Reason.MISCONFIGURED, NOW + timedelta(minutes=30))
    assert after_trouble(probing(graver, NOW), Reason.UNAVAILABLE, NOW).cause is Reason.MISCONFIGURED


def test_refusals_about_a_person_open_nothing() -> None:
    assert after_trouble(Circuit(), Reason.INVALID_ADDRESS, NOW) == Circuit()


def test_the_circuit_that_holds_the_longest_counts() -> None:
    paused = opened(Reason.TEMPLATE_UNAVAILABLE)
    assert strictest([None, opened(), paused], NOW) == paused
    assert strictest([None, Circuit()], NOW) is None


EVENTS = st.lists(
    st.tuples(st.sampled_from([None, *TROUBLES]), st.integers(0, 900), st.booleans()), min_size=1, max_size=60
)


@given(EVENTS)
def test_a_circuit_never_stays_open_without_a_next_probe(events: list[tuple[Reason | None, int, bool]]) -> None:
    circuit, now = Circuit(), NOW
    for trouble, seconds, takes_probe in events:
        now += timedelta(seconds=seconds)
        if takes_probe and admit(circuit, now) is Admission.PROBE:
            circuit = probing(circuit, now)
        circuit = after(circuit, News(subject=ABOUT_ACCOUNT, account_id=ACCOUNT, trouble=trouble, at=now))
        is_closed = circuit.state is CircuitState.CLOSED
        assert (circuit.probe_at is None) == is_closed == (circuit.cause is None) == (circuit.opened_at is None)
        if circuit.probe_at is not None:
            assert circuit.probe_at - now <= timedelta(hours=1)
            assert admit(circuit, circuit.probe_at) is Admission.PROBE


@given(EVENTS)
def test_one_success_closes(events: list[tuple[Reason | None, int, bool]]) -> None:
    circuit, now = Circuit(), NOW
    for trouble, seconds, _ in events:
        now += timedelta(seconds=seconds)
        circuit = after(circuit, News(subject=ABOUT_ACCOUNT, account_id=ACCOUNT, trouble=trouble, at=now))
    assert after_success(circuit) == Circuit(episode=circuit.episode)


@given(st.lists(st.booleans(), max_size=200))
def test_it_opens_only_after_five_failures_in_a_row(answers: list[bool]) -> None:
    circuit, in_a_row = Circuit(), 0
    for well in answers:
        if well:
            circuit, in_a_row = after_success(circuit), 0
        else:
            circuit, in_a_row = after_trouble(circuit, Reason.UNAVAILABLE, NOW), in_a_row + 1
        assert (circuit.state is CircuitState.OPEN) == (in_a_row >= FAILURES_TO_OPEN)


@given(st.integers(0, 500))
def test_only_one_probe_goes_per_permit(seconds: int) -> None:
    now = NOW + timedelta(seconds=5 + seconds)
    circuit = probing(opened(), now)
    assert admit(circuit, now) is Admission.HOLD
    assert admit(circuit, now + PROBE_PERMIT - timedelta(microseconds=1)) is Admission.HOLD
    assert admit(circuit, now + PROBE_PERMIT) is Admission.PROBE
