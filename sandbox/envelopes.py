"""The JSON of callbacks: statuses, inbound messages, template updates.

Source: https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/payload-examples
"""

import time
from typing import Any

from sandbox.graph_errors import asynchronous
from sandbox.identifiers import bsuid, is_bsuid, phone
from sandbox.world import Message, Number, Template

Json = dict[str, Any]


def status(
    number: Number, message: Message, name: str, code: int | None, reference: str | None, *, clock: float = 0
) -> Json:
    """Returns the callback that reports one status of an outbound message; `clock` seconds are off in its time."""
    update: Json = {"id": message.wamid, "status": name, "timestamp": str(int(time.time() + clock))}
    by_user_id = is_bsuid(message.user) or "to" not in message.body
    if not by_user_id:
        update["recipient_id"] = message.user
    if by_user_id or name != "failed":
        update["recipient_user_id"] = bsuid(message.user)
    if reference is not None:
        update["biz_opaque_callback_data"] = reference
    if code is not None:
        update["errors"] = [asynchronous(code)]
    else:
        update["pricing"] = _pricing(message)
    value: Json = {} if name == "failed" else {"contacts": [contact(message.user, hide_phone=by_user_id)]}
    return _messages(number, {**value, "statuses": [update]})


def inbound(number: Number, user: str, message: Json, *, hide_phone: bool = False, name: str | None = None) -> Json:
    """Returns the callback that brings one inbound message."""
    value: Json = {"messages": [message]}
    if message["type"] != "system":  # these alone come without contacts
        value = {"contacts": [contact(user, hide_phone=hide_phone, name=name)], **value}
    return _messages(number, value)


def account_errors(number: Number, codes: list[int]) -> Json:
    """Returns the callback that reports errors of the account or app, which concern no message."""
    return _messages(number, {"errors": [asynchronous(code) for code in codes]})


def template_status(template: Template, reason: str | None) -> Json:
    """Returns the callback that reports the status of a template."""
    value: Json = {
        "event": template.status,
        "message_template_id": int(template.id),
        "message_template_name": template.name,
        "message_template_language": template.language,
        "message_template_category": template.category,
        "reason": reason or ("NONE" if template.status != "DELETED" else None),
    }
    if template.status in {"PAUSED", "DISABLED"}:
        value["other_info"] = {"title": "FIRST_PAUSE" if template.status == "PAUSED" else "DISABLED", "description": ""}
    if template.status == "REJECTED":
        value["rejection_info"] = {
            "reason": reason or "OTHER",
            "recommendation": "Change the template and submit it again.",
        }
    change = {"value": value, "field": "message_template_status_update"}
    entry = {"id": template.waba_id, "time": int(time.time()), "changes": [change]}
    return {"object": "whatsapp_business_account", "entry": [entry]}


def contact(user: str, *, hide_phone: bool = False, name: str | None = None) -> Json:
    """Returns the contact object of a user."""
    known: Json = {"profile": {"name": name or f"Guest {user[-4:]}"}, "user_id": bsuid(user)}
    return known if hide_phone else {**known, "wa_id": user}


def _messages(number: Number, value: Json) -> Json:
    metadata = {"display_phone_number": phone(number.display_phone_number), "phone_number_id": number.id}
    change = {"value": {"messaging_product": "whatsapp", "metadata": metadata, **value}, "field": "messages"}
    return {"object": "whatsapp_business_account", "entry": [{"id": number.waba_id, "changes": [change]}]}


def _pricing(message: Message) -> Json:
    if message.template is None:
        return {"billable": False, "pricing_model": "PMP", "category": "service", "type": "free_customer_service"}
    category = str(message.template.get("category", "utility")).lower()
    return {"billable": True, "pricing_model": "PMP", "category": category, "type": "regular"}
