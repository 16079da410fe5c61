"""Flows under test: published, started, told what happens, and played to their end on a clock that jumps."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from activities.programs import Programs
from activities.series_facts import state_of_series
from api.flow_files import read as read_flow
from db import series, series_lists
from db.series_hearing import NewHearing, hear
from domain.conditions import holds
from domain.flow_consents import CONFIRMED
from domain.flow_preview import simulate
from domain.flow_state import Heard
from testing import messages, preview, script
from testing.confirming import confirm
from testing.ground import Ground
from testing.loop import LoopThread
from testing.script import Happening
from testing.stage import Stage
from testing.transcript import Line, Transcript

_VARIABLE = re.compile(r"{{-?\s*([A-Za-z_][\w.]*)")
_LONGEST = 200
_PATIENCE = timedelta(days=1)


class Flows:
    """One installation that is played: the product's API, workflows and providers, on a clock of its own."""

    def __init__(self, loop: LoopThread, stage: Stage, zone: str) -> None:
        self._loop, self._stage, self._zone = loop, stage, zone
        self._script: list[Happening] = []
        self._series: list[UUID] = []
        self._waited = timedelta(seconds=5)

    @property
    def skips(self) -> bool:
        """Tells whether the server skips time; else series jump, and messages do not wait."""
        return self._stage.skips

    @property
    def now(self) -> datetime:
        """Returns the instant at which the play is."""
        return self._stage.watch.clock.instant

    def publish(self, flow: str | Path) -> str:
        """Publishes a flow, given as its text or its file, and returns its name.

        Raises:
            ValueError: Something is wrong with it; the message says what, and where.
        """
        text = flow.read_text("utf-8") if isinstance(flow, Path) else flow
        found, wrong = read_flow(text)
        if found is None:
            raise ValueError("; ".join(f"line {one.line}: {one.message}" for one in wrong))
        pushed = self._ask("PUT", f"/v1/flows/{found.name}", {"definition": text})
        self._ask("POST", f"/v1/flows/{found.name}/publish", {"version": pushed["version"]})
        return found.name

    def template(
        self,
        name: str,
        *,
        whatsapp: str | None = None,
        email: tuple[str, str] | None = None,
        sms: str | None = None,
        types: Mapping[str, str] | None = None,
    ) -> None:
        """Publishes a template that says the same over each channel named, tried in the order of the arguments.

        Args:
            name: What flows call it.
            whatsapp: The text as WhatsApp approved it, with its values as `{{ name }}`.
            email: Subject and text of a mail.
            sms: The text of a text message.
            types: What values are that are no text: `{"amount": "number"}`.
        """
        self._loop.run(self._publish_template(name, whatsapp, email, sms, types))

    def recipient(
        self, name: str, *, phone: str | None = None, email: str | None = None, zone: str | None = None, **fields: Any
    ) -> None:
        """Adds a person with their addresses; further fields are those of the API."""
        given = [("phone", phone), ("email", email)]
        addresses = [{"kind": kind, "value": value} for kind, value in given if value is not None]
        body = {"name": name.title(), "zone": zone or self._zone, "addresses": addresses, **fields}
        self._ask("PUT", f"/v1/recipients/{name}", body)

    def start(self, flow: str, *, to: str | Mapping[str, str], **fields: Any) -> UUID:
        """Starts a series for a recipient, or for an address such as `{"email": …}`; returns its id.

        Further fields are those of `POST /v1/series`: `key`, `data`, `anchors`, `event`, `zone`.
        """
        whom = {"recipient": to} if isinstance(to, str) else dict(to)
        begun = self._ask("POST", "/v1/series", {"flow": flow, "to": whom, **fields})
        return self._remember(begun["id"])

    def event(self, type_: str, **data: Any) -> list[UUID]:
        """Sends an event in, now, and returns the series that it started."""
        answer = self._loop.run(self._send_event(type_, data, self.now))
        effects = answer["results"][0]["effects"]
        return [self._remember(one["series_id"]) for one in effects if one["result"] == "started"]

    def service(self, url: str, body: Any = None, *, status: int = 200) -> None:
        """Lets a service answer this from now on to each `call` of its address; nothing leaves the machine."""
        self._ground.services.answers(url, status, body)

    def asked(self, url: str) -> list[dict[str, Any]]:
        """Returns the documents with which flows called a service, the first one first."""
        return self._ground.services.asked(url)

    def script(self, *lines: str, **data: Any) -> None:
        """Lets things happen later: `reply@3d`, `tap:accept@1d`, `delivered@1h`, `event:invoice.paid@5d`.

        Their lengths of time count from the beginning of the play; `data` is what comes with them. Replies, taps and
        receipts are heard by every series that runs then, events by whoever waits for them.
        """
        start = self._stage.watch.clock.start
        self._script += [script.read(line, start, self._zone, data) for line in lines]
        self._script.sort(key=lambda happening: happening.at)

    def run(self, until: datetime | None = None) -> Transcript:
        """Plays until nothing is left to be done, or until an instant, and returns what came of it."""
        self._loop.run(self._play(until))
        return self.transcript()

    def transcript(self, series_id: UUID | None = None) -> Transcript:
        """Returns what a series did so far; the one that began first, unless another is named."""
        return Transcript(self._loop.run(self._told(series_id or self._series[0])), self._zone)

    def preview(self, series_id: UUID | None = None) -> Transcript:
        """Returns what the simulation says that a series would do, with what the script says; it sends nothing."""
        return Transcript(self._loop.run(self._foretold(series_id or self._series[0])), self._zone)

    def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Returns what the API of the product answers, for whatever else a test needs."""
        return self._ask(method, path, body)

    @property
    def _ground(self) -> Ground:
        return self._stage.ground

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        return self._loop.run(self._ground.ask(method, path, body))

    def _remember(self, series_id: str) -> UUID:
        self._series.append(UUID(series_id))
        return self._series[-1]

    async def _publish_template(
        self,
        name: str,
        whatsapp: str | None,
        email: tuple[str, str] | None,
        sms: str | None,
        types: Mapping[str, str] | None,
    ) -> None:
        contents: dict[str, dict[str, Any]] = {}
        if whatsapp is not None:
            contents["whatsapp"] = await self._ground.approve(name, whatsapp)
        if email is not None:
            contents["email"] = {"subject": email[0], "text": email[1]}
        if sms is not None:
            contents["sms"] = {"body": sms}
        parts = [{"channel": channel, "locale": "default", "content": one} for channel, one in contents.items()]
        texts = " ".join(filter(None, (whatsapp, *(email or ()), sms)))
        names = dict.fromkeys(_VARIABLE.findall(texts))
        variables = [{"name": one, "type": (types or {}).get(one, "string")} for one in names]
        await self._ground.ask("POST", "/v1/templates", {"name": name})
        path = f"/v1/templates/{name}/versions"
        made = await self._ground.ask("POST", path, {"parts": parts, "variables": variables})
        await self._ground.ask("POST", f"{path}/{made['number']}/publish")

    async def _send_event(self, type_: str, data: Mapping[str, Any], at: datetime) -> dict[str, Any]:
        event = {
            "specversion": "1.0", "id": str(uuid4()), "source": "/play", "type": type_, "time": at.isoformat(),
            "data": dict(data),
        }  # fmt: skip
        headers = {"Content-Type": "application/cloudevents+json"}
        return await self._ground.ask("POST", "/v1/events", event, **headers)

    async def _play(self, until: datetime | None) -> None:
        await self._stage.still()
        for _ in range(_LONGEST * 10):
            if await self._is_over():
                return
            following = self._following() or await self._patience(until)
            if following is None or (until is not None and following > until):
                break
            await self._stage.go_to(following)
            while self._script and self._script[0].at <= following:
                await self._happens(self._script.pop(0))
                await self._stage.still()
        else:
            raise TimeoutError("it goes on and on; say until when: run(until=…)")
        if until is not None:
            await self._stage.go_to(until)

    async def _patience(self, until: datetime | None) -> datetime | None:
        """Returns an instant a while from now where a message waits for something that only its workflow knows."""
        if until is not None or not await self._stage.messages_wait() or self._waited > _PATIENCE:
            return None
        self._waited *= 2
        return self.now + self._waited

    def _following(self) -> datetime | None:
        due = [one for one in (self._stage.watch.clock.following(), *(self._script[:1])) if one is not None]
        return min((one.at if isinstance(one, Happening) else one for one in due), default=None)

    async def _is_over(self) -> bool:
        """Tells whether every series has ended, and every message."""
        async with self._ground.database.tenant(self._ground.tenant_id) as connection:
            rows = [await series.get(connection, self._ground.tenant_id, one) for one in self._series]
        return bool(rows) and all(row is not None and row.ended_at for row in rows) and not self._stage.watch.open

    async def _happens(self, happening: Happening) -> None:
        if (happening.kind, happening.name) == ("event", CONFIRMED):
            async with self._ground.database.tenant(self._ground.tenant_id) as connection:
                await confirm(connection, self._ground.tenant_id, self._series, happening.at)
            return
        if happening.kind == "event":
            await self._send_event(str(happening.name), happening.data, happening.at)
            return
        news = [
            NewHearing(
                series_id=one, cause=f"play/{uuid4()}", kind=happening.kind, name=happening.name, at=happening.at,
                data=happening.data,
            )
            for one in self._series
        ]  # fmt: skip
        async with self._ground.database.tenant(self._ground.tenant_id) as connection:
            await hear(connection, self._ground.tenant_id, news)

    async def _told(self, series_id: UUID) -> list[Line]:
        ground, made = self._ground, self._stage.watch.made
        async with ground.database.tenant(ground.tenant_id) as connection:
            noted = await series_lists.timeline(
                connection, ground.tenant_id, series_id, limit=_LONGEST * 10, before=None
            )
        lines: list[Line] = []
        for one in reversed(noted):
            lines += preview.of_timeline([one])
            if one.kind == "sent":
                lines += await messages.of_notification(ground, UUID(one.detail["notification_id"]), made, one.at)
        return sorted(lines, key=lambda line: line.at)

    async def _foretold(self, series_id: UUID) -> Sequence[Line]:
        ground = self._ground
        async with ground.database.tenant(ground.tenant_id) as connection:
            row = await series.get(connection, ground.tenant_id, series_id)
            if row is None:
                raise LookupError(f"there is no series {series_id}")
            program = await Programs().get(connection, ground.tenant_id, row.flow_version_id)
            state = await state_of_series(connection, ground.tenant_id, row, program.flow)
        heard = [Heard(kind=one.kind, name=one.name, at=one.at, data=dict(one.data)) for one in self._script]
        return list(preview.of_preview(simulate(program, state, holds, heard)))
