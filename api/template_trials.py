"""Trying a template: what it would say, and a real message from it."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

import uuid_utils.compat
from fastapi import Header, Response
from sqlalchemy.ext.asyncio import AsyncConnection

import channels
from activities.composing import EXAMPLES
from activities.prepared_versions import parts_of, schema_of
from api.accept_rules import Ask, Note
from api.acceptance import accept_one
from api.auth import Principal, needs
from api.notification_models import NotificationBody
from api.notification_views import Accepted
from api.notifications import ACCEPTING, REPLAYED, answered
from api.openapi import problem_responses
from api.problems import invalid, not_found
from api.routing import noun_router
from api.scopes import Scope
from api.services import Services, ServicesOf
from api.template_checks import check_content
from api.template_models import Name, Preview, TestSend
from api.template_views import Previewed, Segments
from api.templates import Reader, named
from channels import Rendered, TemplateError
from channels.gsm7 import measure
from channels.rendered import snapshot
from db import templates
from db.templates import Template, Version
from domain import keys, locales
from domain.content import SmsContent
from domain.faults import Fault
from domain.templates import Part, choose_part
from domain.variables import ABSENT, Variable, check_data, with_defaults

router = noun_router("/v1/templates/{name}", "Templates")

TEST_TRIGGER = "template.test"
Sender = Annotated[Principal, needs(Scope.NOTIFICATIONS_SEND)]


@router.post("/preview", summary="Preview a template")
async def preview_template(name: Name, body: Preview, principal: Reader, services: ServicesOf) -> Previewed:
    """Renders a version, or content that is not stored, with real data; nothing is sent."""
    parts, schema = await _subject(services, principal, name, body)
    data = with_defaults(schema, _with_examples(schema, body.data) if body.examples else body.data)
    if faults := check_data(schema, data):
        raise invalid(*(fault.under("/data") for fault in faults))
    part = choose_part(parts, body.channel, locales.chain(body.locale))
    if part is None:
        message = f"there is no part for {body.channel} in {body.locale or 'default'} or a locale behind it"
        raise invalid(Fault(pointer="/channel", message=message))
    # In a thread: content that is tried out may be as heavy as the limits allow, and others wait for this loop.
    return _previewed(part, await asyncio.to_thread(_render, part, data, body))


@router.post(
    "/test-send",
    status_code=202,
    summary="Send a test message",
    responses={202: {"description": "Accepted, durably.", "headers": REPLAYED}, **problem_responses(*ACCEPTING)},
)
async def send_test(
    name: Name,
    body: TestSend,
    principal: Sender,
    services: ServicesOf,
    response: Response,
    key: Annotated[
        str | None, Header(alias="Idempotency-Key", max_length=255, pattern=r"^[!-~]([ -~]*[!-~])?$")
    ] = None,
) -> Accepted:
    """Sends a real message from any version, on the way of every notification, marked as a test.

    Its trigger is `template.test`. Without an `Idempotency-Key` every request sends another message.
    """
    async with services.database.tenant(principal.tenant_id) as connection:
        of = await named(connection, principal.tenant_id, name)
        version = await _chosen(connection, principal.tenant_id, of, body.version)
    said = body.model_dump(mode="json", exclude_defaults=True)
    ask = Ask(
        key=key or f"{TEST_TRIGGER}/{uuid_utils.compat.uuid7()}",
        request_hash=keys.request_hash({"test": name, **said}),
        body=_test(name, version, body),
        version=version.number,
        audit=Note("template.tested", name, {"number": version.number}),
    )
    return answered(response, *await accept_one(services, principal, ask))


async def _subject(
    services: Services, principal: Principal, name: str, body: Preview
) -> tuple[tuple[Part, ...], tuple[Variable, ...]]:
    """Returns the parts and variables to render: of a stored version, or those in the request."""
    async with services.database.tenant(principal.tenant_id) as connection:
        of = await named(connection, principal.tenant_id, name)
        if body.content is None:
            version = await _chosen(connection, principal.tenant_id, of, body.version or "latest")
            return parts_of(version), schema_of(version)
    if faults := await asyncio.to_thread(check_content, name, body.content):
        raise invalid(*(fault.under("/content") for fault in faults))
    return body.content.domain_parts(), body.content.schema_of_variables()


async def _chosen(connection: AsyncConnection, tenant_id: UUID, of: Template, choice: int | str) -> Version:
    number = {"latest": of.latest_number, "published": of.published_number}.get(str(choice), choice)
    found = await templates.version(connection, tenant_id, of.id, int(number)) if number else None
    if found is None:
        raise not_found("version")
    return found


def _test(name: str, version: Version, body: TestSend) -> NotificationBody:
    data = _with_examples(schema_of(version), body.data) if body.examples else body.data
    return NotificationBody(
        to=body.to,
        template=name,
        data=data,
        channels=[body.channel] if body.channel else None,
        sender=body.sender,
        locale=body.locale,
        trigger=TEST_TRIGGER,
        metadata={"test": True, "version": version.number},
    )


def _with_examples(schema: tuple[Variable, ...], data: dict[str, Any]) -> dict[str, Any]:
    """Returns the data with examples where it holds nothing and there is no default."""
    filled = [
        Variable(name=variable.name, type=variable.type, default=variable.example)
        for variable in schema
        if variable.example is not ABSENT and variable.default is ABSENT
    ]
    return with_defaults(filled, data)


def _render(part: Part, data: dict[str, Any], body: Preview) -> Rendered:
    try:
        reader = body.locale or (part.locale if part.locale != locales.DEFAULT else "en")
        seen = {**EXAMPLES, **data}
        return channels.render(part.channel, part.content, seen, locale=reader, zone=body.zone, language=part.locale)
    except TemplateError as error:
        raise invalid(
            *(Fault(pointer="/data", message=f"{fault.pointer}: {fault.message}") for fault in error.faults)
        ) from error


def _previewed(part: Part, rendered: Rendered) -> Previewed:
    segments = None
    if isinstance(rendered.content, SmsContent):
        segments = Segments.model_validate(measure(rendered.content.body))
    return Previewed(
        channel=part.channel,
        locale=part.locale,
        content=snapshot(rendered.content),
        follow_up=snapshot(rendered.follow_up),
        segments=segments,
        skipped=rendered.skipped,
        warnings=list(rendered.warnings),
        snapshot_hash=rendered.snapshot_hash,
    )
