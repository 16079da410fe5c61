"""A sandbox of each test's own, a receiver of its callbacks, and a number to send from."""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request, Response

from sandbox.behaviour import Behaviour, CallbackPolicy, Times
from sandbox.serve import Sandbox, SandboxSettings

NUMBER, ACCOUNT, TOKEN, SECRET, VERIFY = "106540352242922", "102290129340398", "token-1", "app-secret-1", "verify-1"
BUSINESS = "+1 555 078-3881"
GUEST = "919811122233"
QUICK = Times(sent=0, delivered=0.01, read=0.02, reply=0.03, bounce=0.01)
PATIENT = CallbackPolicy(retry_delays=[0.01, 0.02, 0.03], timeout=2)
TEMPLATES: list[dict[str, Any]] = [
    {"name": "plain", "components": [{"type": "BODY", "text": "Your order is ready."}]},
    {
        "name": "order_ready",
        "components": [
            {"type": "HEADER", "format": "TEXT", "text": "Order {{1}}"},
            {"type": "BODY", "text": "Hello {{1}}, order {{2}} is ready."},
            {"type": "FOOTER", "text": "Reply STOP to stop"},
            {
                "type": "BUTTONS",
                "buttons": [
                    {"type": "QUICK_REPLY", "text": "Accept"},
                    {"type": "QUICK_REPLY", "text": "Decline"},
                    {"type": "URL", "text": "View", "url": "https://shop.example/o/{{1}}"},
                ],
            },
        ],
    },
    {
        "name": "named",
        "parameter_format": "NAMED",
        "components": [{"type": "BODY", "text": "Hello {{name}}, see you {{day}}."}],
    },
    {
        "name": "pictured",
        "components": [{"type": "HEADER", "format": "IMAGE"}, {"type": "BODY", "text": "Look at this."}],
    },
    {"name": "paused", "status": "PAUSED", "components": [{"type": "BODY", "text": "x"}]},
    {"name": "disabled", "status": "DISABLED", "components": [{"type": "BODY", "text": "x"}]},
    {"name": "pending", "status": "PENDING", "components": [{"type": "BODY", "text": "x"}]},
]


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@dataclass
class Receiver:
    """Takes callbacks as an integrator's service does, and answers what the test wants."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    verify_token: str = VERIFY

    @property
    def payloads(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies]

    @property
    def values(self) -> list[dict[str, Any]]:
        return [change["value"] for one in self.payloads for entry in one["entry"] for change in entry["changes"]]

    @property
    def statuses(self) -> list[dict[str, Any]]:
        return [status for value in self.values for status in value.get("statuses", [])]

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [message for value in self.values for message in value.get("messages", [])]

    def names(self) -> list[str]:
        return [status["status"] for status in self.statuses]

    async def handshake(self, request: Request) -> Response:
        query = request.query_params
        welcome = query.get("hub.mode") == "subscribe" and query.get("hub.verify_token") == self.verify_token
        return Response(query.get("hub.challenge", "") if welcome else "no", 200 if welcome else 403)

    async def take(self, request: Request) -> Response:
        self.bodies.append(await request.body())
        self.headers.append(dict(request.headers))
        return Response(status_code=self.answers.pop(0) if self.answers else 200)


@dataclass
class Caller:
    """Posts to the messages edge with the token of the number."""

    client: httpx.AsyncClient
    before: int

    async def send(self, to: str = f"+{GUEST}", number: str = NUMBER, **content: Any) -> httpx.Response:
        body = {"messaging_product": "whatsapp", "to": to, **content}
        return await self.client.post(f"/v26.0/{number}/messages", json=body)

    async def template(self, name: str = "plain", to: str = f"+{GUEST}", **more: Any) -> httpx.Response:
        components = more.pop("components", [])
        template = {"name": name, "language": {"code": more.pop("language", "en_US")}, "components": components}
        return await self.send(to, type="template", template=template, **more)

    async def behave(self, *effects: dict[str, Any], **more: Any) -> None:
        facts = {"times": QUICK.model_dump(), "callbacks": PATIENT.model_dump(), **more}
        rules = [{"effect": effect} for effect in effects]
        answer = await self.client.put("/_sandbox/behaviour", json={"rules": rules, **facts})
        assert answer.status_code == 200, answer.text

    async def journal(self, **wanted: str) -> list[dict[str, Any]]:
        answer = await self.client.get("/journal", params={"after": str(self.before), "limit": "10000", **wanted})
        entries: list[dict[str, Any]] = answer.json()["entries"]
        return entries


async def until(condition: Callable[[], Any], seconds: float = 5) -> Any:
    """Waits for a condition to be true and returns its value; fails after the deadline."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {condition}"
        await asyncio.sleep(0.002)
    return value


def settings(folder: Path, **more: Any) -> SandboxSettings:
    return SandboxSettings(port=0, smtp_port=0, journal=folder / "journal.jsonl", **more)


def registration(webhook_url: str | None, **more: Any) -> dict[str, Any]:
    facts = {"waba_id": ACCOUNT, "display_phone_number": BUSINESS, "access_token": TOKEN, "app_secret": SECRET}
    return {**facts, "verify_token": VERIFY, "webhook_url": webhook_url, "templates": TEMPLATES, **more}


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    one = Receiver()
    app = FastAPI(openapi_url=None)
    app.router.add_route("/hook", one.handshake, methods=["GET"])
    app.router.add_route("/hook", one.take, methods=["POST"])
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    one.url = f"http://127.0.0.1:{listening.getsockname()[1]}/hook"
    server = _Server(uvicorn.Config(app, lifespan="off", log_config=None, log_level="error"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    yield one
    server.should_exit = True
    await serving


@pytest.fixture(scope="session")
async def one_receiver() -> AsyncIterator[Receiver]:
    async with receiving() as one:
        yield one


@pytest.fixture
def receiver(one_receiver: Receiver) -> Receiver:
    one_receiver.bodies, one_receiver.headers, one_receiver.answers = [], [], []
    one_receiver.verify_token = VERIFY
    return one_receiver


@pytest.fixture(scope="session")
async def one_sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    async with Sandbox(settings(tmp_path_factory.mktemp("sandbox"))) as running:
        yield running


@pytest.fixture
async def sandbox(one_sandbox: Sandbox) -> AsyncIterator[Sandbox]:
    """The sandbox of all tests, without anything another test left in it but its journal."""
    platform = one_sandbox.platform
    world = platform.world
    for kept in (world.numbers, world.templates, world.overrides, world.messages, world.threads, world.last_inbound):
        kept.clear()
    world.unsubscribed.clear()
    platform.director.direct(Behaviour(times=QUICK, callbacks=PATIENT))
    yield one_sandbox
    leftover = list(platform.callbacks._tasks)
    for task in leftover:
        task.cancel()
    await asyncio.gather(*leftover, return_exceptions=True)


@pytest.fixture(scope="session")
async def client(one_sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    """One client for all tests: each new one would spend most of a test's time on its TLS trust store."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=one_sandbox.url, headers=headers, timeout=5) as one:
        yield one


@pytest.fixture
async def caller(sandbox: Sandbox, receiver: Receiver, client: httpx.AsyncClient) -> Caller:
    answer = await client.put(f"/_sandbox/numbers/{NUMBER}", json=registration(receiver.url))
    assert answer.status_code == 200, answer.text
    return Caller(client, sandbox.journal.last)
