"""Logs and metrics of a process: structured lines on standard error, Prometheus text over HTTP."""

import asyncio
import logging
import sys
from collections.abc import Callable, MutableMapping
from typing import Any

import orjson
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

# They print URLs with tokens, or every request: only what went wrong is of interest.
_QUIET = ("httpx", "httpcore", "aiohttp", "aiosmtplib", "uvicorn.access", "temporalio.activity", "asyncio")


def configure_logging(*, log_format: str = "json", level: str = "INFO") -> None:
    """Sets up structlog and the standard library's logging to write the same lines."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_final(log_format)))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _final(log_format: str) -> list[Any]:
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if log_format == "console":
        return [remove, structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
    return [remove, structlog.processors.format_exc_info, structlog.processors.EventRenamer("event"), _as_json]


def _as_json(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    return orjson.dumps(event, default=str).decode()


async def serve_metrics(host: str, port: int, *, healthy: Callable[[], bool]) -> asyncio.Server:
    """Serves `/metrics` and `/healthz` for a process that has no other HTTP server; port 0 takes a free one."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(5):
                head = await reader.readuntil(b"\r\n\r\n")
            writer.write(_response(head.split(b" ", 2)[1:2], healthy))
            await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # a peer that does not finish its request gets no answer
        finally:
            writer.close()

    return await asyncio.start_server(answer, host, port)


def _response(target: list[bytes], healthy: Callable[[], bool]) -> bytes:
    if target == [b"/metrics"]:
        return _http(b"200 OK", CONTENT_TYPE_LATEST.encode(), generate_latest())
    if target == [b"/healthz"]:
        return _http(b"200 OK", b"text/plain", b"ok\n") if healthy() else _http(b"503 Busy", b"text/plain", b"no\n")
    return _http(b"404 Not Found", b"text/plain", b"/metrics and /healthz are here\n")


def _http(status: bytes, content_type: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    return head % (status, content_type, len(body)) + body
