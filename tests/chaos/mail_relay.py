"""The mail server of the tenants' bounce domains: hands every report to the API, and keeps at it until it is taken."""

import asyncio
from typing import Any

import httpx
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.chaos.recorder import Recorder

_PAUSE = 0.5
_TIMEOUT = 10


class MailRelay:
    """Takes mail by SMTP as a tenant's own server does, and posts it to the address for bounces."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._server: asyncio.Server | None = None
        self._underway: set[asyncio.Task[None]] = set()
        self._tenants: dict[str, str] = {}
        self._api = ""
        self._http = httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False)

    @property
    def port(self) -> int:
        """Returns the port that it listens on."""
        if self._server is None:
            raise RuntimeError("the relay was not started")
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def pending(self) -> int:
        """Returns how many reports nobody has taken yet."""
        return len(self._underway)

    async def start(self) -> None:
        """Begins to listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: SMTP(self, loop=loop), "127.0.0.1", 0)

    def serve(self, api: str, tenants: dict[str, str]) -> None:
        """Names the API and the tenant of each bounce domain."""
        self._api, self._tenants = api, tenants

    async def stop(self) -> None:
        """Ends everything."""
        if self._server is not None:
            self._server.close()
        for task in self._underway:
            task.cancel()
        await asyncio.gather(*self._underway, return_exceptions=True)
        await self._http.aclose()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - the name the SMTP library calls
        """Takes one report."""
        for address in envelope.rcpt_tos:
            tenant = self._tenants.get(address.rpartition("@")[2])
            if tenant is None:
                return "550 5.1.1 Nobody of that name"
            body: Any = envelope.original_content or b""
            task = asyncio.create_task(self._hand_over(tenant, address, body))
            self._underway.add(task)
            task.add_done_callback(self._underway.discard)
        return "250 2.0.0 OK"

    async def _hand_over(self, tenant: str, address: str, body: bytes) -> None:
        url = f"{self._api}/api/webhooks/smtp/{tenant}"
        # The path that it came to stands in the mail as a server writes it there, and authenticates it.
        mail = b"Delivered-To: " + address.encode() + b"\r\n" + body
        while True:
            try:
                answer = await self._http.post(url, content=mail, headers={"Content-Type": "message/rfc822"})
                self._recorder.note("bounce", tenant=tenant, to=address, status=answer.status_code)
                if answer.status_code == httpx.codes.OK:
                    return
            except httpx.HTTPError as problem:
                self._recorder.note("bounce", tenant=tenant, to=address, error=repr(problem))
            await asyncio.sleep(_PAUSE)
