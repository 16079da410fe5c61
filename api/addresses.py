"""Addresses of recipients over HTTP: how each person can be reached, and whether they may be."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from api.audit import record
from api.auth import Principal, needs
from api.openapi import problem_responses
from api.problem_types import Kind
from api.problems import Problem, not_found
from api.recipient_models import MOST_ADDRESSES, ExternalId, NewAddress, ShownAddress, Suppression
from api.recipients import locked
from api.routing import noun_router
from api.scopes import Scope
from api.services import Services, ServicesOf
from db import addresses, recipients, suppressions
from domain.recipients import Address, AddressKind

router = noun_router("/v1/recipients/{external_id}/addresses", "Recipients")

Writer = Annotated[Principal, needs(Scope.RECIPIENTS_WRITE)]
# What a smallint holds; addresses at the same position stand in the order in which they were added.
_LAST_POSITION = 2**15 - 1
AddressId = Annotated[UUID, Path(description="The address.")]


@router.post(
    "",
    status_code=201,
    summary="Add an address",
    responses={
        200: {"description": "The recipient has this address already; nothing was changed.", "model": ShownAddress},
        **problem_responses(Kind.WRONG_STATE),
    },
)
async def add_address(
    external_id: ExternalId, body: NewAddress, principal: Writer, services: ServicesOf, response: Response
) -> ShownAddress:
    """Adds an address behind the others; one that the recipient has already is returned as it stands."""
    async with services.database.tenant(principal.tenant_id) as connection:
        owner = await locked(connection, principal.tenant_id, external_id)
        owned = (await addresses.of_recipients(connection, principal.tenant_id, [owner.id]))[owner.id]
        for same in owned:
            if (same.kind, same.value) == (body.kind.value, body.value):
                response.status_code = 200
                return ShownAddress.model_validate(same)
        if len(owned) >= MOST_ADDRESSES:
            detail = f"The recipient has {MOST_ADDRESSES} addresses already; remove one first."
            raise Problem(Kind.WRONG_STATE, detail)
        position = min(max((address.position for address in owned), default=-1) + 1, _LAST_POSITION)
        added = await addresses.add(
            connection, principal.tenant_id, owner.id, body.address(), verified=body.verified, position=position
        )
        assert added is not None  # noqa: S101 - the recipient is locked and did not have it
        await recipients.touch(connection, principal.tenant_id, owner.id)
        await record(connection, principal, "address.added", added.id, recipient=external_id, kind=added.kind)
    response.headers["Location"] = f"/v1/recipients/{external_id}/addresses/{added.id}"
    return ShownAddress.model_validate(added)


@router.delete("/{address_id}", status_code=204, summary="Remove an address")
async def remove_address(
    external_id: ExternalId, address_id: AddressId, principal: Writer, services: ServicesOf
) -> None:
    """Removes an address; adding it again later starts afresh, so suppress an address that must stay silent."""
    async with services.database.tenant(principal.tenant_id) as connection:
        owner = await locked(connection, principal.tenant_id, external_id)
        if not await addresses.remove(connection, principal.tenant_id, owner.id, [address_id]):
            raise not_found("address")
        await recipients.touch(connection, principal.tenant_id, owner.id)
        await record(connection, principal, "address.removed", address_id, recipient=external_id)


@router.post("/{address_id}/verify", summary="Mark an address as verified")
async def verify_address(
    external_id: ExternalId, address_id: AddressId, principal: Writer, services: ServicesOf
) -> ShownAddress:
    """Notes that the recipient proved to own the address."""
    return await _change(services, principal, external_id, address_id, action="address.verified", verified=True)


@router.post("/{address_id}/suppress", summary="Suppress an address")
async def suppress_address(
    external_id: ExternalId, address_id: AddressId, body: Suppression, principal: Writer, services: ServicesOf
) -> ShownAddress:
    """Lets nothing more be sent to the address; what is still to be sent is checked again before it goes."""
    return await _change(
        services,
        principal,
        external_id,
        address_id,
        action="address.suppressed",
        status="suppressed",
        status_reason=body.reason,
    )


@router.post("/{address_id}/restore", summary="Lift the suppression of an address")
async def restore_address(
    external_id: ExternalId, address_id: AddressId, principal: Writer, services: ServicesOf
) -> ShownAddress:
    """Lets messages be sent to the address again, whether it was suppressed or found invalid.

    What the person chose about topics stays.
    """
    return await _change(
        services,
        principal,
        external_id,
        address_id,
        action="address.restored",
        status="active",
        status_reason=None,
    )


async def _change(
    services: Services, principal: Principal, external_id: str, address_id: UUID, *, action: str, **values: Any
) -> ShownAddress:
    async with services.database.tenant(principal.tenant_id) as connection:
        owner = await locked(connection, principal.tenant_id, external_id)
        if values.get("status") == "active":
            await _forget_suppression(connection, principal.tenant_id, owner.id, address_id)
        changed = await addresses.change(connection, principal.tenant_id, owner.id, address_id, **values)
        if changed is None:
            raise not_found("address")
        await recipients.touch(connection, principal.tenant_id, owner.id)
        noted = {"reason": changed.status_reason} if changed.status_reason else {}
        await record(connection, principal, action, address_id, recipient=external_id, kind=changed.kind, **noted)
    return ShownAddress.model_validate(changed)


async def _forget_suppression(
    connection: AsyncConnection, tenant_id: UUID, recipient_id: UUID, address_id: UUID
) -> None:
    """Lifts what keeps messages from the address whoever has it."""
    restored = await addresses.get(connection, tenant_id, recipient_id, address_id)
    if restored is not None:
        await suppressions.forget(connection, tenant_id, Address(AddressKind(restored.kind), restored.value))
