"""Recipients over HTTP: whom messages reach."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from api.audit import record
from api.auth import Principal, needs
from api.etags import IfMatch, IfNoneMatch, check, check_absent, etag
from api.openapi import problem_responses
from api.paging import PagingOf
from api.problem_types import Kind
from api.problems import not_found
from api.recipient_models import ExternalId, NewAddress, Recipient, RecipientBody, RecipientPage, shown, spellings
from api.routing import noun_router
from api.scopes import Scope
from api.services import ServicesOf
from db import addresses, recipients
from db.addresses import StoredAddress
from db.recipients import Profile
from db.recipients import Recipient as StoredRecipient

router = noun_router("/v1/recipients", "Recipients")

Reader = Annotated[Principal, needs(Scope.RECIPIENTS_READ)]
Writer = Annotated[Principal, needs(Scope.RECIPIENTS_WRITE)]


@router.put(
    "/{external_id}",
    summary="Create or replace a recipient",
    responses={
        200: {"description": "The recipient, replaced."},
        201: {"description": "The recipient, created.", "model": Recipient},
        **problem_responses(Kind.PRECONDITION_FAILED),
    },
)
async def put_recipient(
    external_id: ExternalId,
    body: RecipientBody,
    principal: Writer,
    services: ServicesOf,
    response: Response,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Recipient:
    """Creates the recipient or replaces its profile; addresses that stay keep how they stand (suppressed, verified)."""
    async with services.database.tenant(principal.tenant_id) as connection:
        before = await recipients.get(connection, principal.tenant_id, external_id, lock=True)
        check(if_match, before.updated_at if before else None)
        check_absent(if_none_match, before.updated_at if before else None)
        row, is_new = await _put(connection, principal, external_id, body, before)
        owned = await addresses.of_recipients(connection, principal.tenant_id, [row.id])
    if is_new:
        response.status_code = 201
        response.headers["Location"] = f"/v1/recipients/{external_id}"
    response.headers["ETag"] = etag(row.updated_at)
    return shown(row, owned[row.id])


@router.get("", summary="List recipients")
async def list_recipients(
    principal: Reader,
    services: ServicesOf,
    paging: PagingOf,
    external_id: Annotated[str | None, Query(max_length=128)] = None,
    address: Annotated[
        str | None, Query(max_length=320, description="A phone number, mail address or WhatsApp user id.")
    ] = None,
) -> RecipientPage:
    """Returns recipients, the newest first."""
    async with services.database.tenant(principal.tenant_id) as connection:
        rows = await recipients.page(
            connection,
            principal.tenant_id,
            external_id=external_id,
            addressed=spellings(address) if address is not None else (),
            limit=paging.fetch,
            before=paging.before,
        )
        owned = await addresses.of_recipients(connection, principal.tenant_id, [row.id for row in rows])
    return paging.page(RecipientPage, rows, lambda row: shown(row, owned[row.id]))


@router.get("/{external_id}", summary="Read a recipient")
async def get_recipient(
    external_id: ExternalId, principal: Reader, services: ServicesOf, response: Response
) -> Recipient:
    """Returns a recipient with its addresses."""
    async with services.database.tenant(principal.tenant_id) as connection:
        row = await recipients.get(connection, principal.tenant_id, external_id)
        if row is None:
            raise not_found("recipient")
        owned = await addresses.of_recipients(connection, principal.tenant_id, [row.id])
    response.headers["ETag"] = etag(row.updated_at)
    return shown(row, owned[row.id])


@router.delete(
    "/{external_id}",
    status_code=204,
    summary="Delete a recipient",
    responses=problem_responses(Kind.PRECONDITION_FAILED),
)
async def delete_recipient(
    external_id: ExternalId, principal: Writer, services: ServicesOf, if_match: IfMatch = None
) -> None:
    """Removes the recipient and its addresses; notifications sent before stay in the ledger, without the link."""
    async with services.database.tenant(principal.tenant_id) as connection:
        row = await locked(connection, principal.tenant_id, external_id)
        check(if_match, row.updated_at)
        await recipients.erase(connection, principal.tenant_id, row.id)
        await record(connection, principal, "recipient.deleted", row.id, external_id=external_id)


async def locked(connection: AsyncConnection, tenant_id: UUID, external_id: str) -> StoredRecipient:
    """Returns a recipient that nobody else changes in this transaction, or raises that there is none."""
    row = await recipients.get(connection, tenant_id, external_id, lock=True)
    if row is None:
        raise not_found("recipient")
    return row


async def _put(
    connection: AsyncConnection,
    principal: Principal,
    external_id: str,
    body: RecipientBody,
    before: StoredRecipient | None,
) -> tuple[StoredRecipient, bool]:
    """Writes what differs; a repetition of the same body leaves the version as it is."""
    profile = Profile(name=body.name, locale=body.locale, zone=body.zone, attributes=body.attributes)
    if before is not None and before.profile() == profile:
        owned = (await addresses.of_recipients(connection, principal.tenant_id, [before.id]))[before.id]
        if body.addresses is None or _same(owned, body.addresses):
            return before, False
    row, is_new = await recipients.put(connection, principal.tenant_id, external_id, profile)
    if body.addresses is not None:
        await _replace_addresses(connection, principal.tenant_id, row.id, body.addresses)
    action = "recipient.created" if is_new else "recipient.replaced"
    await record(connection, principal, action, row.id, external_id=external_id)
    return row, is_new


def _same(owned: list[StoredAddress], wanted: list[NewAddress]) -> bool:
    unverified = any(item.verified and not old.verified for old, item in zip(owned, wanted, strict=False))
    return not unverified and [(old.kind, old.value) for old in owned] == [
        (item.kind.value, item.value) for item in wanted
    ]


async def _replace_addresses(
    connection: AsyncConnection, tenant_id: UUID, recipient_id: UUID, wanted: list[NewAddress]
) -> None:
    """Makes `wanted` the recipient's addresses, in its order; one that stays keeps how it stands."""
    owned = (await addresses.of_recipients(connection, tenant_id, [recipient_id]))[recipient_id]
    before = {(address.kind, address.value): address for address in owned}
    for position, item in enumerate(wanted):
        kept = before.pop((item.kind.value, item.value), None)
        if kept is None:
            await addresses.add(
                connection, tenant_id, recipient_id, item.address(), verified=item.verified, position=position
            )
        elif kept.position != position or (item.verified and not kept.verified):
            await addresses.change(
                connection,
                tenant_id,
                recipient_id,
                kept.id,
                position=position,
                verified=item.verified or kept.verified,
            )
    if before:
        await addresses.remove(connection, tenant_id, recipient_id, [gone.id for gone in before.values()])
