"""Sends one request to a provider and says honestly what is known afterwards: an answer, certainly nothing, or doubt.

One request per call: no retries, no redirects, no cookies, no proxies from the environment.

What is not sent is certain only until the first byte of a request is handed to the socket; from then on every failure
is doubt. In SMTP it is certain until the final dot, because no server may take a mail that did not end.

A kept connection that the peer closes at the moment we write to it makes doubt out of nothing: against a peer that
closes within milliseconds of its last answer, a third of all requests ended so. Therefore a connection is used again
only within `keep_alive` seconds of its last answer; 0.5 is well below the idle time-outs of servers, which begin at one
second. Under load that keeps the rate of a pool (1,100 to 1,500 requests/s in one process, against 620 to 770 with new
connections and 155 with httpx's own pool), and a quiet account connects anew. Zero means a new connection each time.
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import httpx

from domain.errors import DeliveryError, Misconfigured, Unavailable, Uncertain
from providers import trust
from providers.base import MAIL_CONNECTIONS, MailRequest, Request, Response
from providers.mail_session import MailSession

LARGEST_RESPONSE = 1024 * 1024
_CHUNK = 64 * 1024
# Raised before anything is written: name, connection, TLS, certificate, a free place in the pool.
_NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ServerFingerprintMismatch)
_NO_REQUEST = (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)
_OURS = ("user-agent", "accept", "accept-encoding", "content-type")
# They describe the wire, not the body as it stands in the response.
_HOP_BY_HOP = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})

for _name in ("httpx", "httpcore", "aiohttp", "aiosmtplib"):
    logging.getLogger(_name).setLevel(logging.WARNING)  # at INFO httpx prints URLs, and some hold tokens


class Transport:
    """Connections to providers, shared by everything that sends in one event loop.

    Args:
        connect_timeout: Seconds for a free connection, name resolution, connecting and TLS.
        total_timeout: Seconds for all of it; it has to stay below 80 % of a workflow task's time-out.
        connections: How many HTTP connections may be open at once.
        mail_connections: How many SMTP connections to one server may be open at once.
        keep_alive: Seconds within which an HTTP connection may be used again.
        largest_response: Bytes of an answer that are read at most.
        tls: Context that checks certificates; the system's by default.
    """

    def __init__(
        self,
        *,
        connect_timeout: float = 5.0,
        total_timeout: float = 8.0,
        connections: int = 200,
        mail_connections: int = MAIL_CONNECTIONS,
        keep_alive: float = 0.5,
        largest_response: int = LARGEST_RESPONSE,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if not 0 < connect_timeout < total_timeout:
            raise ValueError("connect_timeout must be positive and shorter than total_timeout")
        self._connect_timeout = connect_timeout
        self._total_timeout = total_timeout
        self._connections = connections
        self._mail_connections = mail_connections
        self._keep_alive = keep_alive
        self._largest_response = largest_response
        self._tls = tls or trust.of_machine()
        self._session: aiohttp.ClientSession | None = None
        self._mail_places: dict[tuple[str, int], asyncio.Semaphore] = {}

    async def send(self, request: Request) -> Response:
        """Returns the provider's answer to one request.

        Raises:
            NotSent: Nothing reached the provider.
            Uncertain: It may have.
        """
        try:
            if isinstance(request, MailRequest):
                return await self._mail(request)
            return await self._http(request)
        except DeliveryError:
            raise
        except Exception as error:  # what nobody expected may have happened after the request was written
            raise Uncertain(f"sending broke off: {type(error).__name__}") from error

    async def aclose(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _http(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        # Lets the loop take note of connections that were closed meanwhile.
        await asyncio.sleep(0)
        try:
            async with asyncio.timeout(self._total_timeout):
                return await self._exchange(request, body)
        except _NO_REQUEST as error:
            raise Misconfigured("the base URL of the account is no HTTP URL") from error
        except _NOT_SENT as error:
            raise Unavailable(f"no connection to {request.url.host}: {_cause(error)}") from error
        except (aiohttp.ClientError, OSError) as error:  # a time-out is an OSError too
            raise Uncertain(f"no readable answer from {request.url.host}: {_cause(error)}") from error

    async def _exchange(self, request: httpx.Request, body: bytes) -> httpx.Response:
        headers = httpx.Headers([("user-agent", "Carillon"), *request.headers.multi_items()])
        headers["accept-encoding"] = "identity"
        async with self._opened().request(
            request.method, str(request.url), data=body or None, headers=headers.multi_items(), allow_redirects=False
        ) as answer:
            content = await self._read(answer)
            kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP]
            return httpx.Response(answer.status, headers=kept, content=content, request=request)

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        """Returns the body; of a refusal that is too large or packed, the beginning or nothing is enough."""
        accepted = answer.status < httpx.codes.MULTIPLE_CHOICES
        packed = answer.headers.get("Content-Encoding", "identity").lower() != "identity"
        content = bytearray()
        async for piece in answer.content.iter_chunked(_CHUNK):
            content += piece
            if len(content) > self._largest_response:
                break
        if (packed or len(content) > self._largest_response) and accepted:
            raise Uncertain("the answer is larger than expected or packed in a way that was not asked for")
        return b"" if packed else bytes(content[: self._largest_response])

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            kept: dict[str, Any] = (
                {"keepalive_timeout": self._keep_alive} if self._keep_alive else {"force_close": True}
            )
            connector = aiohttp.TCPConnector(limit=self._connections, ssl=self._tls, **kept)
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=_OURS,
                timeout=aiohttp.ClientTimeout(connect=self._connect_timeout),
            )
        return self._session

    async def _mail(self, request: MailRequest) -> Response:
        session = MailSession(request, tls=self._tls, patience=self._connect_timeout)
        try:
            async with asyncio.timeout(self._total_timeout), self._place(request):
                return await session.run()
        except TimeoutError as error:
            raise session.judge(error) from error

    @contextlib.asynccontextmanager
    async def _place(self, request: MailRequest) -> AsyncIterator[None]:
        server = (request.host, request.port)
        places = self._mail_places.setdefault(server, asyncio.Semaphore(self._mail_connections))
        try:
            async with asyncio.timeout(self._connect_timeout):
                await places.acquire()
        except TimeoutError as error:
            raise Unavailable(f"all connections to {request.host} are in use") from error
        try:
            yield
        finally:
            places.release()


def _cause(error: BaseException) -> str:
    """Returns what happened without the words of the error, which may hold the URL."""
    return type(getattr(error, "os_error", error)).__name__
