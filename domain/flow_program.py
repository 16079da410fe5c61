"""A flow as a list of instructions, so that a series stands at one number and steps in steps cost nothing more."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from domain.flow_steps import Branch, Confirm, Flow, FlowStep, Repeat, Wait, WaitFor


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """Takes a step; afterwards the next instruction follows."""

    step: FlowStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Waits for a moment; one that is over already and is to be skipped goes on at `skip_to`."""

    step: Wait
    skip_to: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Await:
    """Waits until something is heard, or goes on at `timeout_to`."""

    step: WaitFor
    timeout_to: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirming:
    """Goes on by the consent that stands; where none does, to the question, or, once it is `asked`, waits."""

    step: Confirm
    asked: bool
    answers: dict[str, int] = field(default_factory=dict)
    timeout_to: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """Goes on where the first condition that holds says, or at `otherwise`."""

    step: Branch
    cases: tuple[tuple[str, int], ...]
    otherwise: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Begins the next round of a repetition, or goes on at `end`."""

    step: Repeat
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Goto:
    """Goes on elsewhere."""

    to: int


Instruction = Take | Pause | Await | Confirming | Fork | Round | Goto


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A flow with its instructions; one place behind the last of them it is done."""

    flow: Flow
    instructions: tuple[Instruction, ...]
    places: dict[str, int] = field(default_factory=dict)
    """Where each step begins, by its id."""

    def step_at(self, place: int) -> str | None:
        """Returns the id of the step that an instruction belongs to, or None behind the end and between steps."""
        if place >= len(self.instructions):
            return None
        instruction = self.instructions[place]
        return None if isinstance(instruction, Goto) else instruction.step.id

    def next_step(self, place: int) -> str | None:
        """Returns the id of the step that comes next at an instruction, or None where none does."""
        while place < len(self.instructions) and isinstance(instruction := self.instructions[place], Goto):
            place = instruction.to
        return self.step_at(place)


def compiled(flow: Flow) -> Program:
    """Returns the program of a flow; the same definition gives the same program, always."""
    made: list[Instruction] = []
    places: dict[str, int] = {}
    _add(flow.steps, made, places)
    return Program(flow=flow, instructions=tuple(made), places=places)


def _add(steps: Sequence[FlowStep], made: list[Instruction], places: dict[str, int]) -> None:
    pauses: list[tuple[int, Wait]] = []
    for step in steps:
        if isinstance(step, Wait | WaitFor | Confirm):
            _let_skip(pauses, made)
        places[step.id] = len(made)
        match step:
            case Wait():
                pauses.append((len(made), step))
                made.append(Pause(step=step))
            case WaitFor():
                _add_await(step, made, places)
            case Confirm():
                _add_confirm(step, made, places)
            case Branch():
                _add_branch(step, made, places)
            case Repeat():
                _add_repeat(step, made, places)
            case _:
                made.append(Take(step=step))
    _let_skip(pauses, made)


def _let_skip(pauses: list[tuple[int, Wait]], made: list[Instruction]) -> None:
    """Says of the pauses before here that what they skip ends here."""
    for place, step in pauses:
        made[place] = Pause(step=step, skip_to=len(made))
    pauses.clear()


def _add_await(step: WaitFor, made: list[Instruction], places: dict[str, int]) -> None:
    here = len(made)
    made.append(Await(step=step, timeout_to=here))
    _add(step.then, made, places)
    leave = len(made)
    made.append(Goto(to=leave))
    made[here] = Await(step=step, timeout_to=len(made))
    _add(step.on_timeout, made, places)
    made[leave] = Goto(to=len(made))


def _add_confirm(step: Confirm, made: list[Instruction], places: dict[str, int]) -> None:
    here = len(made)
    made += [Confirming(step=step, asked=False), Take(step=step), Confirming(step=step, asked=True)]
    begins: dict[str, int] = {}
    leaves: list[int] = []
    for answer, steps in (("granted", step.then), ("denied", step.on_denied), ("timeout", step.on_timeout)):
        begins[answer] = len(made)
        _add(steps, made, places)
        leaves.append(len(made))
        made.append(Goto(to=here))
    timeout_to = begins.pop("timeout")
    for place, asked in ((here, False), (here + 2, True)):
        made[place] = Confirming(step=step, asked=asked, answers=begins, timeout_to=timeout_to)
    for leave in leaves:
        made[leave] = Goto(to=len(made))


def _add_branch(step: Branch, made: list[Instruction], places: dict[str, int]) -> None:
    here = len(made)
    made.append(Fork(step=step, cases=(), otherwise=here))
    begins: list[tuple[str, int]] = []
    leaves: list[int] = []
    for case in step.cases:
        begins.append((case.when, len(made)))
        _add(case.steps, made, places)
        leaves.append(len(made))
        made.append(Goto(to=here))
    made[here] = Fork(step=step, cases=tuple(begins), otherwise=len(made))
    _add(step.otherwise, made, places)
    for leave in leaves:
        made[leave] = Goto(to=len(made))


def _add_repeat(step: Repeat, made: list[Instruction], places: dict[str, int]) -> None:
    here = len(made)
    made.append(Round(step=step, end=here))
    _add(step.steps, made, places)
    made.append(Goto(to=here))
    made[here] = Round(step=step, end=len(made))
