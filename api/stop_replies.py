"""What inbound messages ask for by a word: STOP and START, heeded in the transaction that stores them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog
import uuid_utils.compat
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.prepared_versions import prepare
from db import acceptance, opt_outs, suppressions, templates, tenants
from db.acceptance import Found, NewNotification, Reference
from db.callbacks import NewInbound
from db.opt_outs import Wished
from domain import keys
from domain.notifications import LANES, Lane, OnUnknown
from domain.recipients import Address, AddressKind, Channel
from domain.stop_words import LONGEST, Wish, wish_of
from domain.variables import with_defaults
from providers import PROVIDERS

log = structlog.get_logger()

TRIGGER = "stop_reply"
_PATIENCE = 2.0


def authors(messages: Sequence[NewInbound]) -> set[Address]:
    """Returns who may have written a word that ends or resumes messages."""
    return {_author(one) for one in _spoken(messages)}


async def heed(connection: AsyncConnection, tenant_id: UUID, messages: Sequence[NewInbound]) -> None:
    """Does what new messages ask for, where one is a word that ends or resumes messages and nothing else.

    Buttons are answers to a question, whatever stands on them.
    """
    spoken = _spoken(messages)
    if not spoken:
        return
    settings = await tenants.settings_of(connection, tenant_id)
    stops, starts = settings.get("stop_words") or (), settings.get("start_words") or ()
    for one in sorted(spoken, key=lambda one: (one.author_kind, one.author, one.occurred_at)):
        wish = wish_of(one.body, stops=stops, starts=starts)
        if wish is Wish.STOP and await opt_outs.stopped(connection, tenant_id, _wished(one)):
            await _reply(connection, tenant_id, settings, one)
        elif wish is Wish.START:
            await opt_outs.started(connection, tenant_id, _wished(one))


def _spoken(messages: Sequence[NewInbound]) -> list[NewInbound]:
    return [one for one in messages if one.payload is None and one.body and len(one.body) <= LONGEST]


def _wished(one: NewInbound) -> Wished:
    return Wished(
        cause=f"inbound/{one.provider}/{one.event_key}",
        author=_author(one),
        channel=_channel(one),
        at=one.occurred_at,
        evidence={"provider": one.provider, "message_id": one.provider_message_id, "text": one.body},
    )


async def _reply(connection: AsyncConnection, tenant_id: UUID, settings: Mapping[str, Any], one: NewInbound) -> None:
    """Answers a STOP by the tenant's template: the one message that may still reach the address."""
    name = settings.get("stop_reply_template")
    if not name:
        return
    key = keys.stop_reply(one.provider, one.event_key)
    author = _author(one)
    reference = Reference(key=key, template=name, kind=author.kind.value, value=author.value)
    (found,) = await acceptance.look_up(connection, tenant_id, [reference], patience=_PATIENCE)
    if found.version_id is None:
        log.warning("stop_reply.not_possible", reason="template_missing")
        return
    version = prepare(await templates.version_by_id(connection, tenant_id, found.version_id))
    data = with_defaults(version.schema, {})
    if version.check(data, [_channel(one)]):
        log.warning("stop_reply.not_possible", reason="data_refused")
        return
    new = _new(one, name, key, found, data)
    if new.id in await acceptance.insert(connection, tenant_id, [new]):
        await suppressions.let_through(connection, tenant_id, author, new.id)


def _new(one: NewInbound, template: str, key: str, found: Found, data: Mapping[str, Any]) -> NewNotification:
    author, holders, version_id = _author(one), found.holders, found.version_id
    assert version_id is not None  # noqa: S101 - whoever calls has looked
    return NewNotification(
        id=uuid_utils.compat.uuid7(),
        idempotency_key=key,
        request_hash=keys.request_hash(key),
        to=author.value,
        to_kind=author.kind.value,
        receiver_id=holders[0] if len(holders) == 1 else None,
        channels=[_channel(one).value],
        template=template,
        template_version_id=version_id,
        data=data,
        locale=None,
        trigger_type=TRIGGER,
        resource_type=None,
        resource_id=None,
        metadata={},
        attachments=(),
        sender=None,
        critical=True,
        lane=LANES[Lane.CRITICAL],
        fallback={},
        on_unknown=OnUnknown.PREFER_SILENCE,
        send_at=None,
        expires_at=None,
        original_notification_id=None,
    )


def _author(one: NewInbound) -> Address:
    return Address(AddressKind(one.author_kind), one.author)


def _channel(one: NewInbound) -> Channel:
    return PROVIDERS[one.provider].channel
