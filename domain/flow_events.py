"""Which events begin a series of a flow, and which ones its series listen to."""

from collections.abc import Iterable, Iterator

from domain.flow_steps import Awaited, Branch, Confirm, Digest, Flow, FlowStep, Repeat, WaitFor


def fits(pattern: str, name: str) -> bool:
    """Tells whether an event's name is what a pattern means; `*` at its end stands for anything."""
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def most_exact(patterns: Iterable[str], name: str) -> str | None:
    """Returns the pattern that says most about a name: the name itself, else the longest beginning."""
    found = [pattern for pattern in patterns if fits(pattern, name)]
    return max(found, key=lambda pattern: (not pattern.endswith("*"), len(pattern)), default=None)


def heard_events(flow: Flow) -> tuple[str, ...]:
    """Returns the patterns of all events that a series of the flow may wait for, collect or stop at."""
    own = [_pattern(awaited) for awaited in flow.stop_when if awaited.kind == "event"]
    return tuple(sorted({*own, *(pattern for step in every_step(flow.steps) for pattern in _of(step))}))


def every_step(steps: Iterable[FlowStep]) -> Iterator[FlowStep]:
    """Yields steps with all that they hold, in the order of the definition."""
    for step in steps:
        yield step
        match step:
            case WaitFor():
                yield from every_step((*step.then, *step.on_timeout))
            case Confirm():
                yield from every_step((*step.then, *step.on_denied, *step.on_timeout))
            case Branch():
                for case in step.cases:
                    yield from every_step(case.steps)
                yield from every_step(step.otherwise)
            case Repeat():
                yield from every_step(step.steps)
            case _:
                pass


def _of(step: FlowStep) -> Iterator[str]:
    match step:
        case WaitFor():
            yield from (_pattern(awaited) for awaited in step.awaited if awaited.kind == "event")
        case Digest():
            yield from step.events
        case _:
            pass


def _pattern(awaited: Awaited) -> str:
    return awaited.name or "*"
