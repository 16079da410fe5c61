"""Pages out of templates: everything that is filled in is escaped, and what a template forgets to get is an error."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse

from api.sentences import readable
from db.json import pretty
from domain.calendar import zone_of
from domain.reasons import SENTENCES, Reason
from web.assets import asset_url
from web.menu import menu
from web.session import session_of


def render(
    request: Request, template: str, *, status: int = 200, place: str | None = None, **facts: Any
) -> HTMLResponse:
    """Returns the page that a template makes of facts, with the menu of who is signed in.

    Args:
        request: The request that is answered.
        template: The file of the template.
        status: The status of the answer.
        place: The address whose entry in the menu the page belongs to, where it is not its own.
        facts: What the template fills in.
    """
    session = session_of(request)
    entries = menu(session, place or request.url.path) if session else []
    html = _PAGES.get_template(template).render(session=session, menu=entries, **facts)
    return HTMLResponse(html, status_code=status)


def words(code: str) -> str:
    """Returns a code as words: `not_sent` is read as `not sent`."""
    return code.replace("_", " ").replace(".", " ")


def in_zone(moment: datetime, zone: str) -> str:
    """Returns a moment as the clocks of a zone show it, such as `21 Nov 2026, 15:48:03 Asia/Kolkata`."""
    shown, clock = by_clock(moment, zone)
    return f"{shown:%-d %b %Y, %H:%M:%S} {clock}"


def by_clock(moment: datetime, zone: str) -> tuple[datetime, str]:
    """Returns a moment by the clocks of a zone and the zone, or by UTC where a calendar ends before those clocks."""
    try:
        return moment.astimezone(zone_of(zone)), zone
    except (ValueError, OverflowError):
        return moment.astimezone(UTC), "UTC"


def sentence(reason: str | None) -> str | None:
    """Returns a reason in words, where it is one of ours."""
    return SENTENCES[Reason(reason)] if reason in set(Reason) else reason


def _environment(filters: Mapping[str, Any]) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters)
    environment.globals["asset"] = asset_url
    return environment


_PAGES = _environment({"words": words, "utc": readable, "pretty": pretty, "sentence": sentence, "in_zone": in_zone})
