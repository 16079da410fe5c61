"""The topics: what messages are about, and what holds where nobody chose anything."""

from typing import Annotated

from fastapi import Request, Response

from api.paging import PagingOf
from api.scopes import Scope
from api.services import ServicesOf
from api.topics import list_topics
from web.rendering import render
from web.routing import page_router
from web.session import Session, signed_in

router = page_router("/topics")

Reader = Annotated[Session, signed_in(Scope.TEMPLATES_READ)]


@router.get("")
async def topic_list(request: Request, session: Reader, services: ServicesOf, paging: PagingOf) -> Response:
    """Shows the topics, the newest first."""
    found = await list_topics(session.principal, services, paging)
    older = f"{router.prefix}?cursor={found.next_cursor}" if found.next_cursor else None
    return render(request, "topic_list.html", rows=found.data, older=older, first=paging.before is None)
