"""Makes the demo tenant over the public API: accounts at the sandbox, templates, a recipient; at the first start.

At every start it checks that the sandbox still knows the number and that the accounts point at its present ports.
"""

import json
import secrets
from pathlib import Path
from typing import Any

import httpx

from stack import demo_templates
from stack.home import write_private

TENANT = "demo"
NUMBER_ID = "106540352242922"
NUMBER = "+15550100200"
WABA_ID = "102290129340398"
_WITHIN = 20.0


async def seed(*, api_url: str, operator_key: str, sandbox_url: str, sandbox_smtp_port: int, home: Path) -> str | None:
    """Returns the demo tenant's API key when it was made just now, None when it was there already.

    Raises:
        httpx.HTTPError: The API or the sandbox refuses or cannot be reached.
    """
    place = home / "demo.json"
    kept: dict[str, Any] = json.loads(place.read_text("utf-8")) if place.is_file() else {}
    async with httpx.AsyncClient(timeout=_WITHIN, trust_env=False) as http:
        fresh = not kept
        if fresh:
            kept = await _new_tenant(http, api_url, operator_key)
            write_private(place, json.dumps(kept))
        await _register_number(http, sandbox_url, api_url, kept)
        tenant = _Tenant(http, api_url, kept["key"])
        await tenant.bring_accounts(_accounts(kept, sandbox_url, sandbox_smtp_port))
        await tenant.bring_templates()
        await tenant.bring_recipient()
    return str(kept["key"]) if fresh else None


async def _new_tenant(http: httpx.AsyncClient, api_url: str, operator_key: str) -> dict[str, Any]:
    """Creates the tenant; one whose key this directory lost gets another key."""
    headers = {"Authorization": f"Bearer {operator_key}"}
    answer = await http.post(f"{api_url}/v1/tenants", json={"name": TENANT}, headers=headers)
    if answer.status_code == httpx.codes.CONFLICT:
        listed = _body(await http.get(f"{api_url}/v1/tenants", params={"limit": 200}, headers=headers))
        tenant_id = next(tenant["id"] for tenant in listed["data"] if tenant["name"] == TENANT)
        made = await http.post(f"{api_url}/v1/tenants/{tenant_id}/keys", json={"name": "demo"}, headers=headers)
        key = _body(made)["secret"]
    else:
        created = _body(answer)
        tenant_id, key = created["id"], created["key"]["secret"]
    names = ("access_token", "app_secret", "verify_token", "smtp_password", "verp_key")
    return {"tenant_id": tenant_id, "key": key, **{name: secrets.token_urlsafe(24) for name in names}}


async def _register_number(http: httpx.AsyncClient, sandbox_url: str, api_url: str, kept: dict[str, Any]) -> None:
    """Tells the sandbox of the WhatsApp number; the handshake needs the account, which comes a moment later."""
    number = {
        "waba_id": WABA_ID,
        "display_phone_number": NUMBER,
        "verified_name": "Carillon demo",
        "access_token": kept["access_token"],
        "app_secret": kept["app_secret"],
        "verify_token": kept["verify_token"],
        "webhook_url": f"{api_url}/api/webhooks/meta/{kept['tenant_id']}",
        "check_webhook": False,
        "templates": demo_templates.APPROVED,
    }
    _body(await http.put(f"{sandbox_url}/_sandbox/numbers/{NUMBER_ID}", json=number))


def _accounts(kept: dict[str, Any], sandbox_url: str, smtp_port: int) -> list[dict[str, Any]]:
    whatsapp = {
        "phone_number_id": NUMBER_ID,
        "waba_id": WABA_ID,
        "display_phone_number": NUMBER,
        "access_token": kept["access_token"],
        "app_secret": kept["app_secret"],
        "verify_token": kept["verify_token"],
        "base_url": sandbox_url,
    }
    mail = {
        "host": "127.0.0.1",
        "port": smtp_port,
        "security": "none",
        "username": "demo",
        "password": kept["smtp_password"],
        "from_address": "hello@carillon.example",
        "from_name": "Carillon demo",
        "return_path_domain": "bounces.carillon.example",
        "verp_key": kept["verp_key"],
    }
    return [
        {"name": "Demo WhatsApp", "provider": "meta", "config": whatsapp},
        {"name": "Demo mail", "provider": "smtp", "config": mail},
    ]


class _Tenant:
    """The demo tenant's side of the API."""

    def __init__(self, http: httpx.AsyncClient, api_url: str, key: str) -> None:
        self._http = http
        self._url = f"{api_url}/v1"
        self._headers = {"Authorization": f"Bearer {key}"}

    async def bring_accounts(self, wanted: list[dict[str, Any]]) -> None:
        """Creates and verifies the accounts, or moves those that exist to the sandbox's present ports."""
        existing = {item["name"]: item for item in (await self._get("/accounts"))["data"]}
        for account in wanted:
            found = existing.get(account["name"])
            if found is None:
                found = await self._send("POST", "/accounts", account)
            elif moved := _moved(found["config"], account["config"]):
                await self._send("PATCH", f"/accounts/{found['id']}", {"config": moved})
            if found["state"] == "pending":
                await self._send("POST", f"/accounts/{found['id']}/verify")

    async def bring_templates(self) -> None:
        """Creates the demo's templates with their first published version."""
        existing = {item["name"] for item in (await self._get("/templates"))["data"]}
        for template in demo_templates.TEMPLATES:
            name = template["template"]["name"]
            if name not in existing:
                await self._send("POST", "/templates", template["template"])
                version = await self._send("POST", f"/templates/{name}/versions", template["version"])
                await self._send("POST", f"/templates/{name}/versions/{version['number']}/publish")

    async def bring_recipient(self) -> None:
        """Creates the demo's recipient, reachable by WhatsApp and by e-mail."""
        await self._send("PUT", f"/recipients/{demo_templates.RECIPIENT_ID}", demo_templates.RECIPIENT)

    async def _get(self, path: str) -> dict[str, Any]:
        return _body(await self._http.get(self._url + path, params={"limit": 100}, headers=self._headers))

    async def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return _body(await self._http.request(method, self._url + path, json=body, headers=self._headers))


def _moved(present: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    return {name: wanted[name] for name in ("base_url", "port") if wanted.get(name) != present.get(name)}


def _body(answer: httpx.Response) -> dict[str, Any]:
    if answer.is_error:
        raise httpx.HTTPStatusError(
            f"{answer.request.method} {answer.request.url.path} answered {answer.status_code}: {answer.text[:500]}",
            request=answer.request,
            response=answer,
        )
    found: dict[str, Any] = answer.json() if answer.content else {}
    return found
