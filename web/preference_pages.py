"""The page on which people choose what they get, and what their mail programs ask for on their behalf (RFC 8058)."""

from collections.abc import Mapping

from fastapi import Request, Response
from starlette.datastructures import FormData

from api import preferences
from api.preferences import Change, Preferences
from api.services import Services, ServicesOf
from domain.links import Link, Purpose
from domain.locales import chain
from domain.recipients import Channel
from web import confirm_pages
from web.link_routing import form_key, is_form, link_router, opened, told, words_of
from web.preference_words import title_of
from web.rendering import render

router = link_router()

_MOST_FIELDS = 4000


@router.get("/{token}")
async def show_preferences(token: str, request: Request, services: ServicesOf) -> Response:
    """Shows what the person of a link gets; looking changes nothing, whoever or whatever looks."""
    link = opened(services, token)
    if link is not None and link.purpose is Purpose.CONFIRM:
        return await confirm_pages.show(request, services, token, link)
    found = await preferences.look(services, link) if link else None
    if link is None or found is None:
        return told(request, "gone", status=404)
    return _page(request, services, token, link, found)


@router.post("/{token}")
async def change_preferences(token: str, request: Request, services: ServicesOf) -> Response:
    """Saves what a form of the page says, or unsubscribes where a mail program asks for that."""
    link = opened(services, token)
    if link is None:
        return told(request, "gone", status=404)
    async with request.form(max_files=0, max_fields=_MOST_FIELDS) as form:
        if link.purpose is Purpose.CONFIRM:
            return await confirm_pages.take(request, services, token, link, str(form.get("form", "")))
        if form.get("List-Unsubscribe") == "One-Click":
            return await _one_click(request, services, link)
        return await _save(request, services, token, link, form)


async def _one_click(request: Request, services: Services, link: Link) -> Response:
    if link.topic is None or link.channel is None:
        return told(request, "gone", status=400)
    await preferences.opt_out(services, link)
    return told(request, "unsubscribed", status=200)


async def _save(request: Request, services: Services, token: str, link: Link, form: FormData) -> Response:
    if not is_form(services, token, str(form.get("form", ""))):
        found = await preferences.look(services, link)
        if found is None:
            return told(request, "gone", status=404)
        return _page(request, services, token, link, found, status=409, stale=True)
    saved = await preferences.save(services, link, _wanted(form))
    if saved is None:
        return told(request, "gone", status=404)
    after, changes = saved
    return _page(request, services, token, link, after, changes=changes)


def _wanted(form: FormData) -> Mapping[tuple[str, Channel], bool]:
    """Returns what a form says about each topic and channel that its page showed; what it did not show stays."""
    shown = [pair for pair in map(_pair, form.getlist("shown")) if pair is not None]
    on = {pair for pair in map(_pair, form.getlist("on")) if pair is not None}
    if one := _pair(form.get("stop", "")):
        return {one: False}
    nothing = form.get("none") is not None
    return {pair: pair in on and not nothing for pair in shown}


def _pair(value: object) -> tuple[str, Channel] | None:
    channel, _, topic = str(value).partition(":")
    return (topic, Channel(channel)) if channel in set(Channel) and topic else None


def _page(
    request: Request,
    services: Services,
    token: str,
    link: Link,
    found: Preferences,
    *,
    status: int = 200,
    stale: bool = False,
    changes: list[Change] | None = None,
) -> Response:
    words = words_of(request, found.locale)
    locale = next((tag for tag in chain(found.locale) if tag != "default"), words.language)
    titles = {
        topic.name: title_of(topic.name, topic.titles, locale)
        for topic in (*(line.topic for line in found.lines), *found.always)
    }
    return render(
        request,
        "preferences.html",
        status=status,
        words=words,
        titles=titles,
        found=found,
        here=_here(link, found),
        changes=changes,
        stale=stale,
        form=form_key(services, token),
    )


def _here(link: Link, found: Preferences) -> tuple[str, Channel] | None:
    """Returns the topic and channel of the message that led here, where it is still wanted."""
    for line in found.lines:
        if line.topic.name == link.topic and link.channel is not None and line.wanted.get(link.channel):
            return line.topic.name, link.channel
    return None
