"""Tenants, for the operator: who may use this installation."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import uuid_utils.compat
from fastapi import Path, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from api.auth import OperatorOf
from api.keys import CreatedKey, issue
from api.limit_models import Country, FrequencyCap, FrequencyCaps, TenantLimits, stored
from api.models import Body, Shown, Text
from api.notification_models import TemplateName
from api.openapi import problem_responses
from api.paging import Page, PagingOf
from api.problem_types import Kind
from api.problems import Problem, not_found
from api.routing import noun_router
from api.scopes import Scope
from api.services import ServicesOf
from db import audit, outages, tenants
from db.audit import Change

router = noun_router("/v1/tenants", "Tenants")

Words = Annotated[list[Annotated[Text, Field(max_length=60)]], Field(max_length=100)]
TenantId = Annotated[UUID, Path(description="The tenant.")]


class NewTenant(Body):
    """A tenant to be."""

    name: Text = Field(examples=["acme"])


class TenantChanges(Body):
    """What is to change; what is left out stays."""

    limits: TenantLimits | None = Field(default=None, description="All of its limits; what is absent is reset.")
    sms_countries: list[Country] | None = Field(
        default=None, max_length=300, description="Countries that text messages may go to, as ISO 3166 codes."
    )
    frequency_caps: FrequencyCaps | None = Field(
        default=None, description="How many messages one person may get over all flows; each cap holds by itself."
    )
    stop_words: Words | None = Field(default=None, description="Words that end messages, besides those known anyway.")
    start_words: Words | None = Field(default=None, description="Words that take a STOP back, besides those known.")
    stop_reply_template: TemplateName | None = Field(
        default=None, description="Template of the one answer to a STOP; null answers nothing, as usual."
    )


_CHANGED = ("stop_words", "start_words", "stop_reply_template")


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
    limits: TenantLimits
    sms_countries: list[str]
    frequency_caps: FrequencyCaps
    stop_words: list[str]
    start_words: list[str]
    stop_reply_template: str | None
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
    return CreatedTenant(**dict(_shown(created)), key=key)


@router.get("", summary="List tenants")
async def list_tenants(_: OperatorOf, services: ServicesOf, paging: PagingOf) -> TenantPage:
    """Returns tenants, the newest first."""
    async with services.database.system() as connection:
        rows = await tenants.page(connection, limit=paging.fetch, before=paging.before)
    return paging.page(TenantPage, rows, _shown)


@router.get("/{tenant_id}", summary="Read a tenant")
async def get_tenant(tenant_id: TenantId, _: OperatorOf, services: ServicesOf) -> Tenant:
    """Returns a tenant."""
    async with services.database.system() as connection:
        found = await tenants.get(connection, tenant_id)
    if found is None:
        raise not_found("tenant")
    return _shown(found)


@router.patch("/{tenant_id}", summary="Change a tenant")
async def change_tenant(tenant_id: TenantId, body: TenantChanges, actor: OperatorOf, services: ServicesOf) -> Tenant:
    """Changes what a tenant may send, and which words end it. It holds from the next attempt and message on."""
    changes: dict[str, Any] = {}
    if body.limits is not None:
        changes["limits"] = stored(body.limits)
    if body.sms_countries is not None:
        changes["sms_countries"] = sorted(set(body.sms_countries))
    if body.frequency_caps is not None:
        changes["frequency_caps"] = [cap.stored() for cap in body.frequency_caps]
    changes |= {name: getattr(body, name) for name in _CHANGED if name in body.model_fields_set}
    async with services.database.system() as connection:
        before = await tenants.get(connection, tenant_id)
        found = await tenants.change_settings(connection, tenant_id, changes)
        if before is None or found is None:
            raise not_found("tenant")
        if changes:
            await _record(connection, actor, "tenant.changed", tenant_id, **changes)
    if "limits" in changes:
        limits = {"before": before.settings.get("limits") or {}, "now": changes["limits"]}
        async with services.database.tenant(tenant_id) as connection:
            await outages.release_capped(connection, tenant_id, None, actor=actor, **limits)
    return _shown(found)


@router.post("/{tenant_id}/suspend", summary="Suspend a tenant")
async def suspend_tenant(tenant_id: TenantId, body: Suspension, actor: OperatorOf, services: ServicesOf) -> Tenant:
    """Refuses every further request of the tenant; what was accepted before goes on."""
    async with services.database.system() as connection:
        found = await tenants.set_state(connection, tenant_id, "suspended")
        if found is None:
            raise not_found("tenant")
        await _record(connection, actor, "tenant.suspended", tenant_id, reason=body.reason)
    return _shown(found)


@router.post("/{tenant_id}/activate", summary="Activate a tenant")
async def activate_tenant(tenant_id: TenantId, actor: OperatorOf, services: ServicesOf) -> Tenant:
    """Lets a suspended tenant go on."""
    async with services.database.system() as connection:
        found = await tenants.set_state(connection, tenant_id, "active")
        if found is None:
            raise not_found("tenant")
        await _record(connection, actor, "tenant.activated", tenant_id)
    return _shown(found)


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


def _shown(row: tenants.Tenant) -> Tenant:
    return Tenant(
        id=row.id,
        name=row.name,
        state="suspended" if row.state == "suspended" else "active",
        limits=TenantLimits(**(row.settings.get("limits") or {})),
        sms_countries=row.settings.get("sms_countries") or [],
        frequency_caps=[FrequencyCap(**cap) for cap in row.settings.get("frequency_caps") or []],
        stop_words=row.settings.get("stop_words") or [],
        start_words=row.settings.get("start_words") or [],
        stop_reply_template=row.settings.get("stop_reply_template"),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


async def _record(connection: AsyncConnection, actor: str, action: str, tenant_id: UUID, **detail: object) -> None:
    change = Change(actor=actor, action=action, subject_type="tenant", subject_id=str(tenant_id), detail=detail)
    await audit.record(connection, tenant_id, change)
