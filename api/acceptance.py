"""Accepts notifications durably: one transaction for the key, the row and its start; one or a thousand at a time."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from api.accept_rules import Ask, Evidence, judge
from api.audit import record
from api.auth import Principal
from api.notification_models import NotificationBody
from api.notification_views import Accepted
from api.problem_types import Kind
from api.problems import Problem
from api.services import Services
from crashpoints import crash_here
from db import acceptance, uploads
from db.acceptance import Former, NewNotification, Reference
from db.errors import DatabaseError, is_lock_timeout
from domain import keys

PATIENCE = 2.0
"""Seconds to wait for another request with the same key."""

Result = tuple[Accepted, bool] | Problem
"""What was accepted, and whether that was before; or why not."""


async def accept_one(services: Services, principal: Principal, ask: Ask) -> tuple[Accepted, bool]:
    """Returns the accepted notification and whether it was accepted before, or raises why it is not."""
    (result,) = await accept(services, principal, [ask])
    if isinstance(result, Problem):
        raise result
    return result


async def accept(services: Services, principal: Principal, asks: Sequence[Ask]) -> list[Result]:
    """Accepts what can be accepted, in one transaction, and returns what became of each ask, in their order.

    A key that is in use outranks everything else: its request gets the first answer, even if it would be refused today.
    """
    async with within_patience(), services.database.tenant(principal.tenant_id, kept=True) as connection:
        judged = await _judge(services, connection, principal.tenant_id, asks)
        results: dict[int, Result] = {index: item for index, item in enumerate(judged) if isinstance(item, Problem)}
        results |= await _formers(connection, principal.tenant_id, asks, list(results))
        new = {index: item for index, item in enumerate(judged) if not isinstance(item, Problem)}
        if new and await services.lines.is_full(connection, principal.tenant_id, count=len(new)):
            results |= await _formers(connection, principal.tenant_id, asks, list(new))
            if new.keys() - results.keys():
                raise services.lines.problem()
        elif new:
            results |= await _store(connection, principal, asks, new)
            crash_here("before_accept_commit")
    if new:
        crash_here("after_accept_commit")
        services.wake()
    return [results[index] for index in range(len(asks))]


@asynccontextmanager
async def within_patience() -> AsyncIterator[None]:
    """Turns a lock that was not given in time into the problem that it is for the caller."""
    try:
        yield
    except DatabaseError as error:
        if not is_lock_timeout(error):
            raise
        detail = "Another request with this key takes long; repeat this one."
        raise Problem(Kind.IDEMPOTENCY_IN_FLIGHT, detail, headers={"Retry-After": "1"}) from error


def body_hash(body: NotificationBody, **more: Any) -> bytes:
    """Returns the fingerprint of a request: what was said, not how it was written."""
    said = body.model_dump(mode="json", exclude_defaults=True, exclude={"idempotency_key"})
    return keys.request_hash({**said, **more})


async def _judge(
    services: Services, connection: AsyncConnection, tenant_id: UUID, asks: Sequence[Ask]
) -> list[NewNotification | Problem]:
    references = [_reference(ask) for ask in asks]
    found = await acceptance.look_up(connection, tenant_id, references, patience=PATIENCE)
    files = await _uploads(connection, tenant_id, asks)
    now = services.now()
    judged: list[NewNotification | Problem] = []
    for ask, there in zip(asks, found, strict=True):
        version = await services.versions.get(connection, tenant_id, there.version_id) if there.version_id else None
        try:
            judged.append(judge(ask, Evidence(found=there, version=version, uploads=files, now=now)))
        except Problem as problem:
            judged.append(problem)
    return judged


async def _uploads(connection: AsyncConnection, tenant_id: UUID, asks: Sequence[Ask]) -> Mapping[UUID, uploads.Upload]:
    wanted = {item.upload_id for ask in asks for item in ask.body.attachments if item.upload_id is not None}
    return await uploads.usable(connection, tenant_id, sorted(wanted)) if wanted else {}


async def _store(
    connection: AsyncConnection, principal: Principal, asks: Sequence[Ask], new: Mapping[int, NewNotification]
) -> dict[int, Result]:
    """Stores what is new, with the starts of its workflows; what somebody else stored before is a repetition."""
    tenant_id = principal.tenant_id
    stored = await acceptance.insert(connection, tenant_id, list(new.values()))
    results: dict[int, Result] = {}
    for index, item in new.items():
        if item.id in stored:
            accepted = Accepted(id=item.id, idempotency_key=item.idempotency_key, created_at=stored[item.id])
            results[index] = (accepted, False)
            await _note(connection, principal, asks[index], item.id)
    beaten = [index for index in new if index not in results]
    return results | await _formers(connection, tenant_id, asks, beaten)


async def _note(connection: AsyncConnection, principal: Principal, ask: Ask, notification_id: UUID) -> None:
    if ask.audit is not None:
        detail = {**ask.audit.detail, "notification_id": str(notification_id)}
        await record(connection, principal, ask.audit.action, ask.audit.subject_id, **detail)


async def _formers(
    connection: AsyncConnection, tenant_id: UUID, asks: Sequence[Ask], indexes: Sequence[int]
) -> dict[int, Result]:
    """Returns the answers to those of the asks whose keys are in use."""
    if not indexes:
        return {}
    found = await acceptance.formers(connection, tenant_id, [asks[index].key for index in indexes])
    return {index: _former(asks[index], found[asks[index].key]) for index in indexes if asks[index].key in found}


def _former(ask: Ask, former: Former) -> Result:
    """Returns the answer to a key that is in use: the first answer again, or why that is not what was meant."""
    if former.id is None or former.created_at is None:
        return Problem(Kind.CANCELLED_BEFORE_START)
    if former.request_hash != ask.request_hash:
        return Problem(
            Kind.IDEMPOTENCY_MISMATCH,
            "This key was used for another request; use a new key, or send the same body.",
            request_hash=ask.request_hash.hex(),
            original_request_hash=(former.request_hash or b"").hex(),
        )
    return Accepted(id=former.id, idempotency_key=ask.key, created_at=former.created_at), True


def _reference(ask: Ask) -> Reference:
    address = ask.body.to.address()
    return Reference(
        key=ask.key,
        template=ask.body.template,
        version=ask.version,
        recipient=ask.body.to.recipient,
        kind=address.kind.value if address else None,
        value=address.value if address else None,
        sender=ask.body.sender,
    )
