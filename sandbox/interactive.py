"""Checks interactive messages: reply buttons, lists, link buttons and requests, with the vendor's limits.

Source: https://developers.facebook.com/docs/whatsapp/cloud-api/messages/interactive-reply-buttons-messages
"""

from collections.abc import Callable

from sandbox.checks import Json, a_link, a_list, a_text, an_object, one_of, unique
from sandbox.graph_errors import GraphError

MediaCheck = Callable[[Json, str, str], None]
_TYPES = ("button", "list", "cta_url", "flow", "location_request_message", "catalog_message", "product", "product_list")
_HEADERS = ("text", "image", "video", "document")


def check_interactive(interactive: Json, check_media: MediaCheck) -> None:
    """Refuses an interactive message that the platform would refuse."""
    kind = one_of(interactive.get("type"), "interactive['type']", _TYPES)
    if "header" in interactive:
        _check_header(an_object(interactive, "header", "interactive['header']", of=kind), kind, check_media)
    if kind != "product":
        body = an_object(interactive, "body", "interactive['body']", of=kind)
        a_text(body, "text", "interactive['body']['text']", most=4096 if kind == "list" else 1024)
    if "footer" in interactive:
        footer = an_object(interactive, "footer", "interactive['footer']", of=kind)
        a_text(footer, "text", "interactive['footer']['text']", most=60)
    action = an_object(interactive, "action", "interactive['action']", of=kind)
    if kind == "button":
        _check_buttons(action)
    elif kind == "list":
        _check_list(action)
    elif kind == "cta_url":
        _check_link(action)
    else:
        a_text(action, "name", "interactive['action']['name']", most=100, optional=kind.startswith("product"))


def _check_header(header: Json, kind: str, check_media: MediaCheck) -> None:
    form = one_of(header.get("type"), "interactive['header']['type']", _HEADERS)
    if kind == "list" and form != "text":
        raise GraphError(code=131009, details="Header of type list must be text")
    if form == "text":
        a_text(header, "text", "interactive['header']['text']", most=60)
        return
    check_media(
        an_object(header, form, f"interactive['header']['{form}']", of=kind), form, f"interactive['header']['{form}']"
    )


def _check_buttons(action: Json) -> None:
    path = "interactive['action']['buttons']"
    ids, titles = [], []
    for index, button in enumerate(a_list(action, "buttons", path, least=1, most=3)):
        one_of(button.get("type"), f"{path}[{index}]['type']", ("reply",))
        reply = an_object(button, "reply", f"{path}[{index}]['reply']", of="button")
        ids.append(a_text(reply, "id", f"{path}[{index}]['reply']['id']", most=256))
        titles.append(a_text(reply, "title", f"{path}[{index}]['reply']['title']", most=20))
    unique(ids, f"{path} ids")
    unique(titles, f"{path} titles")


def _check_list(action: Json) -> None:
    path = "interactive['action']['sections']"
    a_text(action, "button", "interactive['action']['button']", most=20)
    sections = a_list(action, "sections", path, least=1, most=10)
    ids = []
    for index, section in enumerate(sections):
        a_text(section, "title", f"{path}[{index}]['title']", most=24, optional=len(sections) == 1)
        rows = a_list(section, "rows", f"{path}[{index}]['rows']", least=1, most=10)
        for place, row in enumerate(rows):
            ids.append(a_text(row, "id", f"{path}[{index}]['rows'][{place}]['id']", most=200))
            a_text(row, "title", f"{path}[{index}]['rows'][{place}]['title']", most=24)
            a_text(row, "description", f"{path}[{index}]['rows'][{place}]['description']", most=72, optional=True)
    if len(ids) > 10:  # noqa: PLR2004 - the vendor's bound on all rows together
        raise GraphError(code=131009, details="Total row count exceed max allowed count: 10")
    unique(ids, "row ids")


def _check_link(action: Json) -> None:
    one_of(action.get("name"), "interactive['action']['name']", ("cta_url",))
    parameters = an_object(action, "parameters", "interactive['action']['parameters']", of="cta_url")
    a_text(parameters, "display_text", "interactive['action']['parameters']['display_text']", most=20)
    a_link(parameters, "url", "interactive['action']['parameters']['url']")
