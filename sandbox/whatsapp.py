"""The WhatsApp platform itself: accepts messages, lets users act, reviews templates, and reports all of it."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from sandbox import envelopes
from sandbox.behaviour import Effect
from sandbox.callbacks import Callback, Callbacks
from sandbox.director import ORDINARY, Director
from sandbox.identifiers import phone, wamid
from sandbox.inbound import Act, ImpossibleError, choices_of, message_of
from sandbox.journal import Journal
from sandbox.media import MediaStore
from sandbox.receipts import Milestone, Receipts, plan
from sandbox.sends import Send
from sandbox.world import Message, Number, Template, World

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """Joins what the stand-in knows with what it posts and writes down."""

    journal: Journal
    world: World
    director: Director
    callbacks: Callbacks
    receipts: Receipts
    media: MediaStore

    async def accept(self, number: Number, send: Send, effect: Effect) -> Message:
        """Writes an accepted send into the journal, then lets its statuses happen; returns the message."""
        fail = effect.fail
        if fail is None and send.free_form and not self.world.window_open(number.id, send.user):
            fail = 131047
        milestones = plan(effect, self.director.behaviour.times, fail)
        message_id = wamid(send.user)
        template = send.template and {
            "name": send.template.name,
            "category": send.template.category,
            "shown": send.shown,
        }
        entry = self.journal.append(
            {
                "provider": "meta",
                "kind": "accepted",
                "id": message_id,
                "reference": send.reference,
                "to": send.user,
                "from": number.id,
                "type": send.kind,
                **({"template": template} if template else {}),
                "body": send.body,
                "plan": [milestone.noted() for milestone in milestones],
                "effects": effect.model_dump(exclude_unset=True),
            }
        )
        message = message_from(entry)
        self.world.remember(message)
        if effect.callbacks_first:
            await self.receipts.at_once(message, milestones, effect)
        else:
            self.receipts.schedule(message, milestones, effect)
        if effect.reply:
            self.callbacks.spawn(self._answer(message, effect.reply))
        return message

    async def act(self, act: Act) -> Json:
        """Lets a user act towards a number; answers with the inbound message and whether its callback was taken."""
        number = self.world.numbers.get(act.number)
        if number is None:
            raise ImpossibleError(
                f"there is no number {act.number!r}; register it with PUT /_sandbox/numbers/{act.number}"
            )
        about = self.world.messages.get(act.context) if act.context else None
        message = message_of(act, number, about, self.media)
        user = phone(act.user) or act.user
        extra = {"hide_phone": act.hide_phone, **({"name": act.name} if act.name else {})}
        entry = self.journal.append(
            {
                "provider": "meta",
                "kind": "inbound",
                "id": message["id"],
                "to": number.id,
                "from": user,
                "body": message,
                **extra,
            }
        )
        self.world.remember(message_from(entry))
        self.world.last_inbound[number.id, user] = time.time()
        taken = [await self.report_inbound(entry) for _ in range(act.copies)]
        return {"id": message["id"], "message": message, "callback": taken[-1]}

    async def read(self, message: Message) -> None:
        """Lets the user read an outbound message now."""
        await self.receipts.at_once(message, [Milestone(status="read", after=0)], ORDINARY)

    async def report_inbound(self, entry: Json) -> str:
        """Posts the callback of an inbound message; tells `taken`, `failed` (tried again later) or `nowhere`."""
        number = self.world.numbers.get(entry["to"])
        url = number and self.world.callback_url(number)
        if number is None or not url:
            return "nowhere"
        payload = envelopes.inbound(
            number, entry["from"], entry["body"], hide_phone=bool(entry.get("hide_phone")), name=entry.get("name")
        )
        facts = {"id": entry["id"], "to": number.id, "from": entry["from"], "update": "inbound"}
        callback = Callback(url=url, secret=number.app_secret, payload=payload, facts=facts)
        return "taken" if await self.callbacks.post(callback) else "failed"

    async def report_template(self, template: Template, reason: str | None = None) -> None:
        """Posts the status of a template to the app's address of its account; overrides do not apply to these."""
        number = next((one for one in self.world.numbers.values() if one.waba_id == template.waba_id), None)
        url = number and self.world.callback_url(number, overridable=False)
        if number is None or not url:
            return
        payload = envelopes.template_status(template, reason)
        facts = {
            "id": template.id,
            "to": None,
            "from": template.waba_id,
            "update": "template",
            "status": template.status,
        }
        await self.callbacks.post(Callback(url=url, secret=number.app_secret, payload=payload, facts=facts))

    def review(self, template: Template, status: str, reason: str | None = None) -> None:
        """Gives a template another status and reports it."""
        template.status = status
        template.rejected_reason = reason or ("OTHER" if status == "REJECTED" else "NONE")
        self.world.save()
        self.callbacks.spawn(self.report_template(template, template.rejected_reason))

    async def review_in_time(self, template: Template) -> None:
        """Approves a pending template after the time the behaviour sets, if it sets one."""
        after = self.director.behaviour.times.review
        if after is None:
            return
        await asyncio.sleep(after)
        if template.status == "PENDING":
            self.review(template, "APPROVED")

    async def _answer(self, message: Message, reply: str) -> None:
        await asyncio.sleep(self.director.behaviour.times.reply)
        kind, _, index = reply.partition(":")
        act = {"number": message.number_id, "from": message.user, "context": message.wamid}
        if kind == "tap" and len(choices_of(message)) > int(index):
            await self.act(Act.model_validate({**act, "type": "tap", "index": int(index)}))
            return
        await self.act(Act.model_validate({**act, "text": "Thank you" if kind == "tap" else reply}))


def message_from(entry: Json) -> Message:
    """Returns the message an `accepted` or `inbound` entry of the journal speaks of."""
    outbound = entry["kind"] == "accepted"
    return Message(
        wamid=entry["id"],
        number_id=entry["from"] if outbound else entry["to"],
        user=entry["to"] if outbound else entry["from"],
        outbound=outbound,
        at=entry["at"],
        body=entry["body"],
        reference=entry.get("reference"),
        template=entry.get("template"),
    )
