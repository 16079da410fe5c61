"""Answers over HTTP, ordinary ones and those that break off, dawdle or never come."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from fastapi.responses import Response, StreamingResponse

from sandbox.behaviour import Effect

CONNECTION = "sandbox.connection"
_PIECES = 10
_PADDING = 1024
_BETWEEN_PADDING = 0.05
_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def graph_json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Returns an answer as the Graph API writes it."""
    content = json.dumps(body, separators=(",", ":")).replace("/", "\\/")
    return Response(
        content, status, {**(headers or {}), "facebook-api-version": "v26.0"}, "application/json; charset=UTF-8"
    )


def bad_gateway(status: int) -> Response:
    """Returns the page that stands before an overloaded API, which says nothing about what became of the request."""
    page = f"<!DOCTYPE html><title>Error</title><h1>{status}</h1><p>Sorry, something went wrong.</p>"
    return Response(page, status, media_type="text/html")


class Cut(Response):
    """Closes the connection, after some raw bytes or none, where an answer was due."""

    def __init__(self, raw: bytes = b"") -> None:
        super().__init__()
        self._raw = raw

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Writes past the server, straight to the connection, and waits until that is gone."""
        del send  # nothing of the ordinary way is used
        transport: asyncio.Transport = scope["extensions"][CONNECTION]["transport"]
        if self._raw:
            transport.write(self._raw)
            transport.close()
        else:
            transport.abort()
        while (await receive())["type"] != "http.disconnect":
            continue


async def spoiled(answer: Response, effect: Effect) -> Response:
    """Returns the answer as the effect leaves it, after its delay."""
    await asyncio.sleep(effect.delay_answer)
    content = bytes(answer.body)
    if effect.lose_answer:
        return Cut()
    if effect.truncate_answer:
        head = f"HTTP/1.1 {answer.status_code} OK\r\ncontent-type: application/json\r\n"
        head += f"content-length: {len(content)}\r\n\r\n"
        return Cut(head.encode() + content[: len(content) // 2])
    if effect.garbage_answer:
        return Response(b"\x1f\x8b<!-- not json \xff", 200, media_type="application/json")
    return _paced(answer, content, effect)


def _paced(answer: Response, content: bytes, effect: Effect) -> Response:
    if effect.endless_answer:
        return StreamingResponse(_without_end(content), answer.status_code, media_type="application/json")
    if effect.drip_answer:
        return _streamed(answer, _in_pieces(content, 1, effect.drip_answer))
    if effect.slow_answer:
        return _streamed(answer, _in_pieces(content, max(1, len(content) // _PIECES), effect.slow_answer / _PIECES))
    return answer


def _streamed(answer: Response, pieces: AsyncIterator[bytes]) -> Response:
    headers = {name: value for name, value in answer.headers.items() if name != "content-type"}
    return StreamingResponse(pieces, answer.status_code, headers, answer.headers.get("content-type"))


async def _in_pieces(content: bytes, size: int, pause: float) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]
        await asyncio.sleep(pause)


async def _without_end(content: bytes) -> AsyncIterator[bytes]:
    """Yields the answer up to its last byte, and then the white space that JSON allows before it."""
    yield content[:-1]
    while True:
        yield b" " * _PADDING
        await asyncio.sleep(_BETWEEN_PADDING)
