"""Reads WhatsApp's callbacks: batches of changes, each with statuses, messages or news about templates.

A callback may repeat what an earlier one told, batched differently, for a week; so every event has a key that is made
from what it says. Whatever is malformed or new becomes `Unknown`.

Source: https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/components
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from domain.status import Status
from providers import meta_errors, meta_inbound
from providers.base import Event, Receipt, TemplateUpdate, Unknown
from providers.callback_values import bounded_key, digest, instant, objects, text_of, whole_of

STATUSES = {
    "sent": Status.SENT,
    "delivered": Status.DELIVERED,
    "read": Status.READ,
    "played": Status.READ,
    "failed": Status.FAILED,
}
# Field of a change → the part of its value that says what happened to the template.
TEMPLATE_FIELDS = {
    "message_template_status_update": "event",
    "message_template_quality_update": "new_quality_score",
    "template_category_update": "new_category",
    "message_template_components_update": None,
}
_DEEPEST = 60


def events_of(body: bytes) -> tuple[Event, ...]:
    """Returns what a callback tells, in its order."""
    try:
        # Numbers that JSON or a double does not have become text, so that what is kept is JSON again.
        document = json.loads(body, parse_constant=str, parse_float=_finite)
    except (ValueError, RecursionError):
        return (_unreadable("unreadable", body),)
    if not isinstance(document, dict) or _depth(document) > _DEEPEST:
        return (_unreadable("unexpected", body),)
    found = tuple(event for entry in objects(document.get("entry")) for event in _entry(entry))
    return found or (_unreadable("empty", body),)


def _finite(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _unreadable(kind: str, body: bytes) -> Unknown:
    return Unknown(event_key=f"unknown:{digest(body)}", kind=kind, raw={"bytes": len(body)})


def _unknown(kind: str, facts: Mapping[str, Any]) -> Unknown:
    return Unknown(event_key=f"unknown:{digest({'kind': kind, **facts})}", kind=kind[:100], raw=facts)


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level and depth <= _DEEPEST:
        inner = [x.values() if isinstance(x, dict) else x for x in level if isinstance(x, dict | list)]
        level, depth = [y for x in inner for y in x], depth + 1
    return depth


def _entry(entry: Mapping[str, Any]) -> Iterator[Event]:
    changes = objects(entry.get("changes"))
    if not changes:
        yield _unknown("entry", entry)
    for change in changes:
        field, value = text_of(change, "field") or "", change.get("value")
        if not isinstance(value, dict):
            yield _unknown(field or "change", {"change": change})
        elif field == "messages":
            yield from _messages(entry, value)
        elif field in TEMPLATE_FIELDS:
            yield _template(entry, field, value)
        else:
            yield _unknown(field or "change", {"account": entry.get("id"), "time": entry.get("time"), "value": value})


def _messages(entry: Mapping[str, Any], value: Mapping[str, Any]) -> Iterator[Event]:
    metadata = value.get("metadata")
    sender = text_of(metadata, "phone_number_id") if isinstance(metadata, dict) else None
    found = False
    for status in _items(value, "statuses"):
        found = True
        yield _status(entry, sender, status) or _unknown(_kind("status", status, "status"), _about(sender, status))
    for message in _items(value, "messages"):
        found = True
        event = meta_inbound.inbound_of(sender or "", message, objects(value.get("contacts")), entry.get("time"))
        yield event or _unknown(_kind("message", message, "type"), _about(sender, message))
    for error in _items(value, "errors"):
        found = True
        yield _unknown("error", {**_about(sender, error), "time": entry.get("time")})
    if not found:
        yield _unknown("messages", {"value": value, "time": entry.get("time")})


def _items(value: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Returns the objects of a list; whatever else stands in it is kept inside an object of its own."""
    listed = value.get(name)
    if listed is None:
        return []
    return [x if isinstance(x, dict) else {"malformed": x} for x in (listed if isinstance(listed, list) else [listed])]


def _kind(prefix: str, item: Mapping[str, Any], name: str) -> str:
    return f"{prefix}.{text_of(item, name) or 'malformed'}"


def _about(sender: str | None, item: Mapping[str, Any]) -> dict[str, Any]:
    return {"sender": sender, "item": item}


def _status(entry: Mapping[str, Any], sender: str | None, raw: Mapping[str, Any]) -> Receipt | None:
    message_id, word = text_of(raw, "id"), text_of(raw, "status")
    if message_id is None or word not in STATUSES:
        return None
    recipient = text_of(raw, "recipient_id") or text_of(raw, "recipient_user_id") or ""
    error = _first_error(raw) if word == "failed" else {}
    kind = meta_errors.kind_of(error)
    code = meta_errors.code_of(error)
    place = f"status:{message_id}:{word}:{recipient}"
    return Receipt(
        event_key=bounded_key(f"{place}:{code or ''}" if word == "failed" else place),
        status=STATUSES[word],
        raw_status=word,
        occurred_at=instant(raw.get("timestamp"), entry.get("time")),
        provider_message_id=message_id,
        reference=text_of(raw, "biz_opaque_callback_data"),
        sender=sender,
        error_code=None if kind is None else kind.code,
        provider_code=code,
        detail=meta_errors.detail_of(error, ()) if error else None,
    )


def _first_error(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the first error whose code is known, or the first one."""
    errors = objects(raw.get("errors"))
    known = (error for error in errors if meta_errors.kind_of(error) is not None)
    return next(known, errors[0] if errors else {})


def _template(entry: Mapping[str, Any], field: str, value: Mapping[str, Any]) -> Event:
    name, language = text_of(value, "message_template_name"), text_of(value, "message_template_language")
    told = TEMPLATE_FIELDS[field]
    event = "COMPONENTS" if told is None else text_of(value, told)
    facts = {"account": entry.get("id"), "field": field, "time": whole_of(entry.get("time")), "value": value}
    if name is None or language is None or event is None:
        return _unknown(field, facts)
    prefix = {"new_quality_score": "QUALITY_", "new_category": "CATEGORY_"}.get(told or "", "")
    return TemplateUpdate(
        event_key=f"template:{digest(facts)}",
        name=name,
        language=language,
        event=f"{prefix}{event}".upper(),
        reason=_reason(value),
        raw=value,
    )


def _reason(value: Mapping[str, Any]) -> str | None:
    """Returns why, in the provider's words; `NONE` is its word for no reason."""
    candidates = [text_of(value, "reason")]
    for name, key in (("rejection_info", "reason"), ("other_info", "title"), ("disable_info", "disable_date")):
        more = value.get(name)
        candidates.append(text_of(more, key) if isinstance(more, dict) else None)
    return next((word for word in candidates if word and word != "NONE"), None)
