"""Makes the tenants of a campaign: a number and a mailbox each at the stand-ins, a template, recipients."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from tests.chaos import fates
from tests.chaos.installation import Installation
from tests.chaos.schedule import Ask

TEMPLATE = "chaos.message"
QUARANTINE = 5
_APPROVED = {
    "name": "chaos_message_v1",
    "language": "en",
    "components": [
        {"type": "BODY", "text": "Order {{1}} of {{2}}.", "example": {"body_text": [["A", "B"]]}},
    ],
}
_PARTS = [
    {
        "channel": "whatsapp",
        "locale": "default",
        "content": {
            "kind": "template",
            "name": "chaos_message_v1",
            "language": "en",
            "body": ["{{ order }}", "{{ tenant }}"],
        },
    },
    {
        "channel": "email",
        "locale": "default",
        "content": {"subject": "Order {{ order }} of {{ tenant }}", "text": "Order {{ order }} of {{ tenant }}."},
    },
]
_VARIABLES = [
    {"name": "order", "type": "string", "example": "A-1"},
    {"name": "tenant", "type": "string", "example": "acme"},
]
_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """One tenant: who it is to us, and what the providers know it by."""

    place: int
    id: str
    key: str = field(repr=False)
    number: str
    domain: str

    @property
    def name(self) -> str:
        """Returns the name that its messages carry."""
        return f"tenant-{self.place}"


async def make(installation: Installation, http: httpx.AsyncClient, count: int, *, first: int = 0) -> list[Tenant]:
    """Makes tenants whose accounts are verified and whose template is published; `first` is the first one's place."""
    made = [await _make(installation, http, place) for place in range(first, first + count)]
    # Doubt is settled by a receipt within a second here, so nobody has to wait for it as long as in reality.
    connection = await asyncpg.connect(installation.truth_dsn)
    try:
        await connection.execute(
            "UPDATE account SET public_config = public_config || jsonb_build_object('quarantine_seconds', $1::int)",
            QUARANTINE,
        )
    finally:
        await connection.close()
    return made


async def bring_recipients(http: httpx.AsyncClient, tenants: Sequence[Tenant], asks: Sequence[Ask]) -> None:
    """Makes the recipients of all messages that go to somebody with several addresses."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def bring(ask: Ask) -> None:
        addresses = [{"kind": "phone", "value": ask.phone}, {"kind": "email", "value": ask.mailbox}]
        body = {"name": "Somebody", "addresses": addresses}
        async with turns:
            await _call(http, tenants[ask.tenant].key, "PUT", f"/v1/recipients/{ask.key}", body)

    await asyncio.gather(*(bring(ask) for ask in asks if ask.known))


async def direct(installation: Installation, http: httpx.AsyncClient, seed: int) -> None:
    """Tells the stand-ins how to treat each message."""
    url = f"{installation.layout.sandbox_url}/_sandbox/behaviour"
    (await http.put(url, json=fates.behaviour(seed))).raise_for_status()


async def _make(installation: Installation, http: httpx.AsyncClient, place: int) -> Tenant:
    operator = installation.secrets.operator_key
    created = await _call(http, operator, "POST", "/v1/tenants", {"name": f"tenant-{place}"})
    tenant = Tenant(
        place=place,
        id=str(UUID(created["id"])),
        key=created["key"]["secret"],
        number=f"10000000000{place:02d}",
        domain=f"tenant-{place}.bounces.example",
    )
    config = _whatsapp_config(installation, tenant)
    await _register(installation, http, tenant, config)
    for provider, chosen in (("meta", config), ("smtp", _mail_config(installation, tenant))):
        account = await _call(
            http, tenant.key, "POST", "/v1/accounts", {"name": provider, "provider": provider, "config": chosen}
        )
        await _call(http, tenant.key, "POST", f"/v1/accounts/{account['id']}/verify")
    await _publish(http, tenant)
    return tenant


async def _publish(http: httpx.AsyncClient, tenant: Tenant) -> None:
    template = {"name": TEMPLATE, "description": "One order.", "channels": ["whatsapp", "email"]}
    await _call(http, tenant.key, "POST", "/v1/templates", template)
    version = {"parts": _PARTS, "variables": _VARIABLES, "note": "the only one"}
    made = await _call(http, tenant.key, "POST", f"/v1/templates/{TEMPLATE}/versions", version)
    await _call(http, tenant.key, "POST", f"/v1/templates/{TEMPLATE}/versions/{made['number']}/publish")


async def _register(
    installation: Installation, http: httpx.AsyncClient, tenant: Tenant, config: dict[str, Any]
) -> None:
    shared = ("waba_id", "display_phone_number", "access_token", "app_secret", "verify_token")
    number = {
        **{name: config[name] for name in shared},
        "webhook_url": f"{installation.layout.api_url}/api/webhooks/meta/{tenant.id}",
        "check_webhook": False,
        "templates": [_APPROVED],
    }
    answer = await http.put(f"{installation.layout.sandbox_url}/_sandbox/numbers/{tenant.number}", json=number)
    answer.raise_for_status()


def _whatsapp_config(installation: Installation, tenant: Tenant) -> dict[str, Any]:
    return {
        "phone_number_id": tenant.number,
        "waba_id": f"20000000000{tenant.place:02d}",
        "display_phone_number": f"+155501002{tenant.place:02d}",
        "access_token": secrets.token_urlsafe(24),
        "app_secret": secrets.token_urlsafe(24),
        "verify_token": secrets.token_urlsafe(24),
        "base_url": installation.layout.sandbox_url,
    }


def _mail_config(installation: Installation, tenant: Tenant) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "port": installation.layout.smtp,
        "security": "none",
        "username": tenant.name,
        "password": secrets.token_urlsafe(24),
        "from_address": f"hello@{tenant.name}.example",
        "from_name": tenant.name,
        "return_path_domain": tenant.domain,
        "verp_key": secrets.token_urlsafe(24),
    }


async def _call(
    http: httpx.AsyncClient, key: str, method: str, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    answer = await http.request(method, path, json=body, headers={"Authorization": f"Bearer {key}"})
    if answer.is_error:
        raise RuntimeError(f"{method} {path} answered {answer.status_code}: {answer.text[:500]}")
    found: dict[str, Any] = answer.json() if answer.content else {}
    return found
