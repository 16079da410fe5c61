"""Checks the parameters of a template message against the approved template, and shows what the user sees.

Source: https://developers.facebook.com/docs/whatsapp/cloud-api/guides/send-message-templates
"""

import re
from collections.abc import Callable
from typing import Any

from sandbox.checks import Json, a_link, a_text, an_object, one_of
from sandbox.graph_errors import GraphError, malformed
from sandbox.world import Number, Template, World

PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_MEDIA_HEADERS = ("image", "video", "document")
_SUB_TYPES = {
    "quick_reply": "QUICK_REPLY",
    "url": "URL",
    "copy_code": "COPY_CODE",
    "flow": "FLOW",
    "catalog": "CATALOG",
}
_SUB_TYPES |= {"mpm": "MPM", "voice_call": "VOICE_CALL"}
HasMedia = Callable[[str], bool]


def check_template(content: Json, number: Number, world: World, has_media: HasMedia) -> Template:
    """Returns the template a message names, after its parameters were compared with it."""
    name = a_text(content, "name", "template['name']", most=512)
    language = an_object(content, "language", "template['language']", of="template")
    code = a_text(language, "code", "template['language']['code']", most=20)
    template = world.find_template(number.waba_id, name, code)
    if template is None or template.status not in {"APPROVED", "PAUSED", "DISABLED"}:
        raise GraphError(code=132001, details=f"template name ({name}) does not exist in {code}")
    if template.status == "PAUSED":
        raise GraphError(code=132015)
    if template.status == "DISABLED":
        raise GraphError(code=132016)
    given = _given(content)
    _check_header(part(template, "HEADER"), given.get("header"), template, has_media)
    _check_texts("body", part(template, "BODY").get("text", ""), given.get("body"), template)
    _check_buttons(part(template, "BUTTONS").get("buttons", []), given)
    return template


def part(template: Template, kind: str) -> Json:
    """Returns the component of a kind, an empty object where the template has none."""
    return next((one for one in template.components if str(one.get("type", "")).upper() == kind), {})


def rendered(template: Template, content: Json) -> Json:
    """Returns the texts and buttons the user sees."""
    given = _given(content)
    header, buttons = part(template, "HEADER"), part(template, "BUTTONS").get("buttons", [])
    media = next((one for one in _listed(given.get("header")) if str(one.get("type")).lower() in _MEDIA_HEADERS), None)
    return {
        "header": _filled(header.get("text", ""), _listed(given.get("header"))),
        "media": media and {**media[str(media["type"]).lower()], "kind": str(media["type"]).lower()},
        "body": _filled(part(template, "BODY").get("text", ""), _listed(given.get("body"))),
        "footer": part(template, "FOOTER").get("text", ""),
        "buttons": [_button(index, button, given) for index, button in enumerate(buttons)],
    }


def _given(content: Json) -> dict[str, Json]:
    components = content.get("components", [])
    if not isinstance(components, list) or not all(isinstance(one, dict) for one in components):
        raise malformed("Param template['components'] must be an array of JSON objects.")
    given = {}
    for index, component in enumerate(components):
        path = f"template['components'][{index}]"
        kind = one_of(component.get("type"), f"{path}['type']", ("header", "body", "button"))
        if kind == "button":
            sub_type = one_of(component.get("sub_type"), f"{path}['sub_type']", tuple(_SUB_TYPES))
            kind = f"button {sub_type} {component.get('index')}"
        if kind in given:
            raise GraphError(code=132012, details=f"{kind}: component is given twice")
        given[kind] = component
    return given


def _listed(component: Json | None) -> list[Json]:
    parameters = (component or {}).get("parameters", [])
    if not isinstance(parameters, list) or not all(isinstance(one, dict) for one in parameters):
        raise malformed("Param parameters must be an array of JSON objects.")
    return parameters


def _check_header(header: Json, component: Json | None, template: Template, has_media: HasMedia) -> None:
    expected = str(header.get("format", "TEXT")).upper() if header else "NOTHING"
    if expected in {"TEXT", "NOTHING"}:
        _check_texts("header", header.get("text", ""), component, template)
        return
    parameters = _listed(component)
    kind = str(parameters[0].get("type", "")).upper() if parameters else "UNKNOWN"
    if len(parameters) != 1 or kind != expected:
        raise GraphError(code=132012, details=f"header: Format mismatch, expected {expected}, received {kind}")
    media = an_object(parameters[0], kind.lower(), f"header['{kind.lower()}']", of="template")
    if kind.lower() not in _MEDIA_HEADERS:
        return
    if ("id" in media) == ("link" in media):
        raise GraphError(code=132012, details=f"header: exactly one of id and link is needed for {kind}")
    if "link" in media:
        a_link(media, "link", "header['link']")
    elif not has_media(str(media["id"])):
        raise GraphError(code=131009, details=f"Media id {media['id']} of header does not exist")


def _check_texts(where: str, text: str, component: Json | None, template: Template) -> None:
    expected = list(dict.fromkeys(PLACEHOLDER.findall(text)))
    parameters = _listed(component)
    if len(parameters) != len(expected):
        raise GraphError(
            code=132000,
            details=f"{where}: number of localizable_params ({len(parameters)}) "
            f"does not match the expected number of params ({len(expected)})",
        )
    named = template.parameter_format == "NAMED"
    for index, parameter in enumerate(parameters):
        path = f"{where}['parameters'][{index}]"
        if named and parameter.get("parameter_name") not in expected:
            raise GraphError(
                code=132012,
                details=f"{path}: parameter_name {parameter.get('parameter_name')!r} is not in the template",
            )
        _check_text_value(parameter, path)
    if named and len({parameter["parameter_name"] for parameter in parameters}) != len(expected):
        raise GraphError(code=132012, details=f"{where}: a parameter_name is given twice")


def _check_text_value(parameter: Json, path: str) -> None:
    kind = one_of(parameter.get("type"), f"{path}['type']", ("text", "currency", "date_time"))
    if kind != "text":
        value = an_object(parameter, kind, f"{path}['{kind}']", of="template")
        a_text(value, "fallback_value", f"{path}['{kind}']['fallback_value']", most=1024)
        return
    text = a_text(parameter, "text", f"{path}['text']", most=32768)
    if "\n" in text or "\t" in text or " " * 5 in text:
        raise GraphError(
            code=132012,
            details=f"{path}: Param text cannot have new-line/tab characters or more than 4 consecutive spaces",
        )


def _check_buttons(buttons: list[Json], given: dict[str, Json]) -> None:
    wanted = dict(enumerate(buttons))
    for kind, component in given.items():
        if not kind.startswith("button "):
            continue
        _, sub_type, index = kind.split(" ", 2)
        button = wanted.get(int(index)) if index.isdecimal() else None
        if button is None or str(button["type"]).upper() != _SUB_TYPES[sub_type]:
            raise GraphError(code=132012, details=f"button: there is no {sub_type} button at index {index}")
        _check_button(sub_type, _listed(component), f"button[{index}]")
    for place, button in wanted.items():
        dynamic = str(button["type"]).upper() == "URL" and PLACEHOLDER.search(str(button.get("url", "")))
        if dynamic and f"button url {place}" not in given:
            details = f"Button at index {place} of type Url requires a parameter"
            raise GraphError(code=131008, details=details)


def _check_button(sub_type: str, parameters: list[Json], path: str) -> None:
    expected = {"quick_reply": "payload", "url": "text", "copy_code": "coupon_code"}.get(sub_type)
    if expected is None:
        return
    if len(parameters) != 1 or str(parameters[0].get("type", "")).lower() not in {expected, "text"}:
        raise GraphError(code=132012, details=f"{path}: one parameter of type {expected} is needed")
    key = expected if expected in parameters[0] else "text"
    a_text(parameters[0], key, f"{path}['{expected}']", most=2000 if expected == "text" else 256)


def _filled(text: str, parameters: list[Json]) -> str:
    values = {
        parameter.get("parameter_name") or str(index): _shown(parameter)
        for index, parameter in enumerate(parameters, 1)
    }
    order = {name: str(index) for index, name in enumerate(dict.fromkeys(PLACEHOLDER.findall(text)), 1)}
    return PLACEHOLDER.sub(lambda found: values.get(found[1]) or values.get(order[found[1]], found[0]), text)


def _shown(parameter: Json) -> str:
    kind = str(parameter.get("type", "text")).lower()
    value: Any = parameter.get(kind, "")
    return str(value.get("fallback_value", "")) if isinstance(value, dict) else str(value)


def _button(index: int, button: Json, given: dict[str, Json]) -> Json:
    kind = str(button["type"]).lower()
    parameters = _listed(given.get(f"button {kind} {index}"))
    value = str(parameters[0].get("payload") or parameters[0].get("text") or "") if parameters else ""
    shown = {"kind": kind, "title": button.get("text", kind)}
    if kind == "url":
        return {**shown, "url": PLACEHOLDER.sub(lambda _: value, str(button.get("url", "")))}
    if kind == "quick_reply":
        return {**shown, "payload": value or button.get("text", "")}
    return shown
