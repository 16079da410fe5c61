"""One installation for one play: its own database, the API in this process, and a tenant with accounts."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from api.app import create_app, services_for
from db.session import Database
from providers import trust
from sandbox.serve import Sandbox
from sealing import KeyRing
from settings import Settings
from testing.clock import PlayClock
from testing.servers import Servers
from testing.services import PlayServices

_OPERATOR = "operator-of-plays"
_NUMBER = {
    "waba_id": "102290129340398",
    "display_phone_number": "+15550100200",
    "access_token": "token-of-plays",
    "app_secret": "secret-of-plays",
    "verify_token": "verify-of-plays",
}
_VALUE = re.compile(r"{{\s*(.+?)\s*}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a play stands on."""

    database: Database
    key_ring: KeyRing
    sandbox: Sandbox
    tenant_id: UUID
    number_id: str
    http: httpx.AsyncClient
    services: PlayServices = field(default_factory=PlayServices)

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> dict[str, Any]:
        """Returns what the API answers.

        Raises:
            ValueError: It refuses; the message has its words.
        """
        return _body(await self.http.request(method, path, json=body, headers=headers))

    async def approve(self, name: str, text: str) -> dict[str, Any]:
        """Has WhatsApp approve a text, and returns the content of the part that fills it in."""
        values = _VALUE.findall(text)
        numbers = iter(range(1, len(values) + 1))
        body = _VALUE.sub(lambda _: f"{{{{{next(numbers)}}}}}", text)
        component: dict[str, Any] = {"type": "BODY", "text": body}
        if values:
            component["example"] = {"body_text": [["value"] * len(values)]}
        known = re.sub(r"[^a-z0-9_]", "_", name.lower())
        number = {**_NUMBER, "check_webhook": False, "templates": [_approved(known, component)]}
        async with httpx.AsyncClient(base_url=self.sandbox.url, verify=trust.of_browsers()) as http:
            _body(await http.put(f"/_sandbox/numbers/{self.number_id}", json=number))
        return {"kind": "template", "name": known, "language": "en", "body": [f"{{{{ {value} }}}}" for value in values]}

    def taken(self) -> Mapping[str, dict[str, Any]]:
        """Returns what the sandbox took, by reference."""
        entries = self.sandbox.journal.entries(0)
        return {str(one["reference"]): one for one in entries if one["kind"] == "accepted" and one.get("reference")}


@asynccontextmanager
async def opened(servers: Servers, clock: PlayClock) -> AsyncIterator[Ground]:
    """Yields the ground of one play."""
    key_ring, sandbox = KeyRing({"plays": b"p" * 32}), await servers.sandbox()
    async with servers.database() as dsn:
        database, app = Database.connect(dsn), _application()
        settings = Settings(
            database_url=SecretStr(dsn), operator_key=SecretStr(_OPERATOR), provider_hosts="127.0.0.1,localhost"
        )
        services = services_for(settings, database=database, key_ring=key_ring)
        app.state.services = replace(services, now=lambda: clock.instant)
        async with app.router.lifespan_context(app), _client(app, _OPERATOR) as operator:
            made = _body(await operator.post("/v1/tenants", json={"name": "play"}))
            async with _client(app, made["key"]["secret"]) as http:
                number_id = str(UUID(made["id"]).int)[:15]
                ground = Ground(
                    database=database, key_ring=key_ring, sandbox=sandbox, tenant_id=UUID(made["id"]),
                    number_id=number_id, http=http,
                )  # fmt: skip
                await _bring_accounts(ground)
                yield ground
        await database.close()


@cache
def _application() -> FastAPI:
    """Returns the application of all plays: to put its routes together takes longer than most of them."""
    nowhere = Database.connect("postgresql://127.0.0.1:1/none")
    return create_app(Settings(), database=nowhere, key_ring=KeyRing({"nobody": b"k" * 32}))


def _client(app: FastAPI, key: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app)
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(transport=transport, base_url="http://carillon.test", headers=headers)


async def _bring_accounts(ground: Ground) -> None:
    await ground.approve("nothing", "Hello")  # the number has to be known before the account is verified
    whatsapp = {**_NUMBER, "phone_number_id": ground.number_id, "base_url": ground.sandbox.url}
    mail = {
        "host": "127.0.0.1",
        "port": ground.sandbox.smtp_port,
        "security": "none",
        "from_address": "hello@carillon.example",
        "return_path_domain": "bounces.carillon.example",
        "verp_key": "v" * 32,
    }
    for name, provider, config in (("WhatsApp", "meta", whatsapp), ("Mail", "smtp", mail)):
        made = await ground.ask("POST", "/v1/accounts", {"name": name, "provider": provider, "config": config})
        await ground.ask("POST", f"/v1/accounts/{made['id']}/verify")


def _approved(name: str, component: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "language": "en", "components": [component]}


def _body(answer: httpx.Response) -> dict[str, Any]:
    if answer.is_error:
        raise ValueError(f"{answer.request.method} {answer.request.url.path} was refused: {answer.text[:1000]}")
    found: dict[str, Any] = answer.json() if answer.content else {}
    return found
