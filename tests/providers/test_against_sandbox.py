"""Both providers against the stand-ins: two readings of the same vendor pages have to agree, over real sockets."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from domain.content import Content, EmailContent, TemplateButton, TemplateParameter, WhatsAppTemplate
from domain.errors import (
    ContentRefused,
    DeliveryError,
    InvalidAddress,
    Misconfigured,
    RecipientThrottled,
    Unavailable,
    Uncertain,
)
from domain.recipients import Address, AddressKind
from domain.status import Status
from providers import verp
from providers.base import Callback, Event, Inbound, Provider, Receipt, TemplateUpdate
from providers.meta import Meta
from providers.smtp import Smtp
from providers.transport import Transport
from sandbox.behaviour import Behaviour, Times
from sandbox.serve import Sandbox, SandboxSettings

from .cases import META_CONFIG, REFERENCE, SMTP_CONFIG, outgoing
from .conftest import Listen

HELLO = EmailContent(subject="Grüße", text="Hello\n", html="<p>Hello</p>\n")
GUEST = "919811122233"
PARTS = [
    {"type": "BODY", "text": "Hello {{1}}, order {{2}} is ready."},
    {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "Accept"}]},
]
READY = WhatsAppTemplate(
    name="order_ready",
    language="en_US",
    body=(TemplateParameter(value="Asha"), TemplateParameter(value="7")),
    buttons=(TemplateButton(index=0, sub_type="quick_reply", value="accept:7"),),
)


@dataclass
class Stage:
    """The stand-ins, a transport, and the callbacks that came."""

    sandbox: Sandbox
    client: httpx.AsyncClient
    transport: Transport
    meta: Meta
    smtp: Smtp
    callbacks: list[Callback] = field(default_factory=list)

    async def send(self, provider: Provider, to: Address, content: Content, reference: str = REFERENCE) -> str:
        response = await self.transport.send(provider.request(outgoing(to, content, reference=reference)))
        return provider.accepted(response).provider_message_id

    async def template(self, number: str, content: Content = READY) -> str:
        return await self.send(self.meta, Address(AddressKind.PHONE, f"+{number}"), content)

    def events(self) -> list[Event]:
        found: list[Event] = []
        for callback in self.callbacks:
            self.meta.authenticate(callback)
            found += self.meta.events(callback)
        return found


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    journal = tmp_path_factory.mktemp("sandbox") / "journal.jsonl"
    async with Sandbox(SandboxSettings(port=0, smtp_port=0, journal=journal)) as sandbox:
        sandbox.platform.director.direct(Behaviour(times=Times(sent=0, delivered=0.01, read=0.02, bounce=0.01)))
        yield sandbox


@pytest.fixture
async def stage(running: Sandbox, listen: Listen) -> AsyncIterator[Stage]:
    callbacks: list[Callback] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            first, *head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
            headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in head)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            query = dict(httpx.URL(first.split()[1]).params)
            answer = Meta.configure(META_CONFIG).challenge(query) if first.startswith("GET") else ""
            if first.startswith("POST"):
                callbacks.append(Callback(body=body, headers=headers))
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\n\r\n{answer}".encode())
            await writer.drain()

    hook = f"http://127.0.0.1:{await listen(take)}/hook"
    transport = Transport(connect_timeout=1, total_timeout=2)
    async with httpx.AsyncClient(base_url=running.url) as client:
        registration: dict[str, Any] = {**META_CONFIG, "display_phone_number": "+1 555 078-3881", "webhook_url": hook}
        number = registration.pop("phone_number_id")
        registration["templates"] = [{"name": "order_ready", "components": PARTS}]
        answer = await client.put(f"/_sandbox/numbers/{number}", json=registration)
        assert answer.is_success, answer.text
        meta = Meta.configure({**META_CONFIG, "base_url": running.url})
        config = {name: item for name, item in SMTP_CONFIG.items() if name not in {"username", "password"}}
        smtp = Smtp.configure({**config, "port": running.smtp_port})
        yield Stage(running, client, transport, meta, smtp, callbacks)
    await transport.aclose()


async def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 10
    while not (found := condition()):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)
    return found


async def test_a_template_is_accepted_and_its_receipts_name_the_attempt(stage: Stage) -> None:
    message_id = await stage.template(GUEST)
    await until(lambda: len(stage.events()) >= 3)
    receipts = [event for event in stage.events() if isinstance(event, Receipt)]
    assert {receipt.status for receipt in receipts} == {Status.SENT, Status.DELIVERED, Status.READ}
    assert {(r.provider_message_id, r.reference, r.sender) for r in receipts} == {
        (message_id, REFERENCE, stage.meta.sender())
    }
    assert len({receipt.event_key for receipt in receipts}) == 3


@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        ("0001", InvalidAddress),
        ("0003", Uncertain),
        ("0004", RecipientThrottled),
        ("0005", Uncertain),
        ("0008", Uncertain),
        ("0012", Uncertain),
        ("0013", Uncertain),
        ("0014", Uncertain),
        ("0015", Uncertain),
        ("0016", Unavailable),
    ],
)
async def test_misbehaviour_is_called_by_its_name(stage: Stage, ending: str, kind: type[DeliveryError]) -> None:
    with pytest.raises(DeliveryError) as error:
        await stage.template(f"91981112{ending}")
    assert type(error.value) is kind
    assert error.value.retry_after == (1.0 if ending == "0004" else None)


async def test_refusals_of_the_graph_api_are_understood(stage: Stage) -> None:
    with pytest.raises(DeliveryError) as error:
        await stage.template(GUEST, WhatsAppTemplate(name="nothing", language="hi"))
    assert (error.value.code, error.value.provider_code) == ("template_unavailable", "132001")
    with pytest.raises(DeliveryError) as error:
        await stage.template(GUEST, WhatsAppTemplate(name="order_ready", language="en_US"))
    assert (error.value.code, error.value.provider_code) == ("content_refused", "132000")
    stranger = Meta.configure({**META_CONFIG, "base_url": stage.sandbox.url, "access_token": "wrong"})
    with pytest.raises(Misconfigured):
        await stage.send(stranger, Address(AddressKind.PHONE, f"+{GUEST}"), READY)


async def test_a_late_failure_tells_why(stage: Stage) -> None:
    await stage.template("919811120006")
    found = await until(lambda: [e for e in stage.events() if isinstance(e, Receipt) and e.status is Status.FAILED])
    assert (found[0].error_code, found[0].provider_code) == ("invalid_address", "131026")


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"text": "hello 👋"}, {"kind": "text", "text": "hello 👋"}),
        ({"type": "button", "id": "p", "title": "Yes", "context": "wamid.x"}, {"payload": "p", "quotes": "wamid.x"}),
        ({"type": "button_reply", "id": "p", "title": "Yes"}, {"kind": "button_reply", "payload": "p"}),
        ({"type": "list_reply", "id": "r", "title": "Row"}, {"kind": "list_reply", "payload": "r", "text": "Row"}),
        ({"type": "image", "caption": "look"}, {"kind": "image", "text": "look", "media_type": "image/png"}),
        ({"type": "document"}, {"kind": "document"}),
        ({"type": "sticker"}, {"kind": "sticker"}),
        ({"type": "audio"}, {"kind": "audio"}),
        ({"type": "location"}, {"kind": "location"}),
        ({"type": "contacts"}, {"kind": "contacts"}),
        ({"type": "reaction", "context": "wamid.x"}, {"kind": "reaction", "quotes": "wamid.x"}),
        ({"type": "unsupported"}, {"kind": "unsupported"}),
    ],
    ids=lambda value: value.get("type", "text"),
)
async def test_what_somebody_writes_is_read(stage: Stage, facts: dict[str, Any], expected: dict[str, Any]) -> None:
    body = {"number": stage.meta.phone_number_id, "from": f"+{GUEST}", **facts}
    written = (await stage.client.post("/_sandbox/inbound", json=body)).json()
    (event,) = await until(stage.events)
    assert isinstance(event, Inbound)
    assert {name: getattr(event, name) for name in expected} == expected
    assert (event.provider_message_id, event.author.value) == (written["id"], f"+{GUEST}")


async def test_a_review_of_a_template_is_read(stage: Stage) -> None:
    headers = {"Authorization": f"Bearer {META_CONFIG['access_token']}"}
    listed = await stage.client.get(f"/v26.0/{META_CONFIG['waba_id']}/message_templates", headers=headers)
    template_id = listed.json()["data"][0]["id"]
    await stage.client.post(f"/_sandbox/templates/{template_id}/review", json={"status": "PAUSED"})
    (event,) = await until(stage.events)
    assert isinstance(event, TemplateUpdate)
    assert (event.name, event.language, event.event) == ("order_ready", "en_US", "PAUSED")


async def test_a_mail_is_accepted_and_arrives_as_it_was(stage: Stage) -> None:
    queue_id = await stage.send(stage.smtp, Address(AddressKind.EMAIL, "asha@example.org"), HELLO)
    mails = (await stage.client.get("/mailbox", params={"to": "asha@example.org"})).json()["mails"]
    raw = (await stage.client.get(f"/mailbox/{mails[0]['id']}/raw")).text
    assert mails[0]["id"].startswith(queue_id)
    assert (mails[0]["subject"], mails[0]["reference"]) == ("Grüße", REFERENCE)
    assert f"X-Carillon-Reference: {REFERENCE}" in raw


@pytest.mark.parametrize(
    ("mailbox", "kind"),
    [
        ("refused", InvalidAddress),
        ("full", RecipientThrottled),
        ("greylist", RecipientThrottled),
        ("busy", Unavailable),
        ("spam", ContentRefused),
        ("tempfail", Unavailable),
        ("slow", Uncertain),
        ("drop", Uncertain),
        ("lost", Uncertain),
    ],
)
async def test_a_misbehaving_mail_server_is_called_by_its_name(
    stage: Stage, mailbox: str, kind: type[DeliveryError]
) -> None:
    with pytest.raises(DeliveryError) as error:
        await stage.send(stage.smtp, Address(AddressKind.EMAIL, f"{mailbox}@example.org"), HELLO)
    assert type(error.value) is kind


@pytest.mark.parametrize(("mailbox", "meant"), [("bounce", Status.BOUNCED), ("delayed", Status.ACCEPTED)])
async def test_a_mail_that_comes_back_names_its_attempt(stage: Stage, mailbox: str, meant: Status) -> None:
    reference = mailbox.encode().hex().ljust(32, "0")
    await stage.send(stage.smtp, Address(AddressKind.EMAIL, f"{mailbox}@example.org"), HELLO, reference)
    path = verp.return_path(reference, domain="bounces.example.org", key=SMTP_CONFIG["verp_key"])
    deadline = time.monotonic() + 10
    while not (mails := (await stage.client.get("/mailbox", params={"to": path})).json()["mails"]):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)
    callback = Callback(body=(await stage.client.get(f"/mailbox/{mails[0]['id']}/raw")).content, headers={})
    stage.smtp.authenticate(callback)
    (event,) = stage.smtp.events(callback)
    assert isinstance(event, Receipt)
    assert (event.status, event.reference, event.sender) == (meant, reference, "hello@example.org")
