"""The page on which somebody confirms that they want messages; looking at it confirms nothing."""

import hashlib

from fastapi import Request, Response

from api import preferences
from api.services import Services
from db.topics import Topic
from domain.links import Link
from web.link_routing import form_key, is_form, told, words_of
from web.preference_words import title_of
from web.rendering import render


async def show(request: Request, services: Services, token: str, link: Link) -> Response:
    """Asks the question, with a button to confirm."""
    asked = await preferences.question(services, link)
    if asked is None:
        return told(request, "gone", status=404)
    return _page(request, services, token, asked, link, status=200, confirmed=False)


async def take(request: Request, services: Services, token: str, link: Link, form: str) -> Response:
    """Takes the answer where it comes from the page's own button."""
    if not is_form(services, token, form):
        return await show(request, services, token, link)
    asked = await preferences.confirm(services, link, hashlib.sha256(token.encode()).hexdigest())
    if asked is None:
        return told(request, "gone", status=404)
    return _page(request, services, token, asked, link, status=200, confirmed=True)


def _page(
    request: Request,
    services: Services,
    token: str,
    asked: tuple[Topic, str | None],
    link: Link,
    *,
    status: int,
    confirmed: bool,
) -> Response:
    topic, locale = asked
    words = words_of(request, locale)
    return render(
        request,
        "confirm.html",
        status=status,
        words=words,
        title=title_of(topic.name, topic.titles, locale or words.language),
        channel=words.channels[link.channel] if link.channel else None,
        confirmed=confirmed,
        form=form_key(services, token),
    )
