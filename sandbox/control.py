"""The control plane under `/_sandbox/`: numbers, behaviour, what users do, template reviews; and the journal."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sandbox import magic
from sandbox.behaviour import Behaviour
from sandbox.graph_errors import GraphError
from sandbox.identifiers import numeric_id, phone
from sandbox.inbound import Act
from sandbox.whatsapp import Platform
from sandbox.world import Number, Template

Json = dict[str, Any]
Handler = Callable[[Request], Awaitable[Response]]
_MOST_ENTRIES = 10_000


class TemplateBody(BaseModel):
    """One template as `PUT /_sandbox/numbers/…` registers it."""

    model_config = ConfigDict(extra="forbid")

    id: str | None = Field(default=None, pattern=r"^\d+$")
    name: str = Field(pattern=r"^[a-z0-9_]{1,512}$")
    language: str = "en_US"
    category: Literal["MARKETING", "UTILITY", "AUTHENTICATION"] = "UTILITY"
    parameter_format: Literal["POSITIONAL", "NAMED"] = "POSITIONAL"
    status: Literal["APPROVED", "PENDING", "REJECTED", "PAUSED", "DISABLED"] = "APPROVED"
    components: list[Json] = Field(min_length=1)


class NumberBody(BaseModel):
    """The body of `PUT /_sandbox/numbers/{phone_number_id}`."""

    model_config = ConfigDict(extra="forbid")

    waba_id: str = Field(min_length=1)
    display_phone_number: str
    verified_name: str = "Sandbox"
    access_token: str = Field(min_length=1)
    app_secret: str = Field(min_length=1)
    verify_token: str = ""
    webhook_url: str | None = None
    check_webhook: bool = True
    templates: list[TemplateBody] = []


class ReviewBody(BaseModel):
    """The body of `POST /_sandbox/templates/{id}/review`."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["APPROVED", "REJECTED", "PAUSED", "DISABLED", "PENDING"]
    reason: str | None = None


class ReadBody(BaseModel):
    """The body of `POST /_sandbox/read`: the outbound message a user opens now."""

    model_config = ConfigDict(extra="forbid")

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """Serves the control plane and the journal."""

    platform: Platform
    certificate: str | None = None

    def mount(self, app: FastAPI) -> None:
        """Adds the routes."""
        routes: list[tuple[str, str, Handler]] = [
            ("GET", "/healthz", self._health),
            ("GET", "/journal", self._journal),
            ("GET", "/_sandbox/numbers", self._numbers),
            ("GET", "/_sandbox/numbers/{id}", self._number),
            ("PUT", "/_sandbox/numbers/{id}", self._register),
            ("DELETE", "/_sandbox/numbers/{id}", self._forget),
            ("GET", "/_sandbox/behaviour", self._behaviour),
            ("PUT", "/_sandbox/behaviour", self._direct),
            ("DELETE", "/_sandbox/behaviour", self._behave),
            ("GET", "/_sandbox/magic", self._magic),
            ("POST", "/_sandbox/inbound", self._inbound),
            ("POST", "/_sandbox/read", self._read),
            ("GET", "/_sandbox/templates", self._templates),
            ("POST", "/_sandbox/templates/{id}/review", self._review),
            ("GET", "/_sandbox/certificate", self._certificate),
        ]
        for method, path, handler in routes:
            app.router.add_route(path, _guarded(handler), methods=[method])

    async def _health(self, _: Request) -> Response:
        return JSONResponse(
            {
                "status": "ok",
                "journal": {"last": self.platform.journal.last},
                "pending": self.platform.callbacks.pending,
            }
        )

    async def _journal(self, request: Request) -> Response:
        query = request.query_params
        after, limit = _number(query.get("after"), 0), min(_number(query.get("limit"), 100), _MOST_ENTRIES)
        wanted = {
            name: query[name]
            for name in ("kind", "provider", "reference", "id", "to", "from", "status")
            if name in query
        }
        found: list[Json] = []
        seen = after
        for entry in self.platform.journal.entries(after):
            if len(found) == limit:
                break
            seen = entry["seq"]
            if all(str(entry.get(name)) == value for name, value in wanted.items()):
                found.append(entry)
        return JSONResponse({"entries": found, "next": seen, "last": self.platform.journal.last})

    async def _numbers(self, _: Request) -> Response:
        return JSONResponse({"numbers": [self._shown(number) for number in self.platform.world.numbers.values()]})

    async def _number(self, request: Request) -> Response:
        number = self.platform.world.numbers.get(request.path_params["id"])
        return _missing("number") if number is None else JSONResponse(self._shown(number))

    async def _register(self, request: Request) -> Response:
        body, world = NumberBody.model_validate(await _json(request)), self.platform.world
        if phone(body.display_phone_number) is None:
            return _problem(400, "display_phone_number is not a phone number")
        if body.webhook_url and body.check_webhook:
            problem = await self.platform.callbacks.handshake(body.webhook_url, body.verify_token)
            if problem:
                return _problem(400, f"{problem}; start what listens there first, or give check_webhook: false")
        facts = body.model_dump(exclude={"templates", "check_webhook"})
        number = Number(id=request.path_params["id"], **facts)
        world.numbers[number.id] = number
        for given in body.templates:
            self._keep(number.waba_id, given)
        world.save()
        return JSONResponse(self._shown(number))

    async def _forget(self, request: Request) -> Response:
        if self.platform.world.numbers.pop(request.path_params["id"], None) is None:
            return _missing("number")
        self.platform.world.save()
        return Response(status_code=204)

    async def _behaviour(self, _: Request) -> Response:
        return JSONResponse(self.platform.director.behaviour.model_dump())

    async def _direct(self, request: Request) -> Response:
        return self._put_in_force(Behaviour.model_validate(await _json(request)))

    async def _behave(self, _: Request) -> Response:
        return self._put_in_force(Behaviour())

    async def _magic(self, _: Request) -> Response:
        numbers = {one.key: one.says for one in magic.NUMBERS}
        return JSONResponse({"whatsapp": numbers, "email": {one.key: one.says for one in magic.MAILBOXES}})

    async def _inbound(self, request: Request) -> Response:
        return JSONResponse(await self.platform.act(Act.model_validate(await _json(request))))

    async def _read(self, request: Request) -> Response:
        read = ReadBody.model_validate(await _json(request))
        message = self.platform.world.messages.get(read.message)
        if message is None or not message.outbound:
            return _missing("outbound message")
        await self.platform.read(message)
        return JSONResponse({"id": message.wamid, "status": message.status})

    async def _templates(self, _: Request) -> Response:
        return JSONResponse({"templates": [asdict(template) for template in self.platform.world.templates.values()]})

    async def _review(self, request: Request) -> Response:
        review = ReviewBody.model_validate(await _json(request))
        template = self.platform.world.templates.get(request.path_params["id"])
        if template is None or template.deleted_at is not None:
            return _missing("template")
        self.platform.review(template, review.status, review.reason)
        return JSONResponse(asdict(template))

    async def _certificate(self, _: Request) -> Response:
        return PlainTextResponse(self.certificate) if self.certificate else _missing("certificate")

    def _put_in_force(self, behaviour: Behaviour) -> Response:
        self.platform.world.behaviour = behaviour
        self.platform.director.direct(behaviour)
        self.platform.world.save()
        return JSONResponse(behaviour.model_dump())

    def _keep(self, waba_id: str, given: TemplateBody) -> None:
        world = self.platform.world
        known = world.find_template(waba_id, given.name, given.language)
        template_id = given.id or (known.id if known else numeric_id())
        if known is not None:
            del world.templates[known.id]
        facts = given.model_dump(exclude={"id"})
        world.templates[template_id] = Template(id=template_id, waba_id=waba_id, **facts)

    def _shown(self, number: Number) -> Json:
        facts = asdict(number)
        del facts["access_token"], facts["app_secret"], facts["verify_token"]
        templates = self.platform.world.templates_of(number.waba_id)
        return {**facts, "templates": [asdict(template) for template in templates]}


def _guarded(handler: Handler) -> Handler:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except ValidationError as problem:
            errors = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in problem.errors(include_url=False)]
            return _problem(422, "; ".join(errors))
        except ValueError as problem:
            return _problem(400, str(problem))
        except GraphError as problem:
            return _problem(400, problem.details or problem.message or f"error {problem.code}")

    return answer


async def _json(request: Request) -> Any:
    return json.loads(await request.body())


def _number(text: str | None, usual: int) -> int:
    return usual if text is None else max(int(text), 0)


def _missing(what: str) -> Response:
    return _problem(404, f"there is no such {what}")


def _problem(status: int, detail: str) -> Response:
    return JSONResponse({"status": status, "detail": detail}, status, media_type="application/problem+json")
