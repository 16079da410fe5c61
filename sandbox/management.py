"""Template management of the Graph API: list, create, edit, delete.

Source: https://developers.facebook.com/docs/graph-api/reference/whats-app-business-account/message_templates
"""

import base64
import re
import time
from typing import Any

from sandbox.checks import Json, a_list, a_text, one_of
from sandbox.graph_errors import GraphError, malformed, unknown_object
from sandbox.identifiers import numeric_id
from sandbox.parameters import PLACEHOLDER, part
from sandbox.whatsapp import Platform
from sandbox.world import NAME_LOCK, Template

_NAME = re.compile(r"[a-z0-9_]{1,512}")
_CATEGORIES = ("authentication", "marketing", "utility")
_COMPONENTS = ("header", "body", "footer", "buttons", "carousel", "limited_time_offer")
_EDITABLE = {"APPROVED", "REJECTED", "PAUSED"}
_MAX_BODY = 1024
_DEFAULT_PAGE = 25


def listed(platform: Platform, waba_id: str, query: dict[str, str], base: str) -> Json:
    """Returns one page of the templates of an account."""
    found = platform.world.templates_of(waba_id)
    for key in ("name", "language", "status", "category"):
        if key in query:
            found = [one for one in found if str(getattr(one, key)).lower() == query[key].lower()]
    limit = min(max(int(query.get("limit", _DEFAULT_PAGE)), 1), 1000)
    start = _position(query.get("after"))
    page = found[start : start + limit]
    fields = [field for field in query.get("fields", "").split(",") if field]
    body: Json = {"data": [shown(one, fields) for one in page]}
    if page:
        body["paging"] = {"cursors": {"before": _cursor(start), "after": _cursor(start + len(page))}}
        if start + limit < len(found):
            body["paging"]["next"] = f"{base}?limit={limit}&after={_cursor(start + limit)}"
    return body


def shown(template: Template, fields: list[str]) -> Json:
    """Returns a template as the Graph API shows it, with the fields asked for."""
    everything: Json = {
        "id": template.id,
        "name": template.name,
        "language": template.language,
        "status": template.status,
        "category": template.category,
        "parameter_format": template.parameter_format,
        "components": template.components,
        "rejected_reason": template.rejected_reason,
        "quality_score": {"score": "UNKNOWN", "date": int(time.time())},
    }
    usual = ("id", "name", "language", "status", "category", "parameter_format", "components")
    wanted = ["id", *fields] if fields else usual
    return {field: everything[field] for field in dict.fromkeys(wanted) if field in everything}


def created(platform: Platform, waba_id: str, body: Json) -> Json:
    """Creates a template that awaits review."""
    name = a_text(body, "name", "name", most=512)
    if not _NAME.fullmatch(name):
        raise malformed("Param name must contain only lowercase alphanumeric characters and underscores ( _ ).")
    language = a_text(body, "language", "language", most=20)
    category = one_of(body.get("category"), "category", _CATEGORIES).upper()
    form = one_of(body.get("parameter_format", "positional"), "parameter_format", ("named", "positional")).upper()
    components = checked_components(body, form)
    _check_name(platform, waba_id, name, language)
    template = Template(
        id=numeric_id(),
        waba_id=waba_id,
        name=name,
        language=language,
        category=category,
        components=components,
        parameter_format=form,
        status="PENDING",
    )
    platform.world.templates[template.id] = template
    platform.world.save()
    platform.callbacks.spawn(platform.review_in_time(template))
    return {"id": template.id, "status": "PENDING", "category": category}


def edited(platform: Platform, template: Template, body: Json) -> Json:
    """Replaces the components or category of a template, which is reviewed again."""
    if template.status not in _EDITABLE:
        raise _refused(
            2388003, "Message template can't be edited", "Only approved, rejected or paused templates can be edited."
        )
    if "category" in body and template.status == "APPROVED":
        raise _refused(
            2388003, "Message template can't be edited", "The category of an approved template can't be changed."
        )
    if "category" in body:
        template.category = one_of(body["category"], "category", _CATEGORIES).upper()
    if "components" in body:
        template.components = checked_components(body, template.parameter_format)
    template.status = "PENDING"
    platform.world.save()
    platform.callbacks.spawn(platform.review_in_time(template))
    return {"success": True, "id": template.id, "name": template.name, "category": template.category}


def deleted(platform: Platform, waba_id: str, query: dict[str, str]) -> Json:
    """Deletes a template in all languages, or in one when `hsm_id` names it; the name stays locked for 30 days."""
    if "name" not in query:
        raise malformed("The parameter name is required.")
    found = [one for one in platform.world.templates_of(waba_id) if one.name == query["name"]]
    if "hsm_id" in query:
        found = [one for one in found if one.id == query["hsm_id"]]
    if not found:
        raise unknown_object(query.get("hsm_id", query["name"]), "delete")
    if any(one.status == "DISABLED" for one in found):
        raise _refused(2388093, "Message template can't be deleted", "A disabled template can't be deleted.")
    for template in found:
        template.deleted_at = time.time()
        platform.review(template, "DELETED")
    return {"success": True}


def checked_components(body: Json, form: str) -> list[Json]:
    """Returns the components of a template after the checks that do not need a reviewer."""
    components = a_list(body, "components", "components", least=1, most=10)
    kinds = [
        one_of(one.get("type"), f"components[{index}]['type']", _COMPONENTS) for index, one in enumerate(components)
    ]
    if kinds.count("body") != 1:
        raise malformed("Param components must have exactly one BODY component.")
    template = Template(id="", waba_id="", name="", language="", category="", components=components)
    text = a_text(part(template, "BODY"), "text", "components['BODY']['text']", most=_MAX_BODY)
    names = list(dict.fromkeys(PLACEHOLDER.findall(text)))
    example = part(template, "BODY").get("example") or {}
    if names and not (example.get("body_text") or example.get("body_text_named_params")):
        raise _refused(2388043, "Message template is missing an example", "Variables of the body need examples.")
    if form == "POSITIONAL" and sorted(names) != sorted(str(index) for index in range(1, len(names) + 1)):
        raise _refused(
            2388065, "Invalid parameters", "Positional variables must be {{1}}, {{2}} and so on, without a gap."
        )
    return components


def _check_name(platform: Platform, waba_id: str, name: str, language: str) -> None:
    for one in platform.world.templates.values():
        if (one.waba_id, one.name, one.language) != (waba_id, name, language):
            continue
        if one.deleted_at is None:
            raise _refused(
                2388024,
                "Content in This Language Already Exists",
                f"There is already {language} content for this template.",
            )
        if time.time() - one.deleted_at < NAME_LOCK:
            raise _refused(
                2388023,
                "Message Template Language Is Being Deleted",
                "The name can be used again 30 days after the deletion.",
            )


def _refused(subcode: int, title: str, text: str) -> GraphError:
    return GraphError(code=100, subcode=subcode, message="Invalid parameter", details=f"{title}. {text}")


def _cursor(position: int) -> str:
    return base64.urlsafe_b64encode(str(position).encode()).decode().rstrip("=")


def _position(cursor: str | None) -> int:
    if not cursor:
        return 0
    try:
        return int(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError as problem:
        raise malformed("Param after is not a valid cursor.") from problem


def as_object(body: Any) -> Json:
    """Returns a parsed body that has to be an object."""
    if not isinstance(body, dict):
        raise malformed("The request body must be a JSON object.")
    return body
