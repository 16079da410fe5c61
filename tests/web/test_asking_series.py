"""A flow that asks for consent: the message, the button that confirms, and whatever else people choose meanwhile."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from activities.links import Links
from activities.series import SeriesSteps
from db import consents, series
from db.consent_tables import consent, topic
from db.consents import NewConsent, Subject
from db.delivery_tables import notification
from db.session import Database
from db.tables import address, outbox, recipient
from domain.consent import Source, State
from domain.series import Pause, SeriesInput
from tests import factories
from tests.api import flowing
from tests.api.conftest import KeyFactory
from tests.locks import waits_for_a_lock
from tests.web.conftest import ORIGIN

PART = {"channel": "email", "locale": "default", "content": {"subject": "Yes?", "text": "Open {{ confirm_url }}"}}
PLAIN = {"channel": "email", "locale": "default", "content": {"subject": "Hi", "text": "Hello"}}
WELCOME = """
name: welcome
steps:
- confirm: confirm
  topic: offers
  channels: [email]
  timeout: 2d
  then: [{send: hello, id: welcome}]
  on_denied: [{stop: refused}]
  on_timeout: [{stop: silent}]
"""


@pytest.fixture
async def api(app: FastAPI, make_key: KeyFactory, tenant_id: UUID) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the tenant, and of the pages."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    key = {"Authorization": f"Bearer {await make_key(tenant_id)}"}
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=key) as client:
        yield client


@pytest.fixture
async def asha(database: Database, tenant_id: UUID) -> UUID:
    """A recipient with a mailbox, a topic that needs consent, and the templates."""
    owner = await factories.insert(database, tenant_id, recipient, external_id="asha")
    fields = {"recipient_id": owner, "kind": "email", "value": "asha@example.com"}
    await factories.insert(database, tenant_id, address, **fields)
    await factories.insert(database, tenant_id, topic, name="offers", default_state="opted_out", titles={"en": "O"})
    await factories.make_version(database, tenant_id, PART, name="confirm")
    await factories.make_version(database, tenant_id, PLAIN, name="hello")
    return owner


async def rows(database: Database, tenant_id: UUID, table: Any) -> list[Any]:
    async with database.tenant(tenant_id) as connection:
        return list((await connection.execute(select(table))).mappings())


class Story:
    """One series of the flow, looked at when the test says."""

    def __init__(self, app: FastAPI, api: httpx.AsyncClient, database: Database, tenant_id: UUID) -> None:
        self._app, self.api, self.database, self.tenant_id = app, api, database, tenant_id
        self.series_id = ""

    async def begin(self) -> None:
        await flowing.publish(self.api, WELCOME, "welcome")
        body = {"flow": "welcome", "to": {"recipient": "asha"}}
        answer = await self.api.post("/v1/series", json=body)
        assert answer.status_code == 201, answer.text
        self.series_id = answer.json()["id"]

    async def look(self) -> Pause:
        services = self._app.state.services
        links = Links(services.key_ring, services.settings.public_url)
        order = SeriesInput(tenant_id=str(self.tenant_id), series_id=self.series_id)
        return await SeriesSteps(self.database, links).advance(order, datetime.now(UTC))

    async def templates(self) -> list[str]:
        return [one["template"] for one in await rows(self.database, self.tenant_id, notification)]

    async def woken(self) -> bool:
        left = await rows(self.database, self.tenant_id, outbox)
        return any(one["kind"] == "signal" and one["workflow_id"] == f"series/{self.series_id}" for one in left)


@pytest.fixture
async def story(app: FastAPI, api: httpx.AsyncClient, database: Database, tenant_id: UUID, asha: UUID) -> Story:
    """A series that is about to begin."""
    return Story(app, api, database, tenant_id)


async def test_who_confirms_by_the_link_goes_on(story: Story, api: httpx.AsyncClient) -> None:
    await story.begin()
    waiting = await story.look()
    assert waiting.until is not None
    assert await story.templates() == ["confirm"]
    (asked,) = await rows(story.database, story.tenant_id, consent)
    assert (asked["state"], asked["source"], asked["evidence"]["flow"]) == ("pending", "double_opt_in", "welcome")
    assert not await story.woken()
    (sent,) = await rows(story.database, story.tenant_id, notification)
    path = "/u/" + sent["data"]["confirm_url"].rpartition("/")[2]
    page = await api.get(path)
    form = re.search(r'name="form" value="([^"]+)"', page.text)
    assert form is not None, page.text
    assert (await api.post(path, data={"form": form[1]}, headers={"Origin": ORIGIN})).status_code == 200
    assert await story.woken()
    assert (await story.look()).ended == "completed"
    assert await story.templates() == ["confirm", "hello"]


@pytest.mark.parametrize(("state", "ended"), [("granted", "completed"), ("denied", "stop_step")])
async def test_what_is_chosen_elsewhere_meanwhile_counts(
    story: Story, api: httpx.AsyncClient, state: str, ended: str
) -> None:
    await story.begin()
    assert (await story.look()).until is not None
    chosen = {"choices": [{"topic": "offers", "state": state}]}
    assert (await api.put("/v1/recipients/asha/consents", json=chosen)).status_code == 200
    assert await story.woken()
    assert (await story.look()).ended == ended


async def test_who_consented_before_is_not_asked(story: Story, api: httpx.AsyncClient) -> None:
    chosen = {"choices": [{"topic": "offers", "channel": "email", "state": "granted"}]}
    await api.put("/v1/recipients/asha/consents", json=chosen)
    await story.begin()
    assert (await story.look()).ended == "completed"
    assert await story.templates() == ["hello"]


async def test_without_the_topic_it_parks(story: Story, api: httpx.AsyncClient) -> None:
    await story.begin()
    assert (await api.delete("/v1/topics/offers")).status_code == 204
    assert (await story.look()).shown == "parked: topic_missing"
    assert await story.templates() == []


@pytest.mark.parametrize(("state", "ended"), [("granted", "completed"), ("denied", "stop_step")])
async def test_an_answer_given_while_the_question_was_held_stands(
    story: Story, api: httpx.AsyncClient, state: str, ended: str
) -> None:
    await story.begin()
    assert (await api.delete("/v1/topics/offers")).status_code == 204
    assert (await story.look()).shown == "parked: topic_missing"
    assert (await api.put("/v1/topics/offers", json={"default": "opted_out"})).is_success
    chosen = {"choices": [{"topic": "offers", "state": state}]}
    assert (await api.put("/v1/recipients/asha/consents", json=chosen)).status_code == 200
    assert (await api.post(f"/v1/series/{story.series_id}/resume")).status_code == 200
    assert (await story.look()).ended == ended
    assert "confirm" not in await story.templates()
    assert [one["state"] for one in await rows(story.database, story.tenant_id, consent)] == [state]


async def test_who_was_asked_is_asked_by_a_new_version_only_where_somebody_wants_it(
    story: Story, api: httpx.AsyncClient
) -> None:
    await story.begin()
    until = (await story.look()).until
    longer = WELCOME + "- {send: hello, id: after}\n"
    assert (await flowing.publish(api, longer, "welcome", mode="migrate"))["changed"] == 1
    assert (await story.look()).until == until
    assert await story.templates() == ["confirm"]
    body = {"step": "confirm_1"}
    assert (await api.post(f"/v1/series/{story.series_id}/run-again", json=body)).status_code == 200
    assert (await story.look()).until is not None
    assert await story.templates() == ["confirm", "confirm"]


async def test_a_question_that_is_open_counts_on_under_another_name(story: Story, api: httpx.AsyncClient) -> None:
    await story.begin()
    until = (await story.look()).until
    renamed = WELCOME.replace("  topic: offers", "  topic: offers\n  id: question")
    published = await flowing.publish(
        api, renamed, "welcome", mode="migrate", steps={"confirm_1": "question"}, expected=1
    )
    assert published["changed"] == 1
    assert (await story.look()).until == until
    assert await story.templates() == ["confirm"]
    shown = (await api.get(f"/v1/series/{story.series_id}")).json()
    assert shown["step"] == "question"
    chosen = {"choices": [{"topic": "offers", "state": "granted"}]}
    assert (await api.put("/v1/recipients/asha/consents", json=chosen)).status_code == 200
    assert (await story.look()).ended == "completed"
    assert await story.templates() == ["confirm", "hello"]


async def test_who_refused_over_every_channel_that_reaches_them_is_not_asked(
    story: Story, api: httpx.AsyncClient
) -> None:
    chosen = {"choices": [{"topic": "offers", "channel": "email", "state": "denied"}]}
    assert (await api.put("/v1/recipients/asha/consents", json=chosen)).status_code == 200
    await story.begin()
    assert (await story.look()).ended == "stop_step"
    assert await story.templates() == []


async def test_who_confirms_while_their_series_asks_waits_for_it(
    story: Story, api: httpx.AsyncClient, asha: UUID
) -> None:
    await story.begin()
    await story.look()
    (sent,) = await rows(story.database, story.tenant_id, notification)
    path = "/u/" + sent["data"]["confirm_url"].rpartition("/")[2]
    form = re.search(r'name="form" value="([^"]+)"', (await api.get(path)).text)
    assert form is not None
    asked = NewConsent(
        subject=Subject.recipient(asha), channel=None, topic="offers", state=State.PENDING,
        source=Source.DOUBLE_OPT_IN, at=datetime.now(UTC), evidence={"asked": "once more"},
    )  # fmt: skip
    async with story.database.tenant(story.tenant_id) as connection:  # as a look that asks
        await series.get(connection, story.tenant_id, UUID(story.series_id), lock=True)
        confirming = asyncio.create_task(api.post(path, data={"form": form[1]}, headers={"Origin": ORIGIN}))
        await waits_for_a_lock(story.database)
        await consents.keep(connection, story.tenant_id, [asked])
    assert (await confirming).status_code == 200
    (stands,) = await rows(story.database, story.tenant_id, consent)
    assert stands["state"] == "granted"
    assert (await story.look()).ended == "completed"
