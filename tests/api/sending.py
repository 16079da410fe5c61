"""What tests of notifications need: a published template, requests, and rows as a worker would leave them."""

import itertools
from typing import Any
from uuid import UUID

import httpx

SMS = {"channel": "sms", "locale": "default", "content": {"body": "Hello {{ name }}"}}
EMAIL = {"channel": "email", "locale": "default", "content": {"subject": "Hello {{ name }}", "text": "Dear {{ name }}"}}
WHATSAPP = {
    "channel": "whatsapp",
    "locale": "default",
    "content": {"kind": "template", "name": "hello", "language": "en", "body": ["{{ name }}"]},
}
NAME = {"name": "name", "type": "string", "example": "Asha"}
BODY: dict[str, Any] = {"to": {"phone": "+919876543210"}, "template": "hello", "data": {"name": "Asha"}}

_numbers = itertools.count(1)


async def publish(
    client: httpx.AsyncClient, *parts: dict[str, Any], name: str = "hello", variables: Any = None, **template: Any
) -> None:
    """Creates a template and publishes its first version."""
    created = await client.post("/v1/templates", json={"name": name, **template})
    assert created.status_code == 201, created.text
    await add_version(client, *parts, name=name, variables=variables)
    published = await client.post(f"/v1/templates/{name}/versions/1/publish")
    assert published.status_code == 200, published.text


async def add_version(
    client: httpx.AsyncClient, *parts: dict[str, Any], name: str = "hello", variables: Any = None
) -> dict[str, Any]:
    """Adds a version and returns it."""
    content = {"parts": list(parts) or [SMS], "variables": [NAME] if variables is None else variables}
    answer = await client.post(f"/v1/templates/{name}/versions", json=content)
    assert answer.is_success, answer.text
    version: dict[str, Any] = answer.json()
    return version


async def post(client: httpx.AsyncClient, key: str | None = None, **changes: Any) -> httpx.Response:
    """Asks for a notification, under a new key unless one is given."""
    key = key or f"key-{next(_numbers)}"
    return await client.post("/v1/notifications", json=BODY | changes, headers={"Idempotency-Key": key})


async def send(client: httpx.AsyncClient, key: str | None = None, **changes: Any) -> UUID:
    """Asks for a notification that must be accepted, and returns its id."""
    answer = await post(client, key, **changes)
    assert answer.status_code == 202, answer.text
    return UUID(answer.json()["id"])
