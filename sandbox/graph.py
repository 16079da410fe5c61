"""The Graph API stand-in: paths, credentials, and what each call answers.

Source: https://developers.facebook.com/docs/graph-api and https://developers.facebook.com/docs/whatsapp/cloud-api
"""

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from sandbox import management
from sandbox.answers import graph_json
from sandbox.checks import Json, a_text
from sandbox.graph_errors import GraphError, malformed, unknown_object
from sandbox.messages import Messages
from sandbox.whatsapp import Platform
from sandbox.world import Number

VERSIONS = frozenset(f"v{number}.0" for number in range(21, 27))
_MAX_UPLOAD = 101 * 1024 * 1024
Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphApi:
    """Serves the calls of the WhatsApp Cloud API and of template management."""

    platform: Platform
    messages: Messages

    def mount(self, app: FastAPI) -> None:
        """Adds the routes; they come last, because their first segment matches anything."""
        routes: list[tuple[str, str, Handler]] = [
            ("GET", "/_media/{ticket}", self._download),
            ("POST", "/{version}/{id}/messages", self._send),
            ("POST", "/{version}/{id}/media", self._upload),
            ("GET", "/{version}/{id}/message_templates", self._templates),
            ("POST", "/{version}/{id}/message_templates", self._create_template),
            ("DELETE", "/{version}/{id}/message_templates", self._delete_template),
            ("GET", "/{version}/{id}/subscribed_apps", self._subscriptions),
            ("POST", "/{version}/{id}/subscribed_apps", self._subscribe),
            ("DELETE", "/{version}/{id}/subscribed_apps", self._unsubscribe),
            ("GET", "/{version}/{id}/phone_numbers", self._phone_numbers),
            ("GET", "/{version}/{id}", self._read),
            ("POST", "/{version}/{id}", self._edit),
            ("DELETE", "/{version}/{id}", self._delete),
        ]
        for method, path, handler in routes:
            app.router.add_route(path, _guarded(handler), methods=[method])

    async def _send(self, request: Request) -> Response:
        number = self._number(request)
        return await self.messages.receive(number, await read_json(request))

    async def _upload(self, request: Request) -> Response:
        number = self._number(request)
        if int(request.headers.get("content-length", 0)) > _MAX_UPLOAD:
            raise GraphError(code=131053, details="The file is too large.")
        form = await request.form(max_part_size=_MAX_UPLOAD)
        file = form.get("file")
        if form.get("messaging_product") != "whatsapp":
            raise malformed("The parameter messaging_product is required.")
        if file is None or isinstance(file, str):
            raise malformed("The parameter file is required.")
        kind = str(form.get("type") or file.content_type or "")
        medium = self.platform.media.add(number.id, kind, await file.read())
        return graph_json({"id": medium.id})

    async def _download(self, request: Request) -> Response:
        medium = self.platform.media.redeem(request.path_params["ticket"])
        if medium is None or medium.number_id not in {number.id for number in self._numbers(request)}:
            return Response("URL signature expired", 404)
        return Response(self.platform.media.content(medium), media_type=medium.mime_type)

    async def _templates(self, request: Request) -> Response:
        waba_id = self._account(request)
        base = str(request.url.replace(query=""))
        return graph_json(management.listed(self.platform, waba_id, dict(request.query_params), base))

    async def _create_template(self, request: Request) -> Response:
        waba_id = self._account(request)
        return graph_json(management.created(self.platform, waba_id, management.as_object(await read_json(request))))

    async def _delete_template(self, request: Request) -> Response:
        return graph_json(management.deleted(self.platform, self._account(request), dict(request.query_params)))

    async def _subscriptions(self, request: Request) -> Response:
        waba_id, world = self._account(request), self.platform.world
        if waba_id in world.unsubscribed:
            return graph_json({"data": []})
        app: Json = {"whatsapp_business_api_data": {"id": "1", "name": "Sandbox app", "link": "https://example.com/"}}
        override = world.overrides.get(waba_id)
        return graph_json({"data": [{**app, "override_callback_uri": override} if override else app]})

    async def _subscribe(self, request: Request) -> Response:
        waba_id, world = self._account(request), self.platform.world
        url = await self._override(management.as_object(await read_json(request)))
        world.unsubscribed.discard(waba_id)
        world.overrides = (
            {**world.overrides, waba_id: url} if url else {k: v for k, v in world.overrides.items() if k != waba_id}
        )
        world.save()
        return graph_json({"success": True})

    async def _unsubscribe(self, request: Request) -> Response:
        self.platform.world.unsubscribed.add(self._account(request))
        self.platform.world.save()
        return graph_json({"success": True})

    async def _phone_numbers(self, request: Request) -> Response:
        waba_id = self._account(request)
        numbers = [number for number in self.platform.world.numbers.values() if number.waba_id == waba_id]
        return graph_json({"data": [self._shown(number) for number in numbers]})

    async def _read(self, request: Request) -> Response:
        numbers, object_id = self._numbers(request), request.path_params["id"]
        number = next((one for one in numbers if one.id == object_id), None)
        if number is not None:
            return graph_json(self._shown(number))
        if object_id in {one.waba_id for one in numbers}:
            return graph_json({"id": object_id, "name": "Sandbox account", "timezone_id": "1"})
        template = self.platform.world.templates.get(object_id)
        if template is not None and template.waba_id in {one.waba_id for one in numbers}:
            fields = [field for field in request.query_params.get("fields", "").split(",") if field]
            return graph_json(management.shown(template, fields))
        medium = self.platform.media.find(object_id)
        if medium is None or medium.number_id not in {one.id for one in numbers}:
            raise unknown_object(object_id, "get")
        facts = {"mime_type": medium.mime_type, "sha256": medium.sha256, "file_size": medium.file_size, "id": medium.id}
        url = f"{request.base_url}_media/{self.platform.media.ticket(medium)}"
        return graph_json({"messaging_product": "whatsapp", "url": url, **facts})

    async def _edit(self, request: Request) -> Response:
        numbers, object_id = self._numbers(request), request.path_params["id"]
        body = management.as_object(await read_json(request))
        number = next((one for one in numbers if one.id == object_id), None)
        if number is not None:
            number.override_url = await self._override(body.get("webhook_configuration") or {}) or None
            self.platform.world.save()
            return graph_json({"success": True})
        template = self.platform.world.templates.get(object_id)
        if template is None or template.waba_id not in {one.waba_id for one in numbers}:
            raise unknown_object(object_id, "post")
        return graph_json(management.edited(self.platform, template, body))

    async def _delete(self, request: Request) -> Response:
        numbers, object_id = self._numbers(request), request.path_params["id"]
        medium = self.platform.media.find(object_id)
        if medium is None or medium.number_id not in {one.id for one in numbers}:
            raise unknown_object(object_id, "delete")
        self.platform.media.delete(medium)
        return graph_json({"success": True})

    async def _override(self, configuration: Json) -> str:
        url = configuration.get("override_callback_uri") or ""
        if not url:
            return ""
        a_text(configuration, "override_callback_uri", "override_callback_uri", most=200)
        problem = await self.platform.callbacks.handshake(url, str(configuration.get("verify_token") or ""))
        if problem:
            raise GraphError(
                code=2200,
                status=400,
                message=f"(#2200) Callback verification failed with the following errors: {problem}",
            )
        return str(url)

    def _number(self, request: Request) -> Number:
        wanted = request.path_params["id"]
        number = next((one for one in self._numbers(request) if one.id == wanted), None)
        if number is None:
            raise unknown_object(wanted, request.method)
        return number

    def _account(self, request: Request) -> str:
        wanted: str = request.path_params["id"]
        if wanted not in {one.waba_id for one in self._numbers(request)}:
            raise unknown_object(wanted, request.method)
        return wanted

    def _numbers(self, request: Request) -> list[Number]:
        version = request.path_params.get("version")
        if version is not None and version not in VERSIONS:
            raise GraphError(
                code=2500, status=400, message=f"Unknown path components: /{version}/{request.path_params['id']}"
            )
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else request.query_params.get("access_token", "")
        numbers = self.platform.world.by_token(token) if token else []
        if not numbers:
            raise GraphError(code=190, message="Invalid OAuth access token - Cannot parse access token")
        return numbers

    def _shown(self, number: Number) -> Json:
        return {
            "id": number.id,
            "display_phone_number": number.display_phone_number,
            "verified_name": number.verified_name,
            "quality_rating": "GREEN",
            "code_verification_status": "VERIFIED",
            "platform_type": "CLOUD_API",
            "throughput": {"level": "STANDARD"},
            "last_onboarded_time": time.strftime("%Y-%m-%dT%H:%M:%S+0000", time.gmtime()),
        }


async def read_json(request: Request) -> Any:
    """Returns the parsed body; an empty one counts as an empty object."""
    raw = await request.body()
    try:
        return json.loads(raw) if raw else {}
    except (ValueError, RecursionError) as problem:
        raise malformed("The request body is not valid JSON.") from problem


def _guarded(handler: Handler) -> Handler:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except GraphError as refusal:
            return graph_json(refusal.envelope(), refusal.http_status)

    return answer
