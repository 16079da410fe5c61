"""The page `/`: what arrived, live, and what a user does with it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response

from sandbox.bubbles import bubbles, conversations
from sandbox.graph_errors import GraphError
from sandbox.identifiers import phone
from sandbox.inbound import Act
from sandbox.mailbox import Mailbox
from sandbox.whatsapp import Platform

_HERE = Path(__file__).parent
_POLICY = "default-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
_HEADERS = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "same-origin", "Cache-Control": "no-store"}
_MAILS = 100
_SAFE_MEDIA = {"image/jpeg", "image/png", "image/webp", "video/mp4", "audio/ogg", "audio/mpeg", "application/pdf"}
_PAGE = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=jinja2.StrictUndefined
)
Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """Serves the page, its style and script, and the forms on it."""

    platform: Platform
    mailbox: Mailbox

    def mount(self, app: FastAPI) -> None:
        """Adds the routes."""
        routes: list[tuple[str, str, Handler]] = [
            ("GET", "/", self._page),
            ("GET", "/_page/pulse", self._pulse),
            ("GET", "/_page/media/{id}", self._media),
            ("GET", "/_page/{name}", self._asset),
            ("POST", "/_page/act", self._act),
            ("POST", "/_page/read", self._read),
        ]
        for method, path, handler in routes:
            app.router.add_route(path, handler, methods=[method])

    async def _page(self, request: Request) -> Response:
        world = self.platform.world
        threads, mails = conversations(world), self.mailbox.newest_first(None, None, _MAILS)
        thread = _open_thread(request, [one.key for one in threads])
        number_id, _, user = (thread or "").partition("/")
        mail = self.mailbox.find(request.query_params.get("mail", "")) or (mails[0] if mails and not thread else None)
        number = world.numbers.get(number_id)
        html = _PAGE.get_template("page.html").render(
            threads=threads,
            mails=mails,
            thread=thread,
            number_id=number_id,
            user=user,
            business=number.verified_name if number else number_id,
            business_phone=number.display_phone_number if number else "",
            window_open=world.window_open(number_id, user),
            bubbles=bubbles(world, number_id, user) if thread else [],
            mail=self.mailbox.shown(mail) if mail and not thread else None,
            numbers=list(world.numbers.values()),
            last=self.platform.journal.last,
            problem=request.query_params.get("problem", ""),
        )
        return HTMLResponse(html, headers=_HEADERS)

    async def _pulse(self, _: Request) -> Response:
        return JSONResponse({"last": self.platform.journal.last}, headers={"Cache-Control": "no-store"})

    async def _asset(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in {"page.css", "page.js"}:
            return Response(status_code=404)
        return FileResponse(_HERE / "static" / name, headers={"Cache-Control": "no-cache"})

    async def _media(self, request: Request) -> Response:
        medium = self.platform.media.find(request.path_params["id"])
        if medium is None or medium.mime_type.partition(";")[0] not in _SAFE_MEDIA:
            return Response(status_code=404)
        headers = {"X-Content-Type-Options": "nosniff"}
        return Response(self.platform.media.content(medium), media_type=medium.mime_type, headers=headers)

    async def _act(self, request: Request) -> Response:
        if _from_elsewhere(request):
            return Response("forms are taken from the sandbox's own page only", 403)
        form = await request.form()
        facts: dict[str, Any] = {name: value for name, value in form.items() if isinstance(value, str) and value}
        problem = ""
        try:
            await self._attach(facts, form.get("picture"))
            if facts.get("type") != "text" or facts.get("text"):
                await self.platform.act(Act.model_validate(facts))
        except (ValueError, GraphError) as refusal:
            problem = str(refusal) or "that was refused"
        return _back(f"{facts.get('number')}/{phone(str(facts.get('from', ''))) or facts.get('from', '')}", problem)

    async def _attach(self, facts: dict[str, Any], picture: Any) -> None:
        content = b"" if picture is None or isinstance(picture, str) else await picture.read()
        if content:
            medium = self.platform.media.add(facts["number"], picture.content_type or "", content)
            facts.update(type="image", media=medium.id, caption=facts.pop("text", None))

    async def _read(self, request: Request) -> Response:
        if _from_elsewhere(request):
            return Response("forms are taken from the sandbox's own page only", 403)
        form = await request.form()
        key = (str(form.get("number")), str(form.get("from")))
        for wamid in list(self.platform.world.threads.get(key, ())):
            message = self.platform.world.messages.get(wamid)
            if message is not None and message.outbound and message.status in {"sent", "delivered"}:
                await self.platform.read(message)
        return _back("/".join(key), "")


def _open_thread(request: Request, keys: list[str]) -> str | None:
    if "mail" in request.query_params:
        return None
    asked = request.query_params.get("thread")
    return asked if asked in keys else next(iter(keys), None)


def _from_elsewhere(request: Request) -> bool:
    return request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}


def _back(thread: str, problem: str) -> Response:
    query = f"?thread={quote(thread)}" + (f"&problem={quote(problem[:200])}" if problem else "")
    return RedirectResponse(f"/{query}", 303)
