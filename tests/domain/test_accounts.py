"""The life of an account."""

import pytest

from domain.accounts import AccountState, Step, after, possible

LIFE = {
    AccountState.PENDING: {Step.VERIFY: AccountState.ACTIVE, Step.RETIRE: AccountState.RETIRED},
    AccountState.ACTIVE: {
        Step.VERIFY: AccountState.ACTIVE,
        Step.SUSPEND: AccountState.SUSPENDED,
        Step.RETIRE: AccountState.RETIRED,
    },
    AccountState.SUSPENDED: {
        Step.VERIFY: AccountState.SUSPENDED,
        Step.RESUME: AccountState.ACTIVE,
        Step.RETIRE: AccountState.RETIRED,
    },
    AccountState.RETIRED: {},
}


@pytest.mark.parametrize("state", AccountState)
@pytest.mark.parametrize("step", Step)
def test_each_step_leads_where_it_should_or_nowhere(state: AccountState, step: Step) -> None:
    assert after(state, step) == LIFE[state].get(step)


@pytest.mark.parametrize("state", AccountState)
def test_what_is_possible_is_what_leads_somewhere(state: AccountState) -> None:
    assert set(possible(state)) == set(LIFE[state])


def test_only_verification_leads_from_pending_to_active() -> None:
    assert [step for step in Step if after(AccountState.PENDING, step) is AccountState.ACTIVE] == [Step.VERIFY]
