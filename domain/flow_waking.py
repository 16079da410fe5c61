"""What may wake a series where it stands, known without a look: for those who let it stand elsewhere."""

from typing import assert_never

from domain.flow_consents import answers_to
from domain.flow_program import Await, Confirming, Fork, Goto, Instruction, Pause, Program, Round, Take
from domain.flow_steps import Awaited, Digest


def awaited_at(program: Program, place: int) -> tuple[Awaited, ...]:
    """Returns all that a series may wait for at an instruction, and behind it before it does anything or time passes.

    What its conditions say is not known, so it is more than what a look finds; never less.
    """
    found: dict[Awaited, None] = {}
    seen: set[int] = set()
    ahead = [place]
    while ahead:
        here = ahead.pop()
        if here in seen or here >= len(program.instructions):
            continue
        seen.add(here)
        awaited, following = _one(program.instructions[here], here)
        found |= dict.fromkeys(awaited)
        ahead += reversed(following)
    return tuple(found)


def _one(  # noqa: PLR0911 - one for each instruction
    instruction: Instruction, here: int
) -> tuple[tuple[Awaited, ...], tuple[int, ...]]:
    """Returns what is waited for at one instruction, and where it may go on at once."""
    match instruction:
        case Await(step=step):
            return step.awaited, ()
        case Confirming(step=step):
            return answers_to(step), ()
        case Take(step=Digest(events=events)):
            return tuple(Awaited(kind="event", name=name) for name in events), ()
        case Take() | Pause():
            return (), ()
        case Goto(to=to):
            return (), (to,)
        case Fork(cases=cases, otherwise=otherwise):
            return (), (*(place for _, place in cases), otherwise)
        case Round(end=end):
            return (), (here + 1, end)
        case _ as never:
            assert_never(never)
