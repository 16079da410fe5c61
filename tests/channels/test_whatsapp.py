"""WhatsApp parts: approved templates, free-form texts, images."""

from typing import Any

import pytest

from channels import Rendered, TemplateError, check, render, variables
from domain.content import (
    Media,
    ReplyButton,
    TemplateButton,
    TemplateParameter,
    WhatsAppImage,
    WhatsAppTemplate,
    WhatsAppText,
)
from domain.recipients import Channel

LINK = "https://cdn.example/a.jpg"
RUN_STARTED: dict[str, Any] = {
    "kind": "template",
    "name": "run_started",
    "language": "hi",
    "header": {"image": "{{ image_url }}"},
    "body": ["{{ name }}", "{{ due | date: 'long' }}"],
    "buttons": [{"index": 0, "type": "quick_reply", "value": "accept:{{ run }}"}],
    "follow_up": {"image": "{{ design.image }}", "caption": "{{ design.title }}"},
    "skip_if_no_image": True,
}
DATA: dict[str, Any] = {"name": "Asha\n Rao", "due": "2026-01-31", "run": "r1", "image_url": LINK}


def rendered(content: dict[str, Any], data: dict[str, Any] | None = None, **options: Any) -> Rendered:
    return render(Channel.WHATSAPP, content, data or {}, **{"locale": "hi-IN", "zone": "Asia/Kolkata", **options})


def test_an_approved_template_gets_its_values_on_one_line() -> None:
    result = rendered(RUN_STARTED, DATA)
    assert result.content == WhatsAppTemplate(
        name="run_started",
        language="hi",
        header_media=Media(link=LINK),
        body=(TemplateParameter(value="Asha Rao"), TemplateParameter(value="31 जनवरी 2026")),
        buttons=(TemplateButton(index=0, sub_type="quick_reply", value="accept:r1"),),
    )
    assert result.follow_up is None
    assert check(Channel.WHATSAPP, RUN_STARTED) == ()


def test_an_image_follows_where_there_is_one() -> None:
    result = rendered(RUN_STARTED, {**DATA, "design": {"image": "1234567890", "title": "Kurta"}})
    assert result.follow_up == WhatsAppImage(media=Media(media_id="1234567890"), caption="Kurta")
    without = rendered(RUN_STARTED, {**DATA, "design": {"image": ""}})
    assert without.follow_up is None
    assert without.snapshot_hash != result.snapshot_hash


@pytest.mark.parametrize(
    "image",
    [
        pytest.param({}, id="absent"),
        pytest.param({"image_url": None}, id="null"),
        pytest.param({"image_url": " "}, id="blank"),
    ],
)
def test_without_its_image_a_message_is_skipped_where_that_was_asked_for(image: dict[str, Any]) -> None:
    data = {key: value for key, value in DATA.items() if key != "image_url"} | image
    result = rendered(RUN_STARTED, data)
    assert (result.content, result.skipped) == (None, "no_image")
    picture = {"kind": "image", "image": "{{ image_url }}", "skip_if_no_image": True}
    assert rendered(picture, data).skipped == "no_image"
    for content in ({**RUN_STARTED, "skip_if_no_image": False}, {**picture, "skip_if_no_image": False}):
        with pytest.raises(TemplateError, match="image: "):
            rendered(content, data)


def test_other_headers_and_named_values_are_passed_on() -> None:
    document = {"document": "{{ link }}", "filename": "{{ no }}.pdf"}
    content = {"kind": "template", "name": "bill", "header": document, "body": {"amount": "{{ sum | money: 'INR' }}"}}
    result = rendered(content, {"link": LINK, "no": 7, "sum": 5}, language="en-IN").content
    assert result == WhatsAppTemplate(
        name="bill",
        language="en_IN",
        header_media=Media(link=LINK, filename="7.pdf"),
        header_media_kind="document",
        body=(TemplateParameter(name="amount", value="₹5.00"),),
    )
    video = rendered({"kind": "template", "name": "v", "header": {"video": LINK}}).content
    assert isinstance(video, WhatsAppTemplate)
    assert (video.header_media_kind, video.language) == ("video", "hi_IN")
    text = rendered(
        {"kind": "template", "name": "t", "language": "hi", "header": {"text": ["{{ a }}"]}}, {"a": 1}
    ).content
    assert isinstance(text, WhatsAppTemplate)
    assert text.header == (TemplateParameter(value="1"),)


def test_a_free_form_text_has_buttons_header_and_footer() -> None:
    content = {
        "kind": "text",
        "body": "{{ q }}?",
        "header": "{{ h }}",
        "footer": "f",
        "preview_url": True,
        "buttons": [{"id": "yes:{{ id }}", "title": "हाँ"}],
    }
    assert rendered(content, {"q": "Ready", "h": "Run", "id": 5}).content == WhatsAppText(
        body="Ready?", preview_url=True, buttons=(ReplyButton(id="yes:5", title="हाँ"),), header="Run", footer="f"
    )


def test_an_image_has_a_caption_where_one_is_left() -> None:
    content = {"kind": "image", "image": "{{ i }}", "caption": "{{ c }}"}
    assert rendered(content, {"i": LINK, "c": "x"}).content == WhatsAppImage(media=Media(link=LINK), caption="x")
    assert rendered(content, {"i": LINK, "c": " "}).content == WhatsAppImage(media=Media(link=LINK))


A_BUTTON = [{"id": "i", "title": "t"}]
TITLE = [{"id": "i", "title": "{{ a }}"}]
IMAGE = {"kind": "image", "image": "{{ a }}"}
TEXT = {"kind": "text", "body": "{{ a }}"}
REFUSED: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
    "blank": ({"kind": "template", "name": "a", "body": ["{{ a }}"]}, {"a": " "}, r"/body/0: the value is blank"),
    "missing": ({"kind": "template", "name": "a", "body": {"x": "{{ a }}"}}, {}, r"/body/x: .*'a' is missing"),
    "no link": (IMAGE, {"a": "ftp://x/y"}, r"/image: .*neither a link"),
    "no host": (IMAGE, {"a": "https:///x"}, r"/image: .*neither a link"),
    "space": (IMAGE, {"a": "https://a b"}, r"/image: .*neither a link"),
    "long text": (TEXT, {"a": "x" * 4097}, r"/body: the text has 4,097"),
    "long text with buttons": ({**TEXT, "buttons": A_BUTTON}, {"a": "x" * 1025}, r"/body: the text has 1,025"),
    "long button": ({**TEXT, "buttons": TITLE}, {"a": "x" * 21}, r"/buttons/0/title: the text has 21"),
    "blank text": (TEXT, {"a": ""}, r"/body: the text is blank"),
}


@pytest.mark.parametrize(("content", "data", "message"), REFUSED.values(), ids=list(REFUSED))
def test_what_whatsapp_cannot_carry_is_refused(content: dict[str, Any], data: dict[str, Any], message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        rendered(content, data)


def test_a_default_part_has_to_name_its_language() -> None:
    content = {"kind": "template", "name": "a"}
    with pytest.raises(TemplateError, match="/language: "):
        rendered(content, language="default")


FOUR_BUTTONS = [{"id": "i", "title": "t"}] * 4
TWICE = [{"index": 0, "type": "url", "value": "x"}, {"index": 0, "type": "url", "value": "x"}]
LONG_TITLE = [{"id": "a", "title": "x" * 21}]
WRONG: dict[str, tuple[Any, list[str]]] = {
    "no object": ("x", [""]),
    "unknown kind": ({"kind": "video"}, ["/kind"]),
    "template name": ({"kind": "template", "name": "Bad Name"}, ["/name"]),
    "language": ({"kind": "template", "name": "a", "language": "hi-IN"}, ["/language"]),
    "two headers": ({"kind": "template", "name": "a", "header": {"image": "x", "text": ["y"]}}, ["/header"]),
    "file name": ({"kind": "template", "name": "a", "header": {"image": "x", "filename": "y"}}, ["/header/filename"]),
    "no header image": ({"kind": "template", "name": "a", "skip_if_no_image": True}, ["/skip_if_no_image"]),
    "body": ({"kind": "template", "name": "a", "body": "x"}, ["/body"]),
    "body value": ({"kind": "template", "name": "a", "body": ["x", 5]}, ["/body/1"]),
    "name of a value": ({"kind": "template", "name": "a", "body": {"A b": "x"}}, ["/body"]),
    "same button": ({"kind": "template", "name": "a", "buttons": TWICE}, ["/buttons/1/index"]),
    "button": ({"kind": "template", "name": "a", "buttons": [5]}, ["/buttons/0"]),
    "follow-up": ({"kind": "template", "name": "a", "follow_up": {"x": 1}}, ["/follow_up/image", "/follow_up/x"]),
    "four buttons": ({"kind": "text", "body": "x", "buttons": FOUR_BUTTONS}, ["/buttons"]),
    "header alone": ({"kind": "text", "body": "x", "header": "h"}, ["/header"]),
    "long title": ({"kind": "text", "body": "x", "buttons": LONG_TITLE}, ["/buttons/0/title"]),
    "flag": ({"kind": "text", "body": "x", "preview_url": 1}, ["/preview_url"]),
    "no image": ({"kind": "image"}, ["/image"]),
    "liquid": ({"kind": "image", "image": "{{ a | b }}", "caption": "{{"}, ["/image", "/caption"]),
}


@pytest.mark.parametrize(("content", "pointers"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_part_says_which_field_is_wrong(content: Any, pointers: list[str]) -> None:
    assert [fault.pointer for fault in check(Channel.WHATSAPP, content)] == pointers
    with pytest.raises(TemplateError):
        rendered(content)


def test_images_that_may_be_missing_are_optional_variables() -> None:
    uses = variables(Channel.WHATSAPP, RUN_STARTED)
    assert uses.required == ("due", "name", "run")
    assert uses.optional == ("design.image", "design.title", "image_url")
