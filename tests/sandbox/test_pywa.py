"""A client that we did not write talks to the stand-in, and reads what it posts."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from pywa.errors import MessageUndeliverable, TemplateNotExists, TooManyMessages
from pywa.types import templates
from pywa.types.callback import Button, Section, SectionList, SectionRow
from pywa_async import handlers
from pywa_async.client import WhatsApp

from sandbox.serve import Sandbox

from .conftest import ACCOUNT, GUEST, NUMBER, SECRET, TOKEN, VERIFY, Caller, Receiver, until


class ToSandbox(httpx.AsyncHTTPTransport):
    """Carries requests for the vendor's host to the sandbox instead."""

    def __init__(self, url: str) -> None:
        super().__init__(verify=False)
        self._url = httpx.URL(url)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert request.url.host == "graph.facebook.com"
        request.url = request.url.copy_with(scheme="http", host=self._url.host, port=self._url.port)
        return await super().handle_async_request(request)


@pytest.fixture
async def pywa(sandbox: Sandbox, caller: Caller) -> AsyncIterator[WhatsApp]:
    assert caller.before >= 0
    async with httpx.AsyncClient(transport=ToSandbox(sandbox.url)) as session:
        yield WhatsApp(
            phone_id=NUMBER,
            token=TOKEN,
            session=session,
            server=None,
            app_secret=SECRET,
            verify_token=VERIFY,
            waba_id=ACCOUNT,
            filter_updates=False,
        )


async def test_pywa_sends_text_buttons_image_and_reaction(pywa: WhatsApp, caller: Caller) -> None:
    text = await pywa.send_message(GUEST, "hello", tracker="ref-1")
    await pywa.send_message(GUEST, "Choose", buttons=[Button("Yes", "y"), Button("No", "n")])
    rows = [SectionRow(title="Row", callback_data="r", description="d")]
    await pywa.send_message(GUEST, "Pick", buttons=SectionList("Open", [Section("S", rows)]))
    await pywa.send_image(GUEST, "https://x.example/a.png", caption="look")
    await pywa.send_reaction(GUEST, "\N{THUMBS UP SIGN}", message_id=text.id)
    entries = await caller.journal(kind="accepted")
    assert [entry["type"] for entry in entries] == ["text", "interactive", "interactive", "image", "reaction"]
    assert (entries[0]["id"], entries[0]["reference"]) == (text.id, "ref-1")


async def test_pywa_sends_a_template_with_parameters_and_payloads(pywa: WhatsApp, caller: Caller) -> None:
    header: Any = templates.HeaderText  # its own annotations take the text for the class
    body: Any = templates.BodyText
    sent = await pywa.send_template(
        GUEST,
        "order_ready",
        templates.TemplateLanguage.ENGLISH_US,
        params=[
            header.params("7"),
            body.params("Asha", "7"),
            templates.QuickReplyButton.params(index=0, callback_data="yes:7"),
            templates.URLButton.params(index=2, url_variable="7"),
        ],
    )
    (entry,) = await caller.journal(kind="accepted")
    assert entry["id"] == sent.id
    shown = entry["template"]["shown"]
    assert (shown["header"], shown["body"]) == ("Order 7", "Hello Asha, order 7 is ready.")
    assert shown["buttons"][0] == {"kind": "quick_reply", "title": "Accept", "payload": "yes:7"}
    assert shown["buttons"][2]["url"] == "https://shop.example/o/7"


async def test_pywa_understands_the_errors(pywa: WhatsApp) -> None:
    with pytest.raises(MessageUndeliverable):
        await pywa.send_message("919811120001", "hello")
    with pytest.raises(TooManyMessages):
        await pywa.send_message("919811120004", "hello")
    with pytest.raises(TemplateNotExists) as problem:
        await pywa.send_template(GUEST, "nothing", templates.TemplateLanguage.HINDI, params=[])
    assert problem.value.details == "template name (nothing) does not exist in hi"


async def test_pywa_uploads_and_fetches_media(pywa: WhatsApp) -> None:
    medium = await pywa.upload_media(media=b"\x89PNG pixels", mime_type="image/png", filename="a.png")
    url = await pywa.get_media_url(medium.id)
    assert url.mime_type == "image/png"
    assert url.file_size == 11


async def test_pywa_accepts_the_signature_and_reads_statuses(
    pywa: WhatsApp, caller: Caller, receiver: Receiver
) -> None:
    seen: list[Any] = []
    pywa.add_handlers(handlers.MessageStatusHandler(_into(seen)))
    sent = await caller.template(biz_opaque_callback_data="ref-1")
    await until(lambda: len(receiver.bodies) == 3)
    await _feed(pywa, receiver)
    assert sorted(one.status for one in seen) == ["delivered", "read", "sent"]
    for one in seen:
        assert (one.id, one.tracker) == (sent.json()["messages"][0]["id"], "ref-1")
        assert (one.from_user.wa_id, one.pricing.model) == (GUEST, "PMP")
        assert one.conversation is None


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({"text": "hello \N{BELL}"}, handlers.MessageHandler),
        ({"type": "image", "caption": "look"}, handlers.MessageHandler),
        ({"type": "document"}, handlers.MessageHandler),
        ({"type": "sticker"}, handlers.MessageHandler),
        ({"type": "audio"}, handlers.MessageHandler),
        ({"type": "location"}, handlers.MessageHandler),
        ({"type": "contacts"}, handlers.MessageHandler),
        ({"type": "reaction", "context": "wamid.x"}, handlers.MessageHandler),
        ({"type": "unsupported"}, handlers.MessageHandler),
        ({"type": "button", "id": "p", "title": "Yes"}, handlers.CallbackButtonHandler),
        ({"type": "button_reply", "id": "p", "title": "Yes"}, handlers.CallbackButtonHandler),
        ({"type": "list_reply", "id": "p", "title": "Row", "context": "wamid.x"}, handlers.CallbackSelectionHandler),
    ],
    ids=lambda value: value.get("type", "text") if isinstance(value, dict) else "",
)
async def test_pywa_reads_inbound_messages(
    pywa: WhatsApp, caller: Caller, receiver: Receiver, facts: dict[str, Any], kind: Any
) -> None:
    seen: list[Any] = []
    pywa.add_handlers(kind(_into(seen)))
    body = {"number": NUMBER, "from": f"+{GUEST}", **facts}
    inbound = (await caller.client.post("/_sandbox/inbound", json=body)).json()
    await _feed(pywa, receiver)
    (update,) = seen
    assert (update.id, update.from_user.wa_id) == (inbound["id"], GUEST)
    if "text" in facts:
        assert update.text == facts["text"]
    if kind is not handlers.MessageHandler:
        assert (update.data, update.title) == (facts["id"], facts["title"])


async def test_pywa_reads_template_updates(pywa: WhatsApp, caller: Caller, receiver: Receiver) -> None:
    seen: list[Any] = []
    pywa.add_handlers(handlers.TemplateStatusUpdateHandler(_into(seen)))
    listed = (await caller.client.get(f"/v26.0/{ACCOUNT}/message_templates?name=pending")).json()["data"]
    await caller.client.post(f"/_sandbox/templates/{listed[0]['id']}/review", json={"status": "APPROVED"})
    await until(lambda: receiver.bodies)
    await _feed(pywa, receiver)
    assert (seen[0].template_id, seen[0].new_status) == (listed[0]["id"], templates.TemplateStatus.APPROVED)


async def test_pywa_refuses_a_body_that_was_changed(pywa: WhatsApp, caller: Caller, receiver: Receiver) -> None:
    await caller.client.post("/_sandbox/inbound", json={"number": NUMBER, "from": GUEST, "text": "hi"})
    header = receiver.headers[0]["x-hub-signature-256"]
    assert await pywa.webhook_update_validator(receiver.bodies[0] + b" ", header) == ("Forbidden", 403)


def _into(seen: list[Any]) -> Callable[[Any, Any], Awaitable[None]]:
    async def take(_: Any, update: Any) -> None:
        seen.append(update)

    return take


async def _feed(pywa: WhatsApp, receiver: Receiver) -> None:
    for headers, body in zip(receiver.headers, receiver.bodies, strict=True):
        assert await pywa.webhook_update_validator(body, headers["x-hub-signature-256"]) is None
        assert await pywa.webhook_update_handler(body) == ("ok", 200)
