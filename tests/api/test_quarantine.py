"""How long doubt is waited out: the provider's usual time, or what an account says, from the API into the plan."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import update

from activities.resolution import Resolution, ResolutionPage
from db.session import Database
from db.tables import account
from providers import PROVIDERS
from tests.api import sending
from tests.api.conftest import META

SMTP = {"host": "mail.example.com", "security": "tls", "from_address": "hello@example.com"}
QUARANTINES = {name: provider.quarantine for name, provider in PROVIDERS.items()}


async def _account(client: httpx.AsyncClient, provider: str, config: dict[str, Any]) -> httpx.Response:
    return await client.post("/v1/accounts", json={"name": provider, "provider": provider, "config": config})


async def _quarantine(database: Database, tenant_id: UUID, notification_id: UUID) -> float:
    """Returns the quarantine of the only hop of a notification's plan, with every account active."""
    async with database.tenant(tenant_id) as connection:
        await connection.execute(update(account).values(state="active"))
    page = ResolutionPage(tenant_id=str(tenant_id), notification_ids=(str(notification_id),))
    (plan,) = await Resolution(database, QUARANTINES).resolve(page)
    return plan.hops[0].quarantine


@pytest.mark.parametrize(
    ("provider", "config", "to", "usual"),
    [
        pytest.param("meta", META, {"phone": "+919876543210"}, 120.0, id="WhatsApp: two minutes"),
        pytest.param("smtp", SMTP, {"email": "asha@example.com"}, 600.0, id="mail: ten minutes"),
    ],
)
async def test_doubt_is_waited_out_as_the_provider_or_the_account_says(
    client: httpx.AsyncClient,
    database: Database,
    tenant_id: UUID,
    provider: str,
    config: dict[str, Any],
    to: dict[str, str],
    usual: float,
) -> None:
    created = await _account(client, provider, config)
    assert created.status_code == 201, created.text
    await sending.publish(client, sending.WHATSAPP, sending.EMAIL)
    channels = [created.json()["channel"]]
    name = await sending.send(client, to=to, channels=channels)
    assert await _quarantine(database, tenant_id, name) == usual
    url = f"/v1/accounts/{created.json()['id']}"
    changed = await client.patch(url, json={"config": {"quarantine_seconds": 30}})
    assert changed.json()["config"]["quarantine_seconds"] == 30
    assert await _quarantine(database, tenant_id, name) == 30.0


async def test_a_quarantine_that_cannot_be_is_refused_by_its_name(client: httpx.AsyncClient) -> None:
    answer = await _account(client, "meta", META | {"quarantine_seconds": 0})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/config/quarantine_seconds"]
