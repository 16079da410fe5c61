"""Replies that may mean several series: listed for people, who give each to one of them or to none."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Path, Query
from pydantic import Field

from api.audit import record
from api.auth import Principal, needs
from api.models import Body, Shown, Text
from api.openapi import problem_responses
from api.paging import Page, PagingOf
from api.problem_types import Kind
from api.problems import Problem, invalid, not_found
from api.recipient_models import spellings
from api.routing import noun_router
from api.scopes import Scope
from api.services import Services, ServicesOf
from db import held_replies, series_replies
from db.held_replies import Candidate
from db.held_replies import HeldReply as StoredReply
from domain.faults import Fault
from domain.series import MOST_HEARD, MOST_HEARD_BYTES

router = noun_router("/v1/held-replies", "Replies")

Reader = Annotated[Principal, needs(Scope.SERIES_READ)]
Writer = Annotated[Principal, needs(Scope.SERIES_WRITE)]
_MUCH = f"{MOST_HEARD:,} things or {MOST_HEARD_BYTES // 2**20} MiB"
ReplyId = Annotated[UUID, Path(description="Id of the held reply.")]


class ReplyCandidate(Shown):
    """A series that may be meant, and how it stands now."""

    id: UUID
    flow: str
    key: str
    step: str | None
    status: str


class HeldReply(Shown):
    """What somebody wrote or tapped, and whom it may concern."""

    id: UUID
    state: Literal["open", "given", "dismissed"]
    reason: Literal["several", "forged", "full"] = Field(
        description="Several series may be meant, the signature of the button does not fit, or the series that is "
        "meant heard too much already."
    )
    author: dict[str, str] = Field(description="One of phone, email, whatsapp_user.")
    author_name: str | None
    kind: str = Field(description="text, button_reply, image …")
    text: str | None
    payload: str | None = Field(description="What the button says that was tapped.")
    occurred_at: datetime
    candidates: list[ReplyCandidate]
    series_id: UUID | None = Field(description="To whom it was given.")
    settled_by: str | None
    settled_reason: str | None
    settled_at: datetime | None
    created_at: datetime


class HeldReplyPage(Page[HeldReply]):
    """A page of held replies."""


class ReplyGift(Body):
    """Which series is meant."""

    series_id: UUID
    reason: Text | None = None


class ReplyDismissal(Body):
    """Why it concerns none."""

    reason: Text = Field(examples=["answered on the phone"])


@router.get("", summary="List held replies")
async def list_held_replies(
    principal: Reader,
    services: ServicesOf,
    paging: PagingOf,
    *,
    state: Literal["open", "given", "dismissed"] | None = None,
    author: Annotated[str | None, Query(max_length=320, description="The address of whoever wrote it.")] = None,
) -> HeldReplyPage:
    """Returns held replies, the newest first; `state=open` are those that wait for somebody."""
    tenant_id = principal.tenant_id
    async with services.database.tenant(tenant_id) as connection:
        rows = await held_replies.page(
            connection,
            tenant_id,
            state=state,
            authors=spellings(author) if author else None,
            limit=paging.fetch,
            before=paging.before,
        )
        ids = {one for row in rows for one in row.candidates}
        known = await held_replies.candidates(connection, tenant_id, sorted(ids))
    return paging.page(HeldReplyPage, rows, lambda row: _shown(row, known))


@router.get("/{reply_id}", summary="Show a held reply", responses=problem_responses(Kind.NOT_FOUND))
async def get_held_reply(reply_id: ReplyId, principal: Reader, services: ServicesOf) -> HeldReply:
    """Returns a held reply with the series that it may mean."""
    return await _answer(services, principal, reply_id)


@router.post("/{reply_id}/give", summary="Give a reply to a series", responses=problem_responses(Kind.WRONG_STATE))
async def give_held_reply(reply_id: ReplyId, body: ReplyGift, principal: Writer, services: ServicesOf) -> HeldReply:
    """Lets a series hear the reply as if it had said itself whom it means."""
    tenant_id = principal.tenant_id
    async with services.database.tenant(tenant_id) as connection:
        row = _open(await held_replies.get(connection, tenant_id, reply_id, lock=True))
        found = await held_replies.candidates(connection, tenant_id, [body.series_id])
        if body.series_id not in found:
            raise invalid(Fault(pointer="/series_id", message="there is no such series"))
        said = await held_replies.message(connection, tenant_id, row.inbound_message_id)
        _check(await series_replies.give(connection, tenant_id, said, body.series_id), found[body.series_id])
        await held_replies.settle(
            connection, tenant_id, row.id, state="given", by=principal.actor, reason=body.reason,
            series_id=body.series_id,
        )  # fmt: skip
        await record(connection, principal, "reply.given", row.id, series=str(body.series_id), reason=body.reason)
    services.wake()
    return await _answer(services, principal, reply_id)


@router.post("/{reply_id}/dismiss", summary="Dismiss a held reply", responses=problem_responses(Kind.WRONG_STATE))
async def dismiss_held_reply(
    reply_id: ReplyId, body: ReplyDismissal, principal: Writer, services: ServicesOf
) -> HeldReply:
    """Says that a reply concerns no series; it stays among what its author wrote."""
    tenant_id = principal.tenant_id
    async with services.database.tenant(tenant_id) as connection:
        row = _open(await held_replies.get(connection, tenant_id, reply_id, lock=True))
        await held_replies.settle(
            connection, tenant_id, row.id, state="dismissed", by=principal.actor, reason=body.reason
        )
        await record(connection, principal, "reply.dismissed", row.id, reason=body.reason)
    return await _answer(services, principal, reply_id)


def _open(row: StoredReply | None) -> StoredReply:
    if row is None:
        raise not_found("held reply")
    if row.state != "open":
        raise Problem(Kind.WRONG_STATE, f"It was {row.state} already, by {row.settled_by}.", state=row.state)
    return row


def _check(result: Literal["heard", "full", "over"], meant: Candidate) -> None:
    if result == "full":
        raise Problem(Kind.WRONG_STATE, f"The series heard {_MUCH} already and keeps no more.", state="full")
    if result == "over":
        raise Problem(Kind.WRONG_STATE, "The series is over and hears nothing any more.", state=meant.status)


async def _answer(services: Services, principal: Principal, reply_id: UUID) -> HeldReply:
    tenant_id = principal.tenant_id
    async with services.database.tenant(tenant_id) as connection:
        row = await held_replies.get(connection, tenant_id, reply_id)
        if row is None:
            raise not_found("held reply")
        known = await held_replies.candidates(connection, tenant_id, row.candidates)
    return _shown(row, known)


def _shown(row: StoredReply, known: dict[UUID, Candidate]) -> HeldReply:
    own = {name: getattr(row, name) for name in HeldReply.model_fields if hasattr(row, name)}
    meant = [ReplyCandidate.model_validate(known[one]) for one in row.candidates if one in known]
    return HeldReply(**{**own, "author": {row.author_kind: row.author}, "text": row.body, "candidates": meant})
