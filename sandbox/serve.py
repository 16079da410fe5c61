"""The sandbox as one process, `python -m sandbox.serve`, or inside a test, `async with Sandbox(…)`."""

import asyncio
import contextlib
import logging
import signal
import socket
import tempfile
from collections.abc import Generator
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn
from fastapi import FastAPI
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sandbox.answers import CONNECTION
from sandbox.behaviour import Behaviour
from sandbox.bounces import Bounces
from sandbox.callbacks import Callbacks
from sandbox.certificate import self_signed
from sandbox.control import Control
from sandbox.director import Director
from sandbox.graph import GraphApi
from sandbox.journal import Journal
from sandbox.mail import Credentials, PostOffice, SmtpServer
from sandbox.mailbox import Mailbox
from sandbox.mailroom import MailRoom
from sandbox.media import MediaStore
from sandbox.messages import Messages
from sandbox.pages import Pages
from sandbox.receipts import Receipts
from sandbox.restore import restore
from sandbox.whatsapp import Platform
from sandbox.world import World

HOST = "127.0.0.1"
# Longer than any client keeps an idle connection, so that none is closed under a request of theirs.
_KEEP_ALIVE = 300
_STOP_WITHIN = 1
_BACKLOG = 2048


class SandboxSettings(BaseSettings):
    """What the process is told from outside, `CARILLON_SANDBOX_…`; a port 0 means any free one."""

    model_config = SettingsConfigDict(env_prefix="CARILLON_SANDBOX_", env_file=None, extra="ignore")

    port: int = Field(default=8025, ge=0, le=65535)
    smtp_port: int = Field(default=2525, ge=0, le=65535)
    journal: Path = Field(default_factory=lambda: Path(tempfile.gettempdir()) / "carillon-sandbox" / "journal.jsonl")
    smtp_user: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_starttls: bool = False
    bounce_relay: str | None = None


class Sandbox:
    """Both servers with everything they know; an asynchronous context manager.

    `behaviour` puts rules and times in force at the start, otherwise those of a former run on the same journal stay.
    """

    def __init__(self, settings: SandboxSettings, behaviour: Behaviour | None = None) -> None:
        self.journal = Journal(settings.journal)
        world = World.load(settings.journal.with_name(f"{settings.journal.name}.state.json"))
        if behaviour is not None:
            world.behaviour = behaviour
        director = Director(world.behaviour, world.save)
        callbacks = Callbacks(self.journal, lambda: director.behaviour.callbacks)
        self.platform = Platform(
            journal=self.journal,
            world=world,
            director=director,
            callbacks=callbacks,
            receipts=Receipts(world, callbacks),
            media=MediaStore(settings.journal.with_name(f"{settings.journal.name}.media")),
        )
        self.mailbox = Mailbox(settings.journal.with_name(f"{settings.journal.name}.mails"), self.journal)
        tls, certificate = self_signed() if settings.smtp_starttls else (None, None)
        self._smtp = SmtpServer(self._office(settings), _credentials(settings), tls)
        self._http = _Server(_config(self._application(certificate)))
        self._settings = settings
        self.url = ""
        self.smtp_host = HOST
        self.smtp_port = 0

    async def __aenter__(self) -> Self:
        listening = _listen(self._settings.port)
        self.url = f"http://{HOST}:{listening.getsockname()[1]}"
        self.smtp_port = await self._smtp.start(HOST, self._settings.smtp_port)
        restore(self.platform, self.mailbox)
        self._serving = asyncio.create_task(self._http.serve(sockets=[listening]))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.should_exit = True
        await self._smtp.stop()
        await self.platform.callbacks.close()
        await self._serving
        self.journal.close()

    def _office(self, settings: SandboxSettings) -> PostOffice:
        return PostOffice(
            journal=self.journal,
            director=self.platform.director,
            mailbox=self.mailbox,
            bounces=Bounces(journal=self.journal, mailbox=self.mailbox, relay=settings.bounce_relay),
            callbacks=self.platform.callbacks,
        )

    def _application(self, certificate: str | None) -> FastAPI:
        app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
        Control(platform=self.platform, certificate=certificate).mount(app)
        MailRoom(mailbox=self.mailbox).mount(app)
        Pages(platform=self.platform, mailbox=self.mailbox).mount(app)
        GraphApi(platform=self.platform, messages=Messages(platform=self.platform)).mount(app)
        return app


class _Protocol(HttpToolsProtocol):
    """HTTP/1.1 whose requests know their connection, so that an answer can break it off."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {CONNECTION: {"transport": self.transport}}


class _Server(uvicorn.Server):
    """A server that leaves signals to whoever runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def _config(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_Protocol,
        lifespan="off",
        access_log=False,
        log_level="warning",
        log_config=None,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_STOP_WITHIN,
        backlog=_BACKLOG,
        server_header=False,
        proxy_headers=False,
    )


def _credentials(settings: SandboxSettings) -> Credentials | None:
    if not settings.smtp_user:
        return None
    return Credentials(name=settings.smtp_user, password=settings.smtp_password.get_secret_value())


def _listen(port: int) -> socket.socket:
    # With the protocol named, asyncio turns Nagle's algorithm off; without, every answer waits 40 ms.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((HOST, port))
    listening.listen(_BACKLOG)
    return listening


async def _run(settings: SandboxSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Sandbox(settings) as sandbox:
        logging.getLogger("sandbox").info("listening on %s and SMTP port %s", sandbox.url, sandbox.smtp_port)
        await stop.wait()


def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    for noisy in ("httpx", "mail.log"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    asyncio.run(_run(SandboxSettings()))


if __name__ == "__main__":
    main()
