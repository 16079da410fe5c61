"""Webhooks of providers: verified on raw bytes, recorded in one transaction, answered after it is committed."""

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Annotated, Any
from uuid import UUID

import uuid_utils.compat
from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import PlainTextResponse

from activities.buttons import Tapped
from api.callback_groups import Heard
from api.openapi import problem_responses
from api.problem_types import Kind
from api.problems import Problem
from api.services import Services, ServicesOf, log
from db import callbacks
from db.callbacks import NewCallback, NewInbound, SealedAccount
from db.opt_outs import NewComplaint
from db.receipts import NewReceipt
from domain.errors import CallbackRefused, Misconfigured
from domain.replies import TAPPED
from providers.base import Callback, Complaint, Event, Inbound, Provider, Receipt, TemplateUpdate, Unknown
from providers.meta import Meta
from providers.smtp import Smtp

router = APIRouter(prefix="/api/webhooks", tags=["Callbacks"], generate_unique_id_function=lambda route: route.name)

_LARGEST = 2**63 - 1

TenantId = Annotated[UUID, Path(description="The tenant whose account the provider calls back for.")]


async def _raw_body(request: Request) -> bytes:
    return await request.body()


RawBody = Annotated[bytes, Depends(_raw_body)]


@router.get(
    "/meta/{tenant_id}",
    summary="Answer Meta's handshake",
    response_class=PlainTextResponse,
    responses=problem_responses(Kind.NOT_FOUND),
)
async def confirm_meta_webhook(tenant_id: TenantId, request: Request, services: ServicesOf) -> PlainTextResponse:
    """Answers the challenge when the verify token is that of one of the tenant's accounts."""
    query = dict(request.query_params)
    for provider in await _providers(services, tenant_id, Meta.name):
        try:
            return PlainTextResponse(provider.challenge(query))
        except CallbackRefused:
            continue
    raise Problem(Kind.NOT_FOUND, "No account of this tenant has this verify token.")


@router.post(
    "/meta/{tenant_id}",
    summary="Take Meta's events",
    status_code=200,
    response_class=Response,
    responses=problem_responses(Kind.UNAUTHENTICATED),
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}},
)
async def receive_meta_callback(tenant_id: TenantId, request: Request, body: RawBody, services: ServicesOf) -> Response:
    """Records every status and message in the callback, once, however often it comes."""
    callback = Callback(body=body, headers={name.lower(): value for name, value in request.headers.items()})
    provider = _authentic(await _providers(services, tenant_id, Meta.name), callback)
    await _record(services, tenant_id, provider, callback)
    return Response(status_code=200)


@router.post(
    "/smtp/{tenant_id}",
    summary="Take a bounce",
    status_code=200,
    response_class=Response,
    responses=problem_responses(Kind.UNAUTHENTICATED),
    openapi_extra={"requestBody": {"required": True, "content": {"message/rfc822": {"schema": {"type": "string"}}}}},
)
async def receive_smtp_report(tenant_id: TenantId, body: RawBody, services: ServicesOf) -> Response:
    """Records a report that a mail server delivered to a return path of ours; the path itself authenticates it."""
    callback = Callback(body=body, headers={})
    provider = _authentic(await _providers(services, tenant_id, Smtp.name), callback)
    await _record(services, tenant_id, provider, callback)
    return Response(status_code=200)


async def _providers(services: Services, tenant_id: UUID, name: str) -> list[Any]:
    opened = []
    for account in await _accounts(services, tenant_id, name):
        try:
            opened.append(
                services.account_providers.open(
                    tenant_id,
                    account.id,
                    provider=account.provider,
                    sealed_config=account.sealed_config,
                    updated_at=account.updated_at,
                )
            )
        except Misconfigured:
            log.warning("callback.account_unusable", account_id=str(account.id))
    return opened


async def _accounts(services: Services, tenant_id: UUID, name: str) -> tuple[SealedAccount, ...]:
    async def look() -> tuple[SealedAccount, ...]:
        async with services.database.tenant(tenant_id, kept=True) as connection:
            return await callbacks.accounts_of(connection, tenant_id, name)

    return await services.lookups.get(("accounts", tenant_id, name), look)


def _authentic(providers: Sequence[Provider], callback: Callback) -> Provider:
    """Returns the first account's provider whose secret signed the callback; accounts of one app share it."""
    for provider in providers:
        try:
            provider.authenticate(callback)
        except CallbackRefused:
            continue
        return provider
    raise Problem(Kind.UNAUTHENTICATED, "The signature fits no account of this tenant; check its secrets.")


async def _record(services: Services, tenant_id: UUID, provider: Provider, callback: Callback) -> None:
    events, callback_id, name = provider.events(callback), uuid_utils.compat.uuid7(), provider.name
    kept = NewCallback(
        id=callback_id,
        provider=name,
        body=callback.body,
        events=[[type(event).__name__.lower(), storable(event.event_key)] for event in events],
        unknown=sum(isinstance(event, Unknown) for event in events),
    )
    heard = Heard(
        callback=kept,
        inbound=tuple(
            _inbound(name, callback_id, event, _tapped(services, tenant_id, event))
            for event in events
            if isinstance(event, Inbound)
        ),
        receipts=tuple(_receipt(name, callback_id, event) for event in events if isinstance(event, Receipt)),
        complaints=tuple(_complaint(name, event) for event in events if isinstance(event, Complaint)),
    )
    _count(services, name, events, new=await services.callbacks.put(tenant_id, heard))


def _count(services: Services, provider: str, events: Sequence[Event], *, new: bool) -> None:
    services.metrics.callbacks.labels(provider, "new" if new else "repeated").inc()
    for event in events:
        if isinstance(event, TemplateUpdate | Unknown):
            log.info("callback.kept", provider=provider, kind=type(event).__name__.lower())


def _receipt(provider: str, callback_id: UUID, event: Receipt) -> NewReceipt:
    return NewReceipt(
        callback_id=callback_id,
        provider=provider,
        event_key=storable(event.event_key),
        status=event.status,
        raw_status=storable(event.raw_status),
        occurred_at=event.occurred_at.astimezone(UTC),
        provider_message_id=storable(event.provider_message_id),
        reference=storable(event.reference),
        error_code=event.error_code,
        provider_code=event.provider_code,
        detail=storable(event.detail),
    )


def _tapped(services: Services, tenant_id: UUID, event: Inbound) -> Tapped | None:
    payload = storable(event.payload)
    return services.buttons.read(tenant_id, payload) if payload and event.kind in TAPPED else None


def _complaint(provider: str, event: Complaint) -> NewComplaint:
    return NewComplaint(
        cause=f"complaint/{provider}/{storable(event.event_key)}",
        reference=storable(event.reference),
        occurred_at=event.occurred_at.astimezone(UTC),
        kind=storable(event.kind),
    )


def _inbound(provider: str, callback_id: UUID, event: Inbound, tapped: Tapped | None) -> NewInbound:
    return NewInbound(
        id=uuid_utils.compat.uuid7(),
        callback_id=callback_id,
        provider=provider,
        event_key=storable(event.event_key),
        provider_message_id=storable(event.provider_message_id),
        sender=storable(event.sender),
        author_kind=event.author.kind.value,
        author=storable(event.author.value),
        author_name=storable(event.author_name),
        kind=storable(event.kind),
        body=storable(event.text),
        payload=tapped.value if tapped else storable(event.payload),
        tap=tapped.seal if tapped else None,
        tapped_message_id=tapped.message_id if tapped else None,
        quotes=storable(event.quotes),
        media_id=storable(event.media_id),
        media_type=storable(event.media_type),
        raw=storable(dict(event.raw)),
        occurred_at=event.occurred_at.astimezone(UTC),
    )


def storable(value: Any) -> Any:
    """Returns `value` as PostgreSQL can hold it: no NUL, lone surrogate or endless number; the raw bytes keep it."""
    if isinstance(value, str):
        return value.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
        return str(value)
    if isinstance(value, Mapping):
        return {storable(key): storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return value
