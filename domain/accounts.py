"""The life of an account: pending, active once verified, suspended and resumed, retired for ever."""

from enum import StrEnum


class AccountState(StrEnum):
    """Where an account stands; only an active one sends."""

    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    RETIRED = "retired"


class Step(StrEnum):
    """What may be done to an account."""

    VERIFY = "verify"
    SUSPEND = "suspend"
    RESUME = "resume"
    RETIRE = "retire"


_NEXT: dict[tuple[AccountState, Step], AccountState] = {
    (AccountState.PENDING, Step.VERIFY): AccountState.ACTIVE,
    (AccountState.ACTIVE, Step.VERIFY): AccountState.ACTIVE,
    (AccountState.SUSPENDED, Step.VERIFY): AccountState.SUSPENDED,
    (AccountState.ACTIVE, Step.SUSPEND): AccountState.SUSPENDED,
    (AccountState.SUSPENDED, Step.RESUME): AccountState.ACTIVE,
    (AccountState.PENDING, Step.RETIRE): AccountState.RETIRED,
    (AccountState.ACTIVE, Step.RETIRE): AccountState.RETIRED,
    (AccountState.SUSPENDED, Step.RETIRE): AccountState.RETIRED,
}


def after(state: AccountState, step: Step) -> AccountState | None:
    """Returns the state that `step` leads to, or nothing when it is not possible from `state`."""
    return _NEXT.get((state, step))


def possible(state: AccountState) -> tuple[Step, ...]:
    """Returns what may be done to an account in `state`."""
    return tuple(step for step in Step if (state, step) in _NEXT)
