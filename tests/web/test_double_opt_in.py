"""Double opt-in: asked by a message, confirmed by a button, heard by series; looking at the page confirms nothing."""

import html
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from api.services import Services  # noqa: TC001 - beside the others
from db.consent_tables import topic
from db.delivery_tables import notification
from db.series_tables import event, flow, flow_version, series, series_hearing
from db.session import Database
from db.tables import address, recipient
from tests import factories
from tests.api.conftest import KeyFactory
from tests.web.conftest import ORIGIN

PLACE = "/v1/recipients/asha/consents"
ASK: dict[str, Any] = {
    "topic": "offers", "channel": "email", "double_opt_in": {"template": "confirm", "channel": "email"},
    "evidence": {"form": "footer"},
}  # fmt: skip
PART = {"channel": "email", "locale": "default", "content": {"subject": "Yes?", "text": "Open {{ confirm_url }}"}}


@pytest.fixture
async def api(app: FastAPI, make_key: KeyFactory, tenant_id: UUID) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the tenant, and of the pages."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    key = {"Authorization": f"Bearer {await make_key(tenant_id)}"}
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=key) as client:
        yield client


@pytest.fixture
async def asha(database: Database, tenant_id: UUID) -> UUID:
    """A recipient with a mailbox, a topic that needs consent, and the template that asks for it."""
    owner = await factories.insert(database, tenant_id, recipient, external_id="asha")
    fields = {"recipient_id": owner, "kind": "email", "value": "asha@example.com"}
    await factories.insert(database, tenant_id, address, **fields)
    titles = {"en": "Offers"}
    await factories.insert(database, tenant_id, topic, name="offers", default_state="opted_out", titles=titles)
    await factories.make_version(database, tenant_id, PART, name="confirm")
    return owner


async def rows(database: Database, tenant_id: UUID, table: Any) -> list[Any]:
    async with database.tenant(tenant_id) as connection:
        return list((await connection.execute(select(table))).mappings())


async def link(database: Database, tenant_id: UUID) -> str:
    """Returns the link of the question that went out last."""
    sent = await rows(database, tenant_id, notification)
    return "/u/" + str(sent[-1]["data"]["confirm_url"]).rpartition("/")[2]


def key_of(page: httpx.Response) -> str:
    return html.unescape(re.findall(r'name="form" value="([^"]+)"', page.text)[0])


async def stands(api: httpx.AsyncClient) -> tuple[str, bool]:
    found = (await api.get(PLACE)).json()["standing"]
    (one,) = [one for one in found if (one["topic"], one["channel"]) == ("offers", "email")]
    return one["state"], one["may_send"]


async def test_consent_is_pending_until_it_is_confirmed(
    api: httpx.AsyncClient, asha: UUID, database: Database, tenant_id: UUID
) -> None:
    asked = await api.post(PLACE, json=ASK)
    assert (asked.status_code, asked.json()["state"]) == (202, "pending")
    assert await stands(api) == ("pending", False)
    place = await link(database, tenant_id)
    page = await api.get(place)
    assert ("Offers" in page.text, await stands(api)) == (True, ("pending", False))
    for _ in range(2):
        assert "it is confirmed" in (await api.post(place, data={"form": key_of(page)})).text
    assert await stands(api) == ("granted", True)
    history = (await api.get(f"{PLACE}/history")).json()["data"]
    assert [(one["state"], one["source"]) for one in history] == [
        ("granted", "double_opt_in"),
        ("pending", "double_opt_in"),
    ]
    again = await api.post(PLACE, json=ASK)
    assert (again.status_code, again.json()["state"]) == (200, "granted")
    assert len(await rows(database, tenant_id, notification)) == 1


async def test_what_no_button_sent_confirms_nothing(
    api: httpx.AsyncClient, asha: UUID, database: Database, tenant_id: UUID
) -> None:
    await api.post(PLACE, json=ASK)
    place = await link(database, tenant_id)
    for body in ({}, {"form": "x"}, {"List-Unsubscribe": "One-Click"}):
        await api.post(place, data=body)
    assert await stands(api) == ("pending", False)


async def test_a_link_lives_for_seven_days(
    app: FastAPI, api: httpx.AsyncClient, asha: UUID, database: Database, tenant_id: UUID
) -> None:
    await api.post(PLACE, json=ASK)
    place = await link(database, tenant_id)
    services: Services = app.state.services
    app.state.services = replace(services, now=lambda: services.now() + timedelta(days=6, hours=23))
    assert (await api.get(place)).status_code == 200
    app.state.services = replace(services, now=lambda: services.now() + timedelta(days=7))
    assert (await api.get(place)).status_code == 404


async def test_series_of_the_recipient_hear_it_once_and_it_is_kept_as_an_event(
    api: httpx.AsyncClient, asha: UUID, database: Database, tenant_id: UUID
) -> None:
    flow_id = await factories.insert(database, tenant_id, flow, name="welcome")
    fields = {"flow_id": flow_id, "number": 1, "source": "", "definition": {}}
    version = await factories.insert(database, tenant_id, flow_version, **fields)
    wakes = [{"kind": "event", "name": "consent.confirmed"}]
    whose = {"to": "asha", "to_kind": "recipient", "receiver_id": asha, "key": "1", "wakes": wakes}
    await factories.insert(database, tenant_id, series, flow_id=flow_id, flow_version_id=version, **whose)
    await api.post(PLACE, json=ASK)
    place = await link(database, tenant_id)
    page = await api.get(place)
    for _ in range(2):
        await api.post(place, data={"form": key_of(page)})
    (heard,) = await rows(database, tenant_id, series_hearing)
    assert (heard["kind"], heard["name"], heard["data"]["topic"]) == ("event", "consent.confirmed", "offers")
    (kept,) = await rows(database, tenant_id, event)
    assert (kept["type"], kept["subject"], kept["fed"]) == ("consent.confirmed", "asha", 1)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(ASK | {"topic": "nothing"}, 422, id="no such topic"),
        pytest.param(ASK | {"double_opt_in": {"template": "nothing", "channel": "email"}}, 422, id="no such template"),
        pytest.param(ASK | {"double_opt_in": {"template": "confirm", "channel": "sms"}}, 422, id="no such part"),
    ],
)
async def test_a_question_that_cannot_be_asked_leaves_everything_as_it_was(
    api: httpx.AsyncClient, asha: UUID, body: dict[str, Any], status: int
) -> None:
    assert (await api.post(PLACE, json=body)).status_code == status
    assert await stands(api) == ("unset", False)


async def test_the_same_key_asks_once(api: httpx.AsyncClient, asha: UUID, database: Database, tenant_id: UUID) -> None:
    for _ in range(2):
        assert (await api.post(PLACE, json=ASK, headers={"Idempotency-Key": "k"})).status_code == 202
    assert len(await rows(database, tenant_id, notification)) == 1
