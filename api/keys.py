"""API keys: a tenant makes them, rotates them, revokes them; the secret is shown once."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import uuid_utils.compat
from fastapi import Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from api import credentials
from api.audit import record
from api.auth import Principal, needs
from api.models import Body, Moment, Shown, Text
from api.openapi import problem_responses
from api.paging import Page, PagingOf
from api.problem_types import Kind
from api.problems import Problem, invalid, not_found
from api.routing import noun_router
from api.scopes import Scope
from api.services import Services, ServicesOf
from db import keys
from domain.faults import Fault
from sealing import KeyRing

router = noun_router("/v1/keys", "Keys")

_LONGEST_OVERLAP = 30 * 24 * 3600
Manager = Annotated[Principal, needs(Scope.KEYS_WRITE)]


class NewKey(Body):
    """What a new key may do, and until when."""

    name: Text = Field(examples=["Commerce back end"])
    scopes: list[Scope] = Field(min_length=1, max_length=len(Scope), examples=[["notifications:send"]])
    expires_at: Moment | None = None


class Rotation(Body):
    """How long the old key stays valid beside the new one."""

    overlap_seconds: int = Field(default=24 * 3600, ge=0, le=_LONGEST_OVERLAP)


class Key(Shown):
    """An API key, without its secret."""

    id: UUID
    name: str
    prefix: str
    scopes: list[str]
    created_at: datetime
    last_used_at: datetime | None = Field(description="Exact to about a minute.")
    expires_at: datetime | None
    revoked_at: datetime | None


class CreatedKey(Key):
    """A new API key; `secret` is what callers send, and it is never shown again."""

    secret: str = Field(examples=["car_4bY0qLw2Zt1x_…"])


class KeyPage(Page[Key]):
    """A page of API keys."""


async def issue(
    connection: AsyncConnection,
    tenant_id: UUID,
    key_ring: KeyRing,
    *,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None = None,
) -> CreatedKey:
    """Returns a new key of a tenant with its secret."""
    credential = credentials.generate()
    key = await keys.create(
        connection,
        tenant_id,
        uuid_utils.compat.uuid7(),
        name=name,
        prefix=credential.prefix,
        digest=credential.digest(key_ring),
        scopes=scopes,
        expires_at=expires_at,
    )
    return CreatedKey(**Key.model_validate(key).model_dump(), secret=str(credential))


@router.post("", status_code=201, summary="Create a key")
async def create_key(body: NewKey, principal: Manager, services: ServicesOf, response: Response) -> CreatedKey:
    """Creates a key and shows its secret, this once; it may do no more than the key that creates it."""
    _check_grant(principal, body.scopes)
    if body.expires_at is not None and body.expires_at <= services.now():
        raise invalid(Fault(pointer="/expires_at", message="The time has passed; give one in the future."))
    scopes = sorted({scope.value for scope in body.scopes})
    async with services.database.tenant(principal.tenant_id) as connection:
        created = await issue(
            connection,
            principal.tenant_id,
            services.key_ring,
            name=body.name,
            scopes=scopes,
            expires_at=body.expires_at,
        )
        await record(connection, principal, "key.created", created.id, name=body.name, scopes=scopes)
    response.headers["Location"] = f"/v1/keys/{created.id}"
    return created


@router.get("", summary="List keys")
async def list_keys(principal: Manager, services: ServicesOf, paging: PagingOf) -> KeyPage:
    """Returns all keys, revoked and expired ones too, the newest first."""
    async with services.database.tenant(principal.tenant_id) as connection:
        rows = await keys.page(connection, principal.tenant_id, limit=paging.fetch, before=paging.before)
    return paging.page(KeyPage, rows, Key.model_validate)


@router.get("/{key_id}", summary="Read a key")
async def get_key(key_id: UUID, principal: Manager, services: ServicesOf) -> Key:
    """Returns a key, without its secret."""
    async with services.database.tenant(principal.tenant_id) as connection:
        found = await keys.get(connection, principal.tenant_id, key_id)
    if found is None:
        raise not_found("key")
    return Key.model_validate(found)


@router.post("/{key_id}/revoke", summary="Revoke a key")
async def revoke_key(key_id: UUID, principal: Manager, services: ServicesOf) -> Key:
    """Ends a key at once and for ever; a second call changes nothing."""
    async with services.database.tenant(principal.tenant_id) as connection:
        before = await keys.get(connection, principal.tenant_id, key_id)
        revoked = await keys.revoke(connection, principal.tenant_id, key_id)
        if before is None or revoked is None:
            raise not_found("key")
        if before.revoked_at is None:
            await record(connection, principal, "key.revoked", key_id, name=revoked.name)
    return Key.model_validate(revoked)


@router.post("/{key_id}/rotate", status_code=201, summary="Rotate a key", responses=problem_responses(Kind.WRONG_STATE))
async def rotate_key(
    key_id: UUID, principal: Manager, services: ServicesOf, response: Response, body: Rotation | None = None
) -> CreatedKey:
    """Creates a key with the same name and scopes; the old one ends after `overlap_seconds` (a day unless given)."""
    overlap = timedelta(seconds=(body or Rotation()).overlap_seconds)
    async with services.database.tenant(principal.tenant_id) as connection:
        old = await keys.get(connection, principal.tenant_id, key_id)
        if old is None:
            raise not_found("key")
        _check_alive(old, services)
        _check_grant(principal, old.scopes)
        created = await issue(connection, principal.tenant_id, services.key_ring, name=old.name, scopes=old.scopes)
        await keys.expire(connection, principal.tenant_id, key_id, at=services.now() + overlap)
        await record(connection, principal, "key.rotated", key_id, name=old.name, replaced_by=str(created.id))
    response.headers["Location"] = f"/v1/keys/{created.id}"
    return created


def _check_alive(key: keys.Key, services: Services) -> None:
    if key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= services.now()):
        state = "revoked" if key.revoked_at is not None else "expired"
        raise Problem(Kind.WRONG_STATE, f"The key is {state}; create a new one instead.", state=state)


def _check_grant(principal: Principal, scopes: Sequence[str]) -> None:
    for scope in scopes:
        if not principal.may(scope):
            detail = f"This key does not hold {str(scope)!r} and cannot give it to another."
            raise Problem(Kind.MISSING_SCOPE, detail, required_scope=str(scope))
