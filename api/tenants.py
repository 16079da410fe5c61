"""Tenants, for the operator: who may use this installation."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import uuid_utils.compat
from fastapi import Path, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import OperatorOf
from api.keys import CreatedKey, issue
from api.models import Body, Shown, Text
from api.openapi import problem_responses
from api.paging import Page, PagingOf
from api.problem_types import Kind
from api.problems import Problem, not_found
from api.routing import noun_router
from api.scopes import Scope
from api.services import ServicesOf
from db import audit, tenants
from db.audit import Change

router = noun_router("/v1/tenants", "Tenants")

TenantId = Annotated[UUID, Path(description="The tenant.")]


class NewTenant(Body):
    """A tenant to be."""

    name: Text = Field(examples=["acme"])


class Suspension(Body):
    """Why a tenant is suspended."""

    reason: Text


class NewTenantKey(Body):
    """A key that the operator makes for a tenant, for example when it lost all of its own."""

    name: Text = Field(examples=["recovered"])


class Tenant(Shown):
    """Somebody who uses this installation."""

    id: UUID
    name: str
    state: Literal["active", "suspended"]
    created_at: datetime
    updated_at: datetime


class CreatedTenant(Tenant):
    """A new tenant and its first key, which may do everything; the secret is never shown again."""

    key: CreatedKey


class TenantPage(Page[Tenant]):
    """A page of tenants."""


@router.post("", status_code=201, summary="Create a tenant", responses=problem_responses(Kind.ALREADY_EXISTS))
async def create_tenant(body: NewTenant, actor: OperatorOf, services: ServicesOf, response: Response) -> CreatedTenant:
    """Creates a tenant with its first key, and shows that key's secret, this once."""
    tenant_id = uuid_utils.compat.uuid7()
    async with services.database.system() as connection:
        created = await tenants.create(connection, tenant_id, name=body.name)
        if created is None:
            raise Problem(Kind.ALREADY_EXISTS, f"A tenant is named {body.name!r} already; choose another name.")
        key = await issue(connection, tenant_id, services.key_ring, name="first key", scopes=[Scope.EVERYTHING.value])
        await _record(connection, actor, "tenant.created", tenant_id, name=body.name, key_id=str(key.id))
    response.headers["Location"] = f"/v1/tenants/{tenant_id}"
    return CreatedTenant(**Tenant.model_validate(created).model_dump(), key=key)


@router.get("", summary="List tenants")
async def list_tenants(_: OperatorOf, services: ServicesOf, paging: PagingOf) -> TenantPage:
    """Returns tenants, the newest first."""
    async with services.database.system() as connection:
        rows = await tenants.page(connection, limit=paging.fetch, before=paging.before)
    return paging.page(TenantPage, rows, Tenant.model_validate)


@router.get("/{tenant_id}", summary="Read a tenant")
async def get_tenant(tenant_id: TenantId, _: OperatorOf, services: ServicesOf) -> Tenant:
    """Returns a tenant."""
    async with services.database.system() as connection:
        found = await tenants.get(connection, tenant_id)
    if found is None:
        raise not_found("tenant")
    return Tenant.model_validate(found)


@router.post("/{tenant_id}/suspend", summary="Suspend a tenant")
async def suspend_tenant(tenant_id: TenantId, body: Suspension, actor: OperatorOf, services: ServicesOf) -> Tenant:
    """Refuses every further request of the tenant; what was accepted before goes on."""
    async with services.database.system() as connection:
        found = await tenants.set_state(connection, tenant_id, "suspended")
        if found is None:
            raise not_found("tenant")
        await _record(connection, actor, "tenant.suspended", tenant_id, reason=body.reason)
    return Tenant.model_validate(found)


@router.post("/{tenant_id}/activate", summary="Activate a tenant")
async def activate_tenant(tenant_id: TenantId, actor: OperatorOf, services: ServicesOf) -> Tenant:
    """Lets a suspended tenant go on."""
    async with services.database.system() as connection:
        found = await tenants.set_state(connection, tenant_id, "active")
        if found is None:
            raise not_found("tenant")
        await _record(connection, actor, "tenant.activated", tenant_id)
    return Tenant.model_validate(found)


@router.post("/{tenant_id}/keys", status_code=201, summary="Create a key for a tenant")
async def create_tenant_key(
    tenant_id: TenantId, body: NewTenantKey, actor: OperatorOf, services: ServicesOf
) -> CreatedKey:
    """Creates a key that may do everything in the tenant; the tenant's audit trail shows it."""
    async with services.database.system() as connection:
        if await tenants.get(connection, tenant_id) is None:
            raise not_found("tenant")
        key = await issue(connection, tenant_id, services.key_ring, name=body.name, scopes=[Scope.EVERYTHING.value])
        await _record(connection, actor, "tenant.key_created", tenant_id, name=body.name, key_id=str(key.id))
    return key


async def _record(connection: AsyncConnection, actor: str, action: str, tenant_id: UUID, **detail: str) -> None:
    change = Change(actor=actor, action=action, subject_type="tenant", subject_id=str(tenant_id), detail=detail)
    await audit.record(connection, tenant_id, change)
