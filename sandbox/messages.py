"""`POST /{phone_number_id}/messages`: sends and read marks, refused, accepted or mistreated as the behaviour says."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from fastapi.responses import Response

from sandbox.answers import Cut, bad_gateway, graph_json, spoiled
from sandbox.behaviour import Effect, Refusal
from sandbox.checks import Json, a_text
from sandbox.director import Subject
from sandbox.graph_errors import GraphError
from sandbox.identifiers import bsuid, is_bsuid, phone
from sandbox.sends import Send, check_send
from sandbox.whatsapp import Platform
from sandbox.world import Message, Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Messages:
    """Takes what callers post to the messages edge of a number."""

    platform: Platform

    async def receive(self, number: Number, body: Any) -> Response:
        """Answers one request; what is accepted stands in the journal before anything is answered."""
        if isinstance(body, dict) and body.get("status") == "read":
            return self._mark_read(number, body)
        try:
            send = check_send(body, number, self.platform.world, self.platform.media.has)
        except GraphError as refusal:
            self._note_refusal(number, body, refusal.code, refusal.http_status)
            raise
        subject = Subject(
            channel="whatsapp",
            number=number.id,
            recipient=send.user,
            template=send.template.name if send.template else None,
        )
        effect = self.platform.director.effect_for(subject)
        if effect.lose_request:
            self.platform.journal.append(_facts(number, send.body, "dropped"))
            return Cut()
        self._check_limits(number, send)
        await asyncio.sleep(effect.delay_journal)
        if effect.refuse is not None and not effect.refuse.accepted:
            return await self._refuse(number, send, effect, effect.refuse)
        message = await self.platform.accept(number, send, effect)
        if effect.refuse is not None:
            return await spoiled(_refusal(effect.refuse), effect)
        return await spoiled(graph_json(_accepted(send, message)), effect)

    async def _refuse(self, number: Number, send: Send, effect: Effect, refuse: Refusal) -> Response:
        self._note_refusal(number, send.body, refuse.code, refuse.status)
        return await spoiled(_refusal(refuse), effect)

    def _check_limits(self, number: Number, send: Send) -> None:
        director, now = self.platform.director, time.monotonic()
        for kind, key, code in (("number", number.id, 130429), ("pair", f"{number.id}/{send.user}", 131056)):
            if director.exceeds("number" if kind == "number" else "pair", key, now):
                self._note_refusal(number, send.body, code, 429)
                raise GraphError(code=code)

    def _mark_read(self, number: Number, body: Json) -> Response:
        message_id = a_text(body, "message_id", "message_id", most=128)
        message = self.platform.world.messages.get(message_id)
        if message is None or message.outbound or message.number_id != number.id:
            raise GraphError(code=100, message="(#100) Invalid parameter", details="Message id is not valid")
        message.marked_read = True
        typing = "typing_indicator" in body
        entry = {"provider": "meta", "kind": "mark_read", "id": message_id, "to": message.user, "from": number.id}
        self.platform.journal.append({**entry, "typing": typing})
        return graph_json({"success": True})

    def _note_refusal(self, number: Number, body: Any, code: int | None, status: int) -> None:
        self.platform.journal.append({**_facts(number, body, "refused"), "code": code, "http_status": status})


def _facts(number: Number, body: Any, kind: str) -> Json:
    known = body if isinstance(body, dict) else {}
    to = known.get("to") or known.get("recipient")
    return {
        "provider": "meta",
        "kind": kind,
        "id": None,
        "reference": known.get("biz_opaque_callback_data"),
        "to": phone(to) or to if isinstance(to, str) else to,
        "from": number.id,
        "type": known.get("type"),
        "body": body,
    }


def _accepted(send: Send, message: Message) -> Json:
    contact = {"input": send.to, "user_id": bsuid(send.user)}
    if not is_bsuid(send.user):
        contact["wa_id"] = send.user
    sent = {"id": message.wamid}
    if send.template is not None:
        sent["message_status"] = "accepted"
    return {"messaging_product": "whatsapp", "contacts": [contact], "messages": [sent]}


def _refusal(refuse: Refusal) -> Response:
    headers = {} if refuse.retry_after is None else {"Retry-After": str(refuse.retry_after)}
    if not refuse.envelope:
        answer = bad_gateway(refuse.status)
    else:
        error = GraphError(code=refuse.code if refuse.code is not None else 1, details=refuse.details)
        answer = graph_json(error.envelope(), refuse.status)
    answer.headers.update(headers)
    return answer
