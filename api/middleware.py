"""What holds for every request: an id, size limits, security headers, measured time, and no leaking failures."""

import logging
import re
import time
from collections.abc import Awaitable, Callable

import structlog
import uuid_utils.compat
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.limits import body_limit
from api.metrics import Metrics
from api.problem_types import Kind
from api.problems import Problem, internal_error

log = structlog.get_logger()

_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_FIRST_ERROR = 400
_TRANSPORT_SECURITY = "max-age=31536000"


class RequestContext:
    """Gives a request its id, its headers and its place in the metrics; turns a defect into a plain 500."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._headers = _HEADERS | ({"Strict-Transport-Security": _TRANSPORT_SECURITY} if https else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one ASGI connection; everything but HTTP passes untouched."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        answer = _Answer(send, self._headers | {"X-Request-Id": request_id})
        started = time.perf_counter()
        metrics: Metrics = scope["app"].state.services.metrics
        with metrics.in_flight.track_inprogress(), structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, answer.send)
            except Exception as error:
                log.exception("request.failed", error=type(error).__name__)
                if answer.status is not None:
                    raise
                await internal_error().response(request_id)(scope, receive, answer.send)
            finally:
                _account_for(scope, metrics, answer.status or 500, time.perf_counter() - started)


class RequestLimits:
    """Refuses bodies over the limit of their path, declared or not, and URLs that no database can store."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one ASGI connection; everything but HTTP passes untouched."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = body_limit(scope["path"])
        problem = _unreadable_url(scope) or _declared_too_large(scope, limit)
        if problem is not None:
            await problem.response(scope["state"]["request_id"])(scope, receive, send)
            return
        await self._app(scope, _counted(receive, limit), send)


class _Answer:
    """Adds headers to the answer and remembers its status."""

    def __init__(self, send: Send, headers: dict[str, str]) -> None:
        self._send = send
        self._headers = headers
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers.setdefault(name, value)
        await self._send(message)


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _GIVEN_ID.fullmatch(given) else uuid_utils.compat.uuid7().hex


def _unreadable_url(scope: Scope) -> Problem | None:
    if "\x00" in scope["path"] or b"%00" in scope.get("query_string", b""):
        return Problem(Kind.BAD_REQUEST, "The URL holds a NUL character; remove it.")
    return None


def _declared_too_large(scope: Scope, limit: int) -> Problem | None:
    declared = Headers(scope=scope).get("content-length", "")
    return _too_large(limit) if declared.isascii() and declared.isdigit() and int(declared) > limit else None


def _counted(receive: Receive, limit: int) -> Callable[[], Awaitable[Message]]:
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise _too_large(limit)
        return message

    return counted


def _too_large(limit: int) -> Problem:
    return Problem(Kind.BODY_TOO_LARGE, f"The body may have {limit} bytes; send less.", limit=limit)


def _account_for(scope: Scope, metrics: Metrics, status: int, seconds: float) -> None:
    """Counts the answer and logs it by its route: paths and queries can hold ids and addresses."""
    route = getattr(scope.get("route"), "path", None)
    metrics.observe(method=scope["method"], route=route, status=status, seconds=seconds)
    level = logging.DEBUG if status < _FIRST_ERROR else logging.INFO
    log.log(level, "request.answered", method=scope["method"], route=route, status=status, ms=round(seconds * 1000, 1))
