"""What is sent to the WhatsApp Cloud API; `pywa` is the second opinion."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from pywa.client import WhatsApp
from pywa.types import templates
from pywa.types.callback import Button

from domain.content import (
    Content,
    Media,
    ReplyButton,
    TemplateButton,
    TemplateParameter,
    WhatsAppImage,
    WhatsAppText,
)
from domain.errors import (
    ContentRefused,
    MediaRefused,
    Rejected,
)
from domain.recipients import Address, AddressKind
from providers.meta import Meta

from .cases import META_CONFIG, REFERENCE, TEMPLATE, outgoing

TO = Address(AddressKind.PHONE, "+919876543210")
HEADER: Any = templates.HeaderText  # their own annotations take the text for the class
BODY: Any = templates.BodyText
LANGUAGE = templates.TemplateLanguage.ENGLISH_US


def body_of(meta: Meta, content: Content, to: Address = TO) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(meta.request(outgoing(to, content)).content)
    return parsed


@pytest.fixture
def theirs() -> tuple[WhatsApp, list[httpx.Request]]:
    """The other client, and the requests that it makes."""
    made: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        made.append(request)
        sent = {"messages": [{"id": "wamid.X"}], "contacts": [{"input": "1", "wa_id": "1"}], "success": True}
        return httpx.Response(200, json=sent)

    session = httpx.Client(transport=httpx.MockTransport(answer))
    client = WhatsApp(phone_id="106540352242922", token=META_CONFIG["access_token"], session=session)
    return client, made


def alike(value: Any) -> Any:
    """Returns a body without the differences that mean nothing: case of component types, nulls, empty lists."""
    if isinstance(value, list):
        return [alike(item) for item in value]
    if not isinstance(value, dict):
        return value
    told = {name: alike(item) for name, item in value.items() if item not in (None, [])}
    if "index" in told:
        told["index"] = str(told["index"])
    return {name: item.lower() if name in {"type", "sub_type"} else item for name, item in told.items()}


def sent_template(*params: Any) -> Callable[[WhatsApp], Any]:
    return lambda client: client.send_template(TO.value, "order_ready", LANGUAGE, params, tracker=REFERENCE)


LINK, DOCUMENT = "https://files.example/a.png", "https://files.example/a.pdf"
SAME_AS_PYWA: dict[str, tuple[Content, Callable[[WhatsApp], Any]]] = {
    "text with preview": (
        WhatsAppText(body="Hi", preview_url=True),
        lambda client: client.send_message(TO.value, "Hi", preview_url=True, tracker=REFERENCE),
    ),
    "quoting text": (
        WhatsAppText(body="Hi", quotes="wamid.Q"),
        lambda client: client.send_message(TO.value, "Hi", reply_to_message_id="wamid.Q", tracker=REFERENCE),
    ),
    "reply buttons": (
        WhatsAppText(body="Hi", header="H", footer="F", buttons=(ReplyButton(id="y", title="Yes"),)),
        lambda client: client.send_message(TO.value, "Hi", "H", "F", [Button("Yes", "y")], tracker=REFERENCE),
    ),
    "image by link": (
        WhatsAppImage(media=Media(link=LINK), caption="C"),
        lambda client: client.send_image(TO.value, LINK, "C", tracker=REFERENCE),
    ),
    "image by id": (
        WhatsAppImage(media=Media(media_id="1234567890")),
        lambda client: client.send_image(TO.value, "1234567890", tracker=REFERENCE),
    ),
    "bare template": (TEMPLATE, sent_template()),
    "template with image, body and buttons": (
        replace(
            TEMPLATE,
            header_media=Media(link=LINK),
            body=(TemplateParameter(value="A"), TemplateParameter(value="B")),
            buttons=(
                TemplateButton(index=0, sub_type="url", value="x"),
                TemplateButton(index=1, sub_type="quick_reply", value="p"),
                TemplateButton(index=2, sub_type="copy_code", value="C"),
            ),
        ),
        sent_template(
            templates.HeaderImage.params(image=LINK),
            BODY.params("A", "B"),
            templates.URLButton.params(url_variable="x", index=0),
            templates.QuickReplyButton.params(callback_data="p", index=1),
            templates.CopyCodeButton.params(coupon_code="C", index=2),
        ),
    ),
    "template with named values and a flow": (
        replace(
            TEMPLATE,
            header=(TemplateParameter(value="H"),),
            body=(TemplateParameter(value="A", name="first"), TemplateParameter(value="B", name="second")),
            buttons=(TemplateButton(index=0, sub_type="flow", value="token"),),
        ),
        sent_template(
            HEADER.params("H"),
            BODY.params(first="A", second="B"),
            templates.FlowButton.params(flow_token="token", index=0),
        ),
    ),
    "template with a document": (
        replace(TEMPLATE, header_media=Media(link=DOCUMENT, filename="a.pdf"), header_media_kind="document"),
        sent_template(templates.HeaderDocument.params(document=DOCUMENT, filename="a.pdf")),
    ),
    "template with a video": (
        replace(TEMPLATE, header_media=Media(media_id="1234567"), header_media_kind="video"),
        sent_template(templates.HeaderVideo.params(video="1234567")),
    ),
}


@pytest.mark.parametrize("name", SAME_AS_PYWA)
def test_a_request_says_what_another_client_says(
    meta: Meta, theirs: tuple[WhatsApp, list[httpx.Request]], name: str
) -> None:
    content, send = SAME_AS_PYWA[name]
    client, made = theirs
    send(client)
    ours = meta.request(outgoing(TO, content))
    assert alike(json.loads(ours.content)) == alike(json.loads(made[0].content))
    assert (ours.method, ours.url) == (made[0].method, made[0].url)
    assert ours.headers["authorization"] == made[0].headers["authorization"]


@pytest.mark.parametrize("typing", [False, True], ids=["read", "read and typing"])
def test_a_mark_says_what_another_client_says(
    meta: Meta, theirs: tuple[WhatsApp, list[httpx.Request]], *, typing: bool
) -> None:
    client, made = theirs
    if typing:
        client.indicate_typing("wamid.Z")
    else:
        client.mark_message_as_read("wamid.Z")
    ours = meta.mark_read("wamid.Z", typing=typing)
    assert (json.loads(ours.content), ours.url) == (json.loads(made[0].content), made[0].url)


def test_a_user_without_a_phone_number_is_addressed_by_id(meta: Meta) -> None:
    body = body_of(meta, TEMPLATE, Address(AddressKind.WHATSAPP_USER, "US.1349"))
    assert (body["recipient"], "to" in body) == ("US.1349", False)


def test_version_and_place_of_the_api_are_settings() -> None:
    meta = Meta.configure({**META_CONFIG, "graph_version": "v25.0", "base_url": "http://127.0.0.1:8080/graph/"})
    request = meta.request(outgoing(TO, TEMPLATE))
    assert str(request.url) == "http://127.0.0.1:8080/graph/v25.0/106540352242922/messages"


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (WhatsAppText(body="Hi", footer="F"), ContentRefused),
        (WhatsAppImage(media=Media()), MediaRefused),
        (WhatsAppImage(media=Media(link=LINK, media_id="1")), MediaRefused),
        (replace(TEMPLATE, header_media=Media(link=LINK), header_media_kind="sticker"), ContentRefused),
        (
            replace(TEMPLATE, header_media=Media(link=LINK), header=(TemplateParameter(value="H"),)),
            ContentRefused,
        ),
        (replace(TEMPLATE, buttons=(TemplateButton(index=0, sub_type="carousel", value="x"),)), ContentRefused),
    ],
    ids=["footer without buttons", "no media", "two media", "sticker header", "two headers", "unknown button"],
)
def test_what_whatsapp_has_no_words_for_is_refused(meta: Meta, content: Content, error: type[Rejected]) -> None:
    with pytest.raises(error):
        meta.request(outgoing(TO, content))


def test_what_whatsapp_may_refuse_is_passed_on(meta: Meta) -> None:
    four = tuple(ReplyButton(id=str(number), title="T" * 30) for number in range(4))
    body = body_of(meta, WhatsAppText(body="", buttons=four))
    assert len(body["interactive"]["action"]["buttons"]) == 4
