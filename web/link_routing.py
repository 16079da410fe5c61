"""How pages are served that people come to by a link: without cookies, and showing nobody where they were."""

import base64
import binascii
import hashlib
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from activities.links import PATH, Links
from api.problems import Problem
from api.services import Services
from db.errors import FAILURES, is_unavailable
from domain.links import Link
from sealing import SealError
from web.preference_words import ENGLISH, Words, words_for
from web.rendering import render

log = structlog.get_logger()

FORM_LIFETIME = timedelta(days=1)
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "no-referrer",  # the address is the key
    "X-Robots-Tag": "noindex, nofollow",
}
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class LinkRoute(APIRoute):
    """A route whose answers are pages for people, whatever happens."""

    def get_route_handler(self) -> _Handler:
        """Returns the handler, which says in words when nothing can be saved at the moment."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                response = await handler(request)
            except FAILURES as error:
                if not is_unavailable(error):
                    raise
                log.warning("page.unavailable", error=type(error).__name__)
                response = told(request, "away", status=503)
            except Problem as error:
                response = told(request, "gone", status=error.status_code)
            for name, value in _HEADERS.items():
                response.headers.setdefault(name, value)
            return response

        return handle


def link_router() -> APIRouter:
    """Returns the router of pages below the address of links; none of them is part of the API's document."""
    return APIRouter(prefix=PATH, include_in_schema=False, route_class=LinkRoute)


def links_of(services: Services) -> Links:
    """Returns what makes and opens links."""
    return Links(services.key_ring, services.settings.public_url)


def opened(services: Services, token: str) -> Link | None:
    """Returns the link of a token, unless it is none of ours or has ended."""
    link = links_of(services).opened(token)
    return None if link is None or link.is_over(services.now()) else link


def words_of(request: Request, locale: str | None = None) -> Words:
    """Returns the texts for who asks."""
    return words_for(locale, request.headers.get("accept-language", ""))


def told(request: Request, name: str, *, status: int) -> Response:
    """Returns a page that says one thing: `gone`, `away` or `unsubscribed`."""
    words = words_of(request) if request.headers.get("accept-language") else ENGLISH
    title = words.gone_title if name == "gone" else words.title
    return render(request, "told.html", status=status, words=words, title=title, text=getattr(words, name))


def form_key(services: Services, token: str) -> str:
    """Returns what a form of a page carries, so that no other site's form and no scanner's request counts as it."""
    until = int((services.now() + FORM_LIFETIME).timestamp())
    sealed = services.key_ring.seal(str(until).encode(), place=_form_place(token))
    return base64.urlsafe_b64encode(sealed).decode()


def is_form(services: Services, token: str, given: str) -> bool:
    """Tells whether a form comes from a page that we showed for this link not too long ago."""
    try:
        until = int(services.key_ring.open(base64.urlsafe_b64decode(given), place=_form_place(token)))
    except (SealError, binascii.Error, ValueError):
        return False
    return services.now() < datetime.fromtimestamp(until, services.now().tzinfo)


def _form_place(token: str) -> str:
    return f"links|form|{hashlib.sha256(token.encode()).hexdigest()}"
