"""Accounts over HTTP: through whom messages go."""

from typing import Annotated, Any
from uuid import UUID

import uuid_utils.compat
from fastapi import Path, Query, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from api import account_config
from api.account_models import Account, AccountChanges, AccountPage, NewAccount, SecretRotation, shown
from api.audit import record
from api.auth import Principal, needs
from api.etags import IfMatch, check, etag
from api.limit_models import stored
from api.openapi import problem_responses
from api.paging import PagingOf
from api.problem_types import Kind
from api.problems import Problem, invalid, not_found
from api.routing import noun_router
from api.scopes import Scope
from api.services import Services, ServicesOf
from db import account_care, accounts, circuits, outages
from db.account_care import Care
from db.accounts import Account as StoredAccount
from domain.accounts import AccountState
from domain.faults import Fault, escape_pointer
from domain.recipients import Channel
from providers import PROVIDERS

router = noun_router("/v1/accounts", "Accounts")

Reader = Annotated[Principal, needs(Scope.ACCOUNTS_READ)]
Writer = Annotated[Principal, needs(Scope.ACCOUNTS_WRITE)]
_SERVER = frozenset({"base_url", "host"})
AccountId = Annotated[UUID, Path(description="The account.")]


@router.post("", status_code=201, summary="Create an account", responses=problem_responses(Kind.ALREADY_EXISTS))
async def create_account(body: NewAccount, principal: Writer, services: ServicesOf, response: Response) -> Account:
    """Creates an account, pending until it is verified; secrets are sealed and never shown again."""
    provider = account_config.configure(services, body.provider, body.config)
    account_id = uuid_utils.compat.uuid7()
    new = accounts.NewAccount(
        id=account_id,
        name=body.name,
        channel=provider.channel.value,
        provider=body.provider,
        sender=provider.sender(),
        priority=body.priority,
        weight=body.weight,
        limits=stored(body.limits),
        sealed_config=account_config.seal(services, principal.tenant_id, account_id, body.config),
        public_config=account_config.public(body.provider, body.config),
    )
    async with services.database.tenant(principal.tenant_id) as connection:
        created = await accounts.create(connection, principal.tenant_id, new)
        if created is None:
            raise _taken(body.name)
        noted = {"name": body.name, "provider": body.provider, "sender": new.sender}
        await record(connection, principal, "account.created", account_id, **noted)
    response.headers["Location"] = f"/v1/accounts/{account_id}"
    return answered(response, created, Care())


@router.get("", summary="List accounts")
async def list_accounts(
    principal: Reader,
    services: ServicesOf,
    paging: PagingOf,
    channel: Channel | None = None,
    state: AccountState | None = None,
    provider: Annotated[str | None, Query(max_length=64)] = None,
) -> AccountPage:
    """Returns accounts, the newest first."""
    wanted = {"channel": channel, "state": state, "provider": provider}
    async with services.database.tenant(principal.tenant_id) as connection:
        rows = await accounts.page(
            connection,
            principal.tenant_id,
            wanted={name: str(value) for name, value in wanted.items() if value is not None},
            limit=paging.fetch,
            before=paging.before,
        )
        care = await account_care.read(connection, principal.tenant_id, [row.id for row in rows])
    return paging.page(AccountPage, rows, lambda row: shown(row, care[row.id]))


@router.get("/{account_id}", summary="Read an account")
async def get_account(account_id: AccountId, principal: Reader, services: ServicesOf, response: Response) -> Account:
    """Returns an account, without its secrets."""
    async with services.database.tenant(principal.tenant_id) as connection:
        row = await accounts.get(connection, principal.tenant_id, account_id)
        if row is None:
            raise not_found("account")
        return answered(response, row, await care_of(connection, principal, account_id))


@router.patch(
    "/{account_id}",
    summary="Change an account",
    responses=problem_responses(Kind.PRECONDITION_FAILED, Kind.ALREADY_EXISTS, Kind.WRONG_STATE),
)
async def change_account(
    account_id: AccountId,
    body: AccountChanges,
    principal: Writer,
    services: ServicesOf,
    response: Response,
    if_match: IfMatch = None,
) -> Account:
    """Changes name, order, limits or public configuration; what is left out stays as it is."""
    async with services.database.tenant(principal.tenant_id) as connection:
        before = row = await locked(connection, principal.tenant_id, account_id)
        check(if_match, row.updated_at)
        values: dict[str, Any] = {}
        if body.name is not None:
            if await accounts.is_named(connection, principal.tenant_id, body.name, besides=account_id):
                raise _taken(body.name)
            values["name"] = body.name
        values |= body.model_dump(include={"priority", "weight"}, exclude_none=True)
        if body.limits is not None:
            values["limits"] = stored(body.limits)
        if body.config is not None:
            _refuse_unchangeable(row, body.config)
            values |= _reconfigured(services, principal, row, body.config, pointer="/config")
        if values:
            row = await accounts.change(connection, principal.tenant_id, account_id, **values)
            await record(connection, principal, "account.changed", account_id, fields=sorted(body.model_fields_set))
        if body.limits is not None:
            limits = {"before": before.limits, "now": row.limits}
            await outages.release_capped(connection, principal.tenant_id, account_id, actor=principal.actor, **limits)
        if body.config is not None:
            await circuits.close(connection, principal.tenant_id, account_id)
        return answered(response, row, await care_of(connection, principal, account_id))


@router.post(
    "/{account_id}/rotate-secret",
    summary="Rotate secrets",
    responses=problem_responses(Kind.PRECONDITION_FAILED, Kind.WRONG_STATE),
)
async def rotate_account_secret(
    account_id: AccountId,
    body: SecretRotation,
    principal: Writer,
    services: ServicesOf,
    response: Response,
    if_match: IfMatch = None,
) -> Account:
    """Replaces secret fields and keeps the others; verify the account afterwards."""
    async with services.database.tenant(principal.tenant_id) as connection:
        row = await locked(connection, principal.tenant_id, account_id)
        check(if_match, row.updated_at)
        known = PROVIDERS[row.provider].secret_fields
        if faults := [_unknown_secret(name, known) for name in body.secrets if name not in known]:
            raise invalid(*faults)
        values = _reconfigured(services, principal, row, body.secrets, pointer="/secrets")
        row = await accounts.change(connection, principal.tenant_id, account_id, **values)
        await record(connection, principal, "account.secret_rotated", account_id, fields=sorted(body.secrets))
        await circuits.close(connection, principal.tenant_id, account_id)
        return answered(response, row, await care_of(connection, principal, account_id))


async def locked(connection: AsyncConnection, tenant_id: UUID, account_id: UUID) -> StoredAccount:
    """Returns an account that nobody else changes in this transaction, or raises that there is none."""
    row = await accounts.get(connection, tenant_id, account_id, lock=True)
    if row is None:
        raise not_found("account")
    return row


async def care_of(connection: AsyncConnection, principal: Principal, account_id: UUID) -> Care:
    """Returns how an account fares."""
    return (await account_care.read(connection, principal.tenant_id, [account_id]))[account_id]


def answered(response: Response, row: StoredAccount, care: Care) -> Account:
    """Returns an account as the answer to a request about it, with its version."""
    response.headers["ETag"] = etag(row.updated_at)
    return shown(row, care)


def _reconfigured(
    services: Services, principal: Principal, row: StoredAccount, fields: dict[str, Any], *, pointer: str
) -> dict[str, Any]:
    """Returns the columns of an account whose configuration gets these fields; it counts as not verified again."""
    if row.state == AccountState.RETIRED:
        raise Problem(Kind.WRONG_STATE, "The account is retired for ever; create a new one.", state=row.state)
    config = account_config.opened(services, principal.tenant_id, row) | fields
    if account_config.configure(services, row.provider, config, pointer=pointer).sender() != row.sender:
        message = "This would make another sender of it; create an account of its own for that."
        raise invalid(Fault(pointer=pointer, message=message))
    return {
        "sealed_config": account_config.seal(services, principal.tenant_id, row.id, config),
        "public_config": account_config.public(row.provider, config),
        "verified_at": None,
    }


def _refuse_unchangeable(row: StoredAccount, config: dict[str, Any]) -> None:
    """Refuses secrets, which have their own way, and other servers, to which the secrets of this one would go."""
    faults = []
    for name, value in config.items():
        place = f"/config/{escape_pointer(name)}"
        if name in PROVIDERS[row.provider].secret_fields:
            faults.append(Fault(pointer=place, message="Secrets are changed with POST …/rotate-secret."))
        elif name in _SERVER and value != row.public_config.get(name):
            faults.append(Fault(pointer=place, message="Another server needs an account of its own; create one."))
    if faults:
        raise invalid(*faults)


def _unknown_secret(name: str, known: frozenset[str]) -> Fault:
    message = f"There is no such secret field; there are {', '.join(sorted(known))}."
    return Fault(pointer=f"/secrets/{escape_pointer(name)}", message=message)


def _taken(name: str) -> Problem:
    return Problem(Kind.ALREADY_EXISTS, f"An account is named {name!r} already; choose another name.")
