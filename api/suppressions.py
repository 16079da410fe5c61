"""Suppressions over HTTP: addresses that nothing may reach, whoever has them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Response
from pydantic import Field

from api.audit import record
from api.auth import Principal, needs
from api.models import Moment, Shown, Text
from api.paging import Page, PagingOf
from api.problems import not_found
from api.recipient_models import NewAddress, spellings
from api.routing import noun_router
from api.scopes import Scope
from api.services import ServicesOf
from db import suppression_lists, suppressions
from db.suppression_lists import StoredSuppression, SuppressionFilter
from domain.recipients import CARRIES, Address, AddressKind, Channel
from domain.suppression import Cause

router = noun_router("/v1/suppressions", "Consent")

Reader = Annotated[Principal, needs(Scope.RECIPIENTS_READ)]
Writer = Annotated[Principal, needs(Scope.RECIPIENTS_WRITE)]
SuppressionId = Annotated[UUID, Path(description="The suppression.")]


class AddressSuppression(Shown):
    """An address that nothing may reach, and why."""

    id: UUID
    kind: AddressKind
    value: str
    cause: Cause
    note: str | None
    at: datetime = Field(description="When it came to that; created_at is when we learned of it.")
    created_at: datetime


class SuppressionPage(Page[AddressSuppression]):
    """A page of suppressions."""


class SuppressionBody(NewAddress):
    """An address that nothing is to reach any more, whoever has it."""

    cause: Cause = Field(default=Cause.BY_HAND, description="Another one for what came to you elsewhere.")
    note: Text = Field(description="Why, in words; it is kept.", examples=["asked to stop on the phone"])


@router.get("", summary="List suppressions")
async def list_suppressions(
    principal: Reader,
    services: ServicesOf,
    paging: PagingOf,
    *,
    address: Annotated[str | None, Query(max_length=320, description="Of this address, however it is spelt.")] = None,
    channel: Annotated[Channel | None, Query(description="Of addresses that the channel uses.")] = None,
    cause: Cause | None = None,
    since: Annotated[Moment | None, Query(description="From then on.")] = None,
    until: Annotated[Moment | None, Query(description="Before then.")] = None,
) -> SuppressionPage:
    """Returns addresses that nothing may reach, the newest first."""
    wanted = SuppressionFilter(
        values=spellings(address) if address else None,
        kinds=[kind.value for kind in CARRIES[channel]] if channel else None,
        reason=cause.value if cause else None,
        since=since,
        until=until,
    )
    async with services.database.tenant(principal.tenant_id) as connection:
        rows = await suppression_lists.page(
            connection, principal.tenant_id, wanted, limit=paging.fetch, before=paging.before
        )
    return paging.page(SuppressionPage, rows, _shown)


@router.post(
    "",
    status_code=201,
    summary="Suppress an address",
    responses={200: {"description": "Nothing may reach it already.", "model": AddressSuppression}},
)
async def add_suppression(
    body: SuppressionBody, principal: Writer, services: ServicesOf, response: Response
) -> AddressSuppression:
    """Lets nothing reach an address any more, also where no recipient has it; what waits is asked again before it goes.

    What keeps it silent already stays, except that anything replaces a STOP, which a START could lift.
    """
    to, tenant_id = body.address(), principal.tenant_id
    async with services.database.tenant(tenant_id) as connection:
        is_new = await suppressions.add(connection, tenant_id, to, body.cause, services.now(), note=body.note)
        row = await suppression_lists.get(connection, tenant_id, kind=to.kind.value, value=to.value)
        assert row is not None  # noqa: S101 - it was there or is now
        if is_new:
            await record(
                connection, principal, "suppression.added", row.id, kind=row.kind, cause=row.reason, note=body.note
            )
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = f"/v1/suppressions/{row.id}"
    return _shown(row)


@router.get("/{suppression_id}", summary="Read a suppression")
async def get_suppression(suppression_id: SuppressionId, principal: Reader, services: ServicesOf) -> AddressSuppression:
    """Returns a suppression."""
    async with services.database.tenant(principal.tenant_id) as connection:
        row = await suppression_lists.get(connection, principal.tenant_id, id=suppression_id)
    if row is None:
        raise not_found("suppression")
    return _shown(row)


@router.delete("/{suppression_id}", status_code=204, summary="Lift a suppression")
async def lift_suppression(
    suppression_id: SuppressionId,
    principal: Writer,
    services: ServicesOf,
    reason: Annotated[Text, Query(description="Why; it is kept.", examples=["they wrote that it was a mistake"])],
) -> None:
    """Lets messages reach the address again; what the person chose about topics stays."""
    tenant_id = principal.tenant_id
    async with services.database.tenant(tenant_id) as connection:
        row = await suppression_lists.get(connection, tenant_id, lock=True, id=suppression_id)
        if row is None:
            raise not_found("suppression")
        to = Address(AddressKind(row.kind), row.value)
        await suppressions.lift(connection, tenant_id, to, Cause(row.reason))
        await record(
            connection, principal, "suppression.lifted", row.id, kind=row.kind, cause=row.reason, reason=reason
        )


def _shown(row: StoredSuppression) -> AddressSuppression:
    return AddressSuppression(
        id=row.id,
        kind=AddressKind(row.kind),
        value=row.value,
        cause=Cause(row.reason),
        note=row.note,
        at=row.at,
        created_at=row.created_at,
    )
