"""The life of accounts over HTTP: verified, suspended, resumed, retired."""

from typing import Any

from fastapi import Response
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.verification import VerificationError, verify
from api import account_config
from api.account_models import Account, Suspension
from api.accounts import AccountId, Writer, answered, care_of, locked
from api.audit import record
from api.auth import Principal
from api.openapi import problem_responses
from api.problem_types import Kind
from api.problems import Problem, not_found
from api.routing import noun_router
from api.services import Services, ServicesOf
from db import accounts, circuits, outages
from db.accounts import Account as StoredAccount
from domain.accounts import AccountState, Step, after, possible

router = noun_router("/v1/accounts/{account_id}", "Accounts", responses=problem_responses(Kind.WRONG_STATE))


@router.post("/verify", summary="Verify an account", responses=problem_responses(Kind.VERIFICATION_FAILED))
async def verify_account(account_id: AccountId, principal: Writer, services: ServicesOf, response: Response) -> Account:
    """Asks the provider whether the account's credentials work; a pending account becomes active."""
    async with services.database.tenant(principal.tenant_id) as connection:
        row = await accounts.get(connection, principal.tenant_id, account_id)
    if row is None:
        raise not_found("account")
    _next_state(row, Step.VERIFY)
    await _ask_provider(services, principal, row)
    async with services.database.tenant(principal.tenant_id) as connection:
        current = await locked(connection, principal.tenant_id, account_id)
        if current.sealed_config != row.sealed_config:
            raise Problem(Kind.WRONG_STATE, "The account was changed meanwhile; verify it again.", state=current.state)
        state = _next_state(current, Step.VERIFY)
        row = await accounts.change(
            connection, principal.tenant_id, account_id, state=state.value, verified_at=services.now()
        )
        await record(connection, principal, "account.verified", account_id, state=state.value)
        await _go_on(connection, principal, current, state)
        return answered(response, row, await care_of(connection, principal, account_id))


@router.post("/suspend", summary="Suspend an account")
async def suspend_account(
    account_id: AccountId, body: Suspension, principal: Writer, services: ServicesOf, response: Response
) -> Account:
    """Lets nothing more be sent through an active account; callbacks are still taken."""
    return await _step(services, principal, account_id, response, Step.SUSPEND, state_reason=body.reason)


@router.post("/resume", summary="Resume an account")
async def resume_account(account_id: AccountId, principal: Writer, services: ServicesOf, response: Response) -> Account:
    """Lets a suspended account send again."""
    return await _step(services, principal, account_id, response, Step.RESUME, state_reason=None)


@router.post("/retire", summary="Retire an account")
async def retire_account(account_id: AccountId, principal: Writer, services: ServicesOf, response: Response) -> Account:
    """Ends an account for ever; callbacks about what it sent are still taken."""
    return await _step(services, principal, account_id, response, Step.RETIRE, state_reason=None)


async def _step(
    services: Services, principal: Principal, account_id: AccountId, response: Response, step: Step, **values: Any
) -> Account:
    async with services.database.tenant(principal.tenant_id) as connection:
        row = await locked(connection, principal.tenant_id, account_id)
        state = _next_state(row, step)
        changed = await accounts.change(connection, principal.tenant_id, account_id, state=state.value, **values)
        noted = {"reason": values["state_reason"]} if values["state_reason"] else {}
        await record(connection, principal, f"account.{_PAST[step]}", account_id, **noted)
        if step is not Step.SUSPEND:
            await _go_on(connection, principal, row, state)
        return answered(response, changed, await care_of(connection, principal, account_id))


async def _go_on(connection: AsyncConnection, principal: Principal, before: StoredAccount, state: AccountState) -> None:
    """Closes the account's circuits, so that what was parked looks for a way; an active one takes over more."""
    await circuits.close(connection, principal.tenant_id, before.id)
    if state is AccountState.ACTIVE and before.state != AccountState.ACTIVE:
        await outages.release_to(connection, principal.tenant_id, before.id, actor=principal.actor)


_PAST = {Step.SUSPEND: "suspended", Step.RESUME: "resumed", Step.RETIRE: "retired", Step.VERIFY: "verified"}


async def _ask_provider(services: Services, principal: Principal, row: StoredAccount) -> None:
    """Raises the problem that the provider tells; no transaction is open while it is asked."""
    config = account_config.opened(services, principal.tenant_id, row)
    provider = account_config.configure(services, row.provider, config)
    try:
        await verify(provider, allowed_hosts=services.settings.allowed_provider_hosts)
    except VerificationError as error:
        raise Problem(Kind.VERIFICATION_FAILED, str(error), code=error.code, retryable=error.retryable) from error


def _next_state(row: StoredAccount, step: Step) -> AccountState:
    state = AccountState(row.state)
    found = after(state, step)
    if found is None:
        can = ", ".join(possible(state)) or "nothing"
        raise Problem(Kind.WRONG_STATE, f"The account is {state}; it cannot {step}, it can: {can}.", state=state.value)
    return found
