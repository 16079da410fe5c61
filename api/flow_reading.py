"""From the model of a flow file to the flow that series are decided by, with everything that is wrong with it."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from api import flow_models as wire
from api import flow_moment_models as moments
from api.flow_quiet import QuietHoursRule
from api.flow_words import DAYS, clock
from domain import durations
from domain import flow_steps as flow
from domain.conditions import ConditionError, check
from domain.faults import Fault
from domain.flow_members import Placed
from domain.quiet_hours import InQuiet, Quiet, QuietHours
from domain.recipients import Channel

KNOWN = frozenset({"event", "recipient", "series", "data", "outcomes", "heard"})
"""What conditions and expressions of a flow may see."""


def flow_of(file: wire.FlowFile) -> tuple[flow.Flow, tuple[Fault, ...], tuple[Placed, ...]]:
    """Returns the flow that a file defines, what is wrong with it beyond its shape, and its expressions."""
    reading = _Reading(file)
    steps = reading.steps(file.steps, "/steps")
    if reading.count > 5 * wire.MOST_STEPS:
        message = f"the flow has {reading.count} steps; {5 * wire.MOST_STEPS} are possible"
        reading.faults.append(Fault(pointer="/steps", message=message))
    for name in ("match", "key", "stop_if"):
        reading.judge(getattr(file, name), f"/{name}")
    to = _receiver(file.to)
    if to is not None:
        reading.judge(to[1], f"/to/{to[0]}")
    elif file.on:
        reading.faults.append(Fault(pointer="/on", message="an event that starts a series needs `to`: whom it is for"))
    found = flow.Flow(
        name=file.name,
        title=file.title,
        steps=steps,
        on=tuple(file.on),
        match=file.match,
        key=file.key,
        to=to,
        again=flow.Again(file.again),
        stop_when=_awaited(file.stop_when),
        stop_if=file.stop_if,
        quiet=_quiet(file.quiet_hours),
    )
    return found, tuple(reading.faults), tuple(reading.expressions)


class _Reading:
    """Turns steps over, gives names to those that have none, and notes what is wrong."""

    def __init__(self, file: wire.FlowFile) -> None:
        self.faults: list[Fault] = []
        self.expressions: list[Placed] = []
        self.count = 0
        self._given = set(_ids(file.model_dump()))
        self._seen: set[str] = set()
        self._made: Counter[str] = Counter()

    def judge(self, condition: str | None, pointer: str) -> None:
        """Notes a condition, and what is wrong with it."""
        if condition is None:
            return
        self.expressions.append(Placed(pointer=pointer, expression=condition))
        try:
            check(condition, KNOWN)
        except ConditionError as error:
            self.faults.append(Fault(pointer=pointer, message=str(error)))

    def steps(self, steps: Sequence[Any], pointer: str) -> tuple[flow.FlowStep, ...]:
        """Returns steps of one list."""
        return tuple(self._step(step, f"{pointer}/{index}") for index, step in enumerate(steps))

    def _step(self, step: Any, pointer: str) -> flow.FlowStep:
        name = self._name(step, pointer)
        return _MAKERS[type(step)](self, step, name, pointer)

    def _name(self, step: Any, pointer: str) -> str:
        self.count += 1
        name = step.id or self._made_for(wire.verb_of(step) or "step")
        if name in self._seen:
            self.faults.append(Fault(pointer=f"{pointer}/id", message=f"another step is called {name!r} already"))
        self._seen.add(name)
        return name

    def _made_for(self, verb: str) -> str:
        while True:
            self._made[verb] += 1
            if (name := f"{verb}_{self._made[verb]}") not in self._given:
                return name

    def send(self, step: wire.SendStep, name: str, pointer: str) -> flow.Send:
        """Returns a step that sends."""
        for key, expression in step.data.items():
            self.judge(expression, f"{pointer}/data/{key}")
        self.judge(step.to, f"{pointer}/to")
        return flow.Send(
            id=name,
            template=step.send,
            channels=tuple(Channel(one) for one in step.channels or ()),
            fallback={one.value: rule.model_dump(exclude_defaults=True) for one, rule in step.fallback.items()},
            data=dict(step.data),
            to=step.to,
            expires=durations.parse(step.expires) if step.expires else None,
            critical=step.critical,
            taps=flow.Taps(step.taps),
        )

    def wait(self, step: wire.WaitStep, name: str, _pointer: str) -> flow.Wait:
        """Returns a step that waits."""
        return flow.Wait(id=name, moment=_moment(step.wait), past=flow.Past(step.past))

    def wait_for(self, step: wire.WaitForStep, name: str, pointer: str) -> flow.WaitFor:
        """Returns a step that waits for something."""
        if step.on_timeout and step.timeout is None:
            self.faults.append(Fault(pointer=f"{pointer}/timeout", message="`on_timeout` needs a `timeout`"))
        return flow.WaitFor(
            id=name,
            awaited=_awaited(step.wait_for),
            timeout=durations.parse(step.timeout) if step.timeout else None,
            since=flow.Since(step.since),
            then=self.steps(step.then, f"{pointer}/then"),
            on_timeout=self.steps(step.on_timeout, f"{pointer}/on_timeout"),
        )

    def confirm(self, step: wire.ConfirmStep, name: str, pointer: str) -> flow.Confirm:
        """Returns a step that asks for consent."""
        for key, expression in step.data.items():
            self.judge(expression, f"{pointer}/data/{key}")
        return flow.Confirm(
            id=name,
            template=step.confirm,
            topic=step.topic,
            timeout=durations.parse(step.timeout),
            channel=step.channel,
            channels=tuple(Channel(one) for one in step.channels or ()),
            data=dict(step.data),
            then=self.steps(step.then, f"{pointer}/then"),
            on_denied=self.steps(step.on_denied, f"{pointer}/on_denied"),
            on_timeout=self.steps(step.on_timeout, f"{pointer}/on_timeout"),
        )

    def branch(self, step: wire.BranchStep, name: str, pointer: str) -> flow.Branch:
        """Returns a step that chooses."""
        cases = []
        for index, case in enumerate(step.branch):
            place = f"{pointer}/branch/{index}"
            self.judge(case.when, f"{place}/when")
            cases.append(flow.Case(when=case.when, steps=self.steps(case.steps, f"{place}/steps")))
        return flow.Branch(id=name, cases=tuple(cases), otherwise=self.steps(step.otherwise, f"{pointer}/otherwise"))

    def repeat(self, step: wire.RepeatStep, name: str, pointer: str) -> flow.Repeat:
        """Returns a step that repeats others."""
        self.judge(step.until, f"{pointer}/until")
        return flow.Repeat(
            id=name,
            steps=self.steps(step.repeat, f"{pointer}/repeat"),
            every=durations.parse(step.every) if step.every else None,
            rule=step.rule,
            most=step.most,
            at=clock(step.at) if step.at else None,
            until=step.until,
        )

    def digest(self, step: wire.DigestStep, name: str, _pointer: str) -> flow.Digest:
        """Returns a step that collects."""
        return flow.Digest(id=name, events=tuple(step.digest), window=durations.parse(step.window), most=step.most)

    def throttle(self, step: wire.ThrottleStep, name: str, _pointer: str) -> flow.Throttle:
        """Returns a step that ends what is too much."""
        return flow.Throttle(id=name, most=step.throttle, per=durations.parse(step.per))

    def call(self, step: wire.CallStep, name: str, pointer: str) -> flow.Call:
        """Returns a step that asks a service."""
        for key, expression in step.data.items():
            self.judge(expression, f"{pointer}/data/{key}")
        return flow.Call(id=name, url=step.call, data=dict(step.data))

    def update(self, step: wire.UpdateStep, name: str, pointer: str) -> flow.Update:
        """Returns a step that changes the recipient."""
        for member in ("update", "profile"):
            for key, expression in getattr(step, member).items():
                self.judge(expression, f"{pointer}/{member}/{key}")
        profile = {str(one): expression for one, expression in step.profile.items()}
        return flow.Update(id=name, attributes=dict(step.update), profile=profile, consents=dict(step.consents))

    def stop(self, step: wire.StopStep, name: str, _pointer: str) -> flow.Stop:
        """Returns a step that ends the series."""
        return flow.Stop(id=name, reason=step.stop if isinstance(step.stop, str) else None)


_MAKERS: dict[type, Callable[[_Reading, Any, str, str], flow.FlowStep]] = {
    wire.SendStep: _Reading.send,
    wire.WaitStep: _Reading.wait,
    wire.WaitForStep: _Reading.wait_for,
    wire.ConfirmStep: _Reading.confirm,
    wire.BranchStep: _Reading.branch,
    wire.RepeatStep: _Reading.repeat,
    wire.DigestStep: _Reading.digest,
    wire.ThrottleStep: _Reading.throttle,
    wire.CallStep: _Reading.call,
    wire.UpdateStep: _Reading.update,
    wire.StopStep: _Reading.stop,
}


def _ids(value: Any) -> Iterator[str]:
    """Yields every name that somebody gave to a step."""
    if isinstance(value, dict):
        if isinstance(value.get("id"), str):
            yield value["id"]
        for inner in value.values():
            yield from _ids(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _ids(inner)


def _moment(said: str | moments.UntilMoment | moments.NextMoment) -> flow.Moment:
    match said:
        case str():
            return flow.For(span=durations.parse(said))
        case moments.NextMoment():
            weekdays = frozenset(map(DAYS.index, said.weekdays))
            return flow.NextLocal(at=clock(said.next), weekdays=weekdays, holidays=said.holidays)
        case _:
            is_instant = said.until[0].isdigit()
            return flow.Until(
                instant=datetime.fromisoformat(said.until).astimezone(UTC) if is_instant else None,
                anchor=None if is_instant else said.until,
                offset=durations.parse(said.offset, signed=True) if said.offset else durations.Span(),
                at=clock(said.at) if said.at else None,
            )


def _receiver(said: wire.Receiver | None) -> tuple[str, str] | None:
    given = said.model_dump(exclude_none=True) if said else {}
    return next(iter(given.items()), None)


def _quiet(said: QuietHoursRule | None) -> Quiet | None:
    if said is None or said.mode == "ignore":
        return None
    if said.begin is None or said.end is None:  # holidays alone
        hours = QuietHours(start=time(0), end=time(0), weekdays=frozenset())
    else:
        weekdays = frozenset(map(DAYS.index, said.days))
        hours = QuietHours(start=clock(said.begin), end=clock(said.end), weekdays=weekdays)
    spread = durations.parse(said.spread).exact if said.spread else timedelta(0)
    return Quiet(hours=hours, mode=InQuiet(said.mode), spread=spread, holidays=said.holidays)


def _awaited(hearings: Sequence[str]) -> tuple[flow.Awaited, ...]:
    pairs = [hearing.partition(":") for hearing in hearings]
    return tuple(flow.Awaited(kind=kind, name=name or None) for kind, _, name in pairs)
