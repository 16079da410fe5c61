"""Held replies: what somebody wrote that may mean several series, given to one of them or dismissed by a person."""

from typing import Annotated, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.paging import PagingOf
from api.problem_types import Kind
from api.problems import Problem
from api.replies import (
    ReplyDismissal,
    ReplyGift,
    ReplyId,
    dismiss_held_reply,
    get_held_reply,
    give_held_reply,
    list_held_replies,
)
from api.scopes import Scope
from api.services import ServicesOf
from web.rendering import render
from web.routing import page_router
from web.session import Session, signed_in

router = page_router("/replies")

Reader = Annotated[Session, signed_in(Scope.SERIES_READ)]
Writer = Annotated[Session, signed_in(Scope.SERIES_WRITE)]
Why = Annotated[str, Form(min_length=1, max_length=200, pattern=r"\S")]
State = Literal["open", "given", "dismissed"]
_STATES: tuple[State, ...] = ("open", "given", "dismissed")
_ALL = "all"
_SEE_OTHER = 303

OUTCOMES = {
    "given": "Given: the series hears it as if it had said itself whom it means.",
    "dismissed": "Dismissed: no series hears it.",
}
"""What an action achieved, as the page that follows it says it."""


@router.get("")
async def reply_list(
    request: Request,
    session: Reader,
    services: ServicesOf,
    paging: PagingOf,
    state: Annotated[str, Query(max_length=16)] = "open",
    author: Annotated[str, Query(max_length=320)] = "",
) -> Response:
    """Shows the replies that wait for a person, or those that were settled, the newest first."""
    chosen, author = _state(state), author.strip()
    found = await list_held_replies(session.principal, services, paging, state=chosen, author=author or None)
    return render(
        request,
        "reply_list.html",
        rows=found.data,
        state=state,
        states=(*_STATES, _ALL),
        author=author,
        address=_address(state, author),
        older=_address(state, author, cursor=found.next_cursor) if found.next_cursor else None,
        first=paging.before is None,
    )


@router.get("/{reply_id}")
async def reply_page(
    request: Request,
    reply_id: ReplyId,
    session: Reader,
    services: ServicesOf,
    outcome: Annotated[str, Query(max_length=32)] = "",
) -> Response:
    """Shows a reply with the series that it may mean, and asks what becomes of it."""
    one = await get_held_reply(reply_id, session.principal, services)
    may_act = session.may(Scope.SERIES_WRITE) and one.state == "open"
    return render(request, "reply.html", one=one, may_act=may_act, outcome=OUTCOMES.get(outcome))


@router.post("/{reply_id}/give")
async def give(
    reply_id: ReplyId, session: Writer, services: ServicesOf, series_id: Annotated[UUID, Form()], reason: Why
) -> Response:
    """Gives it to a series, and leads to its page."""
    await give_held_reply(reply_id, ReplyGift(series_id=series_id, reason=reason), session.principal, services)
    return RedirectResponse(f"{reply_url(reply_id)}?outcome=given", _SEE_OTHER)


@router.post("/{reply_id}/dismiss")
async def dismiss(reply_id: ReplyId, session: Writer, services: ServicesOf, reason: Why) -> Response:
    """Says that it concerns no series, and leads to its page."""
    await dismiss_held_reply(reply_id, ReplyDismissal(reason=reason), session.principal, services)
    return RedirectResponse(f"{reply_url(reply_id)}?outcome=dismissed", _SEE_OTHER)


def reply_url(reply_id: UUID) -> str:
    """Returns the address of a held reply's page."""
    return f"{router.prefix}/{reply_id}"


def _state(given: str) -> State | None:
    if given == _ALL:
        return None
    for one in _STATES:
        if given == one:
            return one
    raise Problem(Kind.BAD_REQUEST, f"{given!r} is no state of a reply; choose one above the list.")


def _address(state: str, author: str, **more: str) -> str:
    fields = {**({} if state == "open" else {"state": state}), **({"author": author} if author else {}), **more}
    return f"{router.prefix}?{urlencode(fields)}" if fields else router.prefix
