"""Callbacks of providers: authentic ones are recorded once and answered after the commit, others change nothing."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, update

from db.delivery_tables import attempt, callback, inbound_message, message, receipt
from db.session import Database
from db.tables import account
from domain.content import EmailContent, Outgoing
from domain.recipients import Address, AddressKind
from providers.smtp import Smtp
from sealing import KeyRing
from tests import factories
from tests.api.conftest import META

REFERENCE = "cd" * 16


def signed(body: bytes, secret: str = META["app_secret"]) -> Mapping[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={digest}", "Content-Type": "application/json"}


def envelope(**value: Any) -> bytes:
    metadata = {"display_phone_number": "15550783881", "phone_number_id": META["phone_number_id"]}
    change = {"field": "messages", "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}
    return json.dumps({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}).encode()


def status(name: str, **changes: Any) -> dict[str, Any]:
    found = {"id": "wamid.1", "status": name, "timestamp": "1763719200", "recipient_id": "15550100"}
    return {**found, "biz_opaque_callback_data": REFERENCE, **changes}


@pytest.fixture
async def message_id(database: Database, tenant_id: UUID, key_ring: KeyRing) -> UUID:
    """A message on its way over a WhatsApp account of the tenant."""
    account_id = await factories.make_account(
        database, tenant_id, key_ring, provider="meta", channel="whatsapp", config=META
    )
    version_id = await factories.make_version(database, tenant_id)
    notification_id = await factories.make_notification(
        database, tenant_id, version_id, to="+15550100", to_kind="phone"
    )
    fields = {"hop": 0, "channel": "whatsapp", "provider": "meta", "account_id": account_id, "success": "accepted"}
    address = {"address_kind": "phone", "address": "+15550100", "template_version_id": version_id, "locale": "en"}
    made = await factories.insert(database, tenant_id, message, notification_id=notification_id, **fields, **address)
    await factories.insert(database, tenant_id, attempt, message_id=made, number=1, reference=REFERENCE)
    return made


async def rows(database: Database, tenant_id: UUID, table: Any) -> list[Any]:
    async with database.tenant(tenant_id) as connection:
        return list((await connection.execute(select(table))).mappings())


async def test_the_handshake_answers_the_challenge(
    anonymous: httpx.AsyncClient, tenant_id: UUID, message_id: UUID
) -> None:
    query = {"hub.mode": "subscribe", "hub.challenge": "12345", "hub.verify_token": META["verify_token"]}
    answer = await anonymous.get(f"/api/webhooks/meta/{tenant_id}", params=query)
    assert (answer.status_code, answer.text) == (200, "12345")


async def test_a_wrong_verify_token_is_refused(anonymous: httpx.AsyncClient, tenant_id: UUID, message_id: UUID) -> None:
    query = {"hub.mode": "subscribe", "hub.challenge": "12345", "hub.verify_token": "guess"}
    answer = await anonymous.get(f"/api/webhooks/meta/{tenant_id}", params=query)
    assert answer.status_code == 404
    assert "12345" not in answer.text


async def test_a_status_is_recorded_and_settles_the_attempt(
    anonymous: httpx.AsyncClient, database: Database, tenant_id: UUID, message_id: UUID
) -> None:
    body = envelope(statuses=[status("sent"), status("delivered")])
    answer = await anonymous.post(f"/api/webhooks/meta/{tenant_id}", content=body, headers=signed(body))
    assert answer.status_code == 200
    assert [row["status"] for row in await rows(database, tenant_id, message)] == ["delivered"]
    assert [row["state"] for row in await rows(database, tenant_id, attempt)] == ["accepted"]
    assert len(await rows(database, tenant_id, receipt)) == 2


async def test_46_repetitions_at_once_are_one_callback(
    anonymous: httpx.AsyncClient, database: Database, tenant_id: UUID, message_id: UUID
) -> None:
    body = envelope(statuses=[status("read")])
    url = f"/api/webhooks/meta/{tenant_id}"
    answers = await asyncio.gather(*(anonymous.post(url, content=body, headers=signed(body)) for _ in range(46)))
    assert {answer.status_code for answer in answers} == {200}
    kept = await rows(database, tenant_id, callback)
    assert [(row["times"], row["body"]) for row in kept] == [(46, body)]
    assert len(await rows(database, tenant_id, receipt)) == 1


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="no signature"),
        pytest.param({"X-Hub-Signature-256": "sha256=00"}, id="wrong signature"),
        pytest.param(signed(envelope(statuses=[]), "another secret"), id="another app's secret"),
    ],
)
async def test_what_is_not_authentic_changes_nothing(
    anonymous: httpx.AsyncClient, database: Database, tenant_id: UUID, message_id: UUID, headers: Mapping[str, str]
) -> None:
    body = envelope(statuses=[status("read")])
    answer = await anonymous.post(f"/api/webhooks/meta/{tenant_id}", content=body, headers=headers)
    assert answer.status_code == 401
    assert await rows(database, tenant_id, callback) == []


async def test_another_tenant_s_address_takes_no_callback_of_ours(
    anonymous: httpx.AsyncClient, database: Database, tenant_id: UUID, other_tenant_id: UUID, message_id: UUID
) -> None:
    body = envelope(statuses=[status("read")])
    answer = await anonymous.post(f"/api/webhooks/meta/{other_tenant_id}", content=body, headers=signed(body))
    assert answer.status_code == 401
    assert [row["status"] for row in await rows(database, tenant_id, message)] == ["queued"]


async def test_a_suspended_account_still_hears_what_became_of_its_messages(
    anonymous: httpx.AsyncClient, database: Database, tenant_id: UUID, message_id: UUID
) -> None:
    async with database.tenant(tenant_id) as connection:
        await connection.execute(update(account).values(state="suspended"))
    body = envelope(statuses=[status("delivered")])
    answer = await anonymous.post(f"/api/webhooks/meta/{tenant_id}", content=body, headers=signed(body))
    assert answer.status_code == 200
    assert [row["status"] for row in await rows(database, tenant_id, message)] == ["delivered"]


async def test_an_inbound_message_is_stored_once(
    anonymous: httpx.AsyncClient, database: Database, tenant_id: UUID, message_id: UUID
) -> None:
    text = {"from": "15550100", "id": "wamid.in", "timestamp": "1763719200", "type": "text", "text": {"body": "Hé\x00"}}
    contacts = [{"profile": {"name": "Asha"}, "wa_id": "15550100"}]
    extras: list[dict[str, Any]] = [{}, {"statuses": []}]
    for extra in extras:
        body = envelope(contacts=contacts, messages=[text], **extra)
        answer = await anonymous.post(f"/api/webhooks/meta/{tenant_id}", content=body, headers=signed(body))
        assert answer.status_code == 200
    found = await rows(database, tenant_id, inbound_message)
    assert [(row["author"], row["kind"], row["body"]) for row in found] == [("+15550100", "text", "Hé\ufffd")]


async def test_what_nobody_knows_yet_is_kept_and_counted(
    anonymous: httpx.AsyncClient, database: Database, tenant_id: UUID, message_id: UUID
) -> None:
    body = b'{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"future","value":{}}]}]}'
    answer = await anonymous.post(f"/api/webhooks/meta/{tenant_id}", content=body, headers=signed(body))
    assert answer.status_code == 200
    assert [row["unknown_events"] for row in await rows(database, tenant_id, callback)] == [1]


SMTP = {
    "host": "127.0.0.1",
    "port": 25,
    "security": "none",
    "from_address": "hello@carillon.example",
    "return_path_domain": "bounces.carillon.example",
    "verp_key": "v" * 32,
}


async def test_a_bounce_to_our_return_path_bounces_the_message(
    anonymous: httpx.AsyncClient, database: Database, tenant_id: UUID, message_id: UUID, key_ring: KeyRing
) -> None:
    await factories.make_account(database, tenant_id, key_ring, provider="smtp", channel="email", config=SMTP)
    mail = Smtp.configure(SMTP).request(
        Outgoing(
            reference=REFERENCE,
            message_id="m",
            to=Address(AddressKind.EMAIL, "asha@example.com"),
            content=EmailContent(subject="Hello", text="Dear Asha"),
        )
    )
    report = (
        f"To: {mail.envelope_from}\r\nFrom: mailer-daemon@example.com\r\nSubject: Failed\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nNo such user.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.com\r\n\r\n"
        "Final-Recipient: rfc822; asha@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n"
    ).encode()
    answer = await anonymous.post(f"/api/webhooks/smtp/{tenant_id}", content=report)
    assert answer.status_code == 200
    assert [(row["status"], row["reason"]) for row in await rows(database, tenant_id, message)] == [
        ("bounced", "invalid_address")
    ]
    forged = report.replace(REFERENCE.encode(), b"ef" * 16)
    assert (await anonymous.post(f"/api/webhooks/smtp/{tenant_id}", content=forged)).status_code == 401
