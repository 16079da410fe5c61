"""What is refused when a notification is asked for: all of it at once, each with its place in the body."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select

from db.delivery_tables import notification
from db.session import Database
from sealing import KeyRing
from tests import factories
from tests.api import sending
from tests.api.sending import BODY, EMAIL, SMS, WHATSAPP

SOON = (datetime.now(UTC) + timedelta(days=1)).isoformat()
LATER = (datetime.now(UTC) + timedelta(days=2)).isoformat()
PAST = "2026-01-01T00:00:00Z"


@pytest.mark.parametrize("key", [None, "", "x" * 256, "clé", "a\tb"], ids=["none", "empty", "long", "not ASCII", "tab"])
async def test_a_request_needs_a_key_that_can_be_written_down(client: httpx.AsyncClient, key: str | None) -> None:
    headers = {} if key is None else {"Idempotency-Key": key.encode()}
    answer = await client.post("/v1/notifications", json=BODY, headers=headers)  # type: ignore[arg-type]  # bytes reach the wire as they are
    assert answer.status_code == 422
    assert [(error["in"], error["parameter"].lower()) for error in answer.json()["errors"]] == [
        ("header", "idempotency-key")
    ]


CHANNELS = [SMS, EMAIL, WHATSAPP]


REFUSED = [
    pytest.param({"template": "nothing"}, "/template", "there is no template 'nothing'", id="unknown template"),
    pytest.param({"template": "draft"}, "/template", "no published version", id="nothing published"),
    pytest.param({"template": "No!"}, "/template", "pattern", id="impossible name"),
    pytest.param({"data": {}}, "/data/name", "required by the template", id="missing variable"),
    pytest.param({"data": {"name": 5}}, "/data/name", "must be a string, not a number", id="ill-typed variable"),
    pytest.param({"data": {"name": None}}, "/data/name", "required", id="null variable"),
    pytest.param({"channels": ["in_app"]}, "/channels", "no part for in_app", id="channel without part"),
    pytest.param({"channels": ["email"]}, "/channels", "none of email reaches a phone", id="unreachable"),
    pytest.param({"channels": ["sms", "sms"]}, "/channels", "twice", id="channel twice"),
    pytest.param({"channels": []}, "/channels", "at least 1", id="no channels"),
    pytest.param({"channels": ["fax"]}, "/channels/0", "whatsapp", id="unknown channel"),
    pytest.param({"sender": "nobody"}, "/sender", "no such account", id="unknown sender"),
    pytest.param({"sender": "retired"}, "/sender", "retired", id="retired sender"),
    pytest.param({"sender": "post", "channels": ["sms"]}, "/sender", "carries email", id="sender of another channel"),
    pytest.param(
        {"attachments": [{"upload_id": "0199b0c0-0000-7000-8000-000000000000"}]},
        "/attachments/0/upload_id",
        "no such upload",
        id="unknown upload",
    ),
    pytest.param({"attachments": [{}]}, "/attachments/0", "exactly one", id="empty attachment"),
    pytest.param({"attachments": [{"url": "file:///etc/passwd"}]}, "/attachments/0/url", "http", id="file link"),
    pytest.param(
        {"attachments": [{"url": "https://e.org", "filename": "../a"}]},
        "/attachments/0/filename",
        "slashes",
        id="path as name",
    ),
    pytest.param({"expires_at": PAST}, "/expires_at", "over", id="expired"),
    pytest.param({"send_at": LATER, "expires_at": SOON}, "", "after `send_at`", id="expires before it is sent"),
    pytest.param({"send_at": "2026-01-01T00:00:00"}, "/send_at", "timezone", id="time without zone"),
    pytest.param({"to": {}}, "/to", "exactly one", id="nobody"),
    pytest.param({"to": {"phone": "+14155550123", "email": "a@b.org"}}, "/to", "exactly one", id="two"),
    pytest.param({"to": {"phone": "12"}}, "/to/phone", "country code", id="no phone number"),
    pytest.param({"to": {"fax": "1"}}, "/to/fax", "Extra", id="unknown kind of address"),
    pytest.param({"locale": "!"}, "/locale", "language tag", id="no locale"),
    pytest.param({"fallback": {"sms": {"within": "soon"}}}, "/fallback/sms/within", "PT10M", id="no duration"),
    pytest.param({"fallback": {"sms": {"within": 0}}}, "/fallback/sms/within", "above 0", id="no time"),
    pytest.param({"fallback": {"sms": {"within": "P91D"}}}, "/fallback/sms/within", "90 days", id="too long"),
    pytest.param({"fallback": {"sms": {"success": "failed"}}}, "/fallback/sms/success", "delivered", id="no success"),
    pytest.param({"critical": True, "lane": "bulk"}, "", "lane", id="critical bulk"),
    pytest.param({"lane": "critical"}, "/lane", "bulk", id="lane for critical ones"),
    pytest.param({"resource": {"type": "invoice", "id": " "}}, "/resource/id", "pattern", id="blank resource"),
    pytest.param({"metadata": {str(n): n for n in range(51)}}, "/metadata", "50", id="much metadata"),
    pytest.param({"surprise": 1}, "/surprise", "Extra", id="unknown member"),
]


@pytest.mark.parametrize(
    ("changes", "pointer", "said"),
    REFUSED,
)
async def test_what_could_not_be_sent_is_refused_at_once(
    client: httpx.AsyncClient, database: Database, tenant_id: UUID, key_ring: KeyRing,
    changes: dict[str, Any], pointer: str, said: str,
) -> None:  # fmt: skip
    await sending.publish(client, *CHANNELS)
    await client.post("/v1/templates", json={"name": "draft"})
    await sending.add_version(client, name="draft")
    for name, state in (("post", "active"), ("retired", "retired")):
        values = {"name": name, "state": state}
        await factories.make_account(
            database, tenant_id, key_ring, provider="smtp", channel="email", config={}, **values
        )
    answer = await sending.post(client, **changes)
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (422, "urn:carillon:problem:validation-failed"), answer.text
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert said in problem["errors"][0]["detail"]
    async with database.tenant(tenant_id) as connection:
        assert (await connection.execute(select(func.count()).select_from(notification))).scalar_one() == 0


async def test_everything_that_is_wrong_is_told_at_once(client: httpx.AsyncClient) -> None:
    await sending.publish(client, *CHANNELS)
    answer = await sending.post(client, data={}, sender="nobody", expires_at=PAST)
    assert {error["pointer"] for error in answer.json()["errors"]} == {"/data/name", "/sender", "/expires_at"}


async def test_what_the_content_writes_deep_in_the_data_must_be_there(client: httpx.AsyncClient) -> None:
    part = {
        "channel": "sms",
        "locale": "default",
        "content": {"body": "{{ o.id }} {% for i in l %}{{ i.n }}{% endfor %}"},
    }
    variables = [{"name": "o", "type": "object"}, {"name": "l", "type": "list"}]
    await sending.publish(client, part, variables=variables)
    answer = await sending.post(client, data={"o": {}, "l": [{"n": "a"}, {}]})
    assert {error["pointer"] for error in answer.json()["errors"]} == {"/data/o/id", "/data/l/1/n"}
    assert (await sending.post(client, data={"o": {"id": 1}, "l": []})).status_code == 202


async def test_a_recipient_must_exist(client: httpx.AsyncClient) -> None:
    await sending.publish(client)
    answer = await sending.post(client, to={"recipient": "asha"})
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (422, "urn:carillon:problem:unknown-recipient")
    assert problem["errors"][0]["pointer"] == "/to/recipient"
    recipient = (await client.put("/v1/recipients/asha", json={"name": "Asha"})).json()
    shown = (await client.get(f"/v1/notifications/{await sending.send(client, to={'recipient': 'asha'})}")).json()
    assert (shown["to"], shown["receiver_id"]) == ({"recipient": "asha"}, recipient["id"])


async def test_an_address_that_one_recipient_has_is_that_recipients(client: httpx.AsyncClient) -> None:
    await sending.publish(client)
    body = {"addresses": [{"kind": "phone", "value": BODY["to"]["phone"]}]}
    recipient = (await client.put("/v1/recipients/asha", json=body)).json()
    path = "/v1/notifications/"
    assert (await client.get(f"{path}{await sending.send(client)}")).json()["receiver_id"] == recipient["id"]
    await client.put("/v1/recipients/ravi", json=body)
    assert (await client.get(f"{path}{await sending.send(client)}")).json()["receiver_id"] is None


async def test_a_template_may_require_a_known_recipient(client: httpx.AsyncClient) -> None:
    await sending.publish(client, defaults={"require_known_recipient": True})
    answer = await sending.post(client)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:carillon:problem:unknown-recipient")
    await client.put("/v1/recipients/asha", json={"addresses": [{"kind": "phone", "value": BODY["to"]["phone"]}]})
    assert (await sending.post(client)).status_code == 202
