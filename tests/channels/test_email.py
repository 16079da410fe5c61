"""Mails: markup, headers, derived text, golden examples in English and Hindi."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels import TemplateError, check, render, variables
from channels.email import CLIPPED_HTML
from domain.content import EmailContent
from domain.recipients import Channel

GOLDEN = Path(__file__).parent / "golden"
PRINTABLE = st.characters(exclude_categories=["Cc", "Cs"])
FINGERPRINT = "5cf5a9cf393f20178ad7f752a782572f3cbc6583fc551ba91054c0abae15fa05"
MJML = "<mjml><mj-body><mj-section><mj-column><mj-text>{{ text }}</mj-text></mj-column></mj-section></mj-body></mjml>"


def mail(content: dict[str, Any], data: dict[str, Any] | None = None, locale: str = "en-IN") -> EmailContent:
    result = render(Channel.EMAIL, content, data or {}, locale=locale, zone="Asia/Kolkata")
    assert isinstance(result.content, EmailContent)
    return result.content


REMINDERS: dict[str, dict[str, str]] = {
    "en-IN": {"name": "Asha <Rao>", "greeting": "Good morning", "pay": "Pay now"},
    "hi-IN": {"name": "आशा", "greeting": "नमस्ते", "pay": "अभी भुगतान करें"},
}


@pytest.mark.parametrize("locale", sorted(REMINDERS))
def test_a_reminder_looks_as_it_did_when_it_was_approved(locale: str) -> None:
    content = {
        "subject": "{{ greeting }}: {{ items | size }}",
        "mjml": (GOLDEN / "reminder.mjml").read_text(encoding="utf-8"),
        "preheader": "{{ pay }}",
    }
    items = [{"name": "कुर्ता & दुपट्टा", "price": "1299.5"}, {"name": "Shawl", "price": 125000}]
    data = {**REMINDERS[locale], "due": "2026-01-31T03:30:00Z", "items": items, "id": "a/b"}
    sent = mail(content, data, locale)
    assert sent.html == (GOLDEN / f"reminder.{locale}.html").read_text(encoding="utf-8").removesuffix("\n")
    assert sent.text == (GOLDEN / f"reminder.{locale}.txt").read_text(encoding="utf-8").removesuffix("\n")
    assert check(Channel.EMAIL, content) == ()


def test_the_fingerprint_is_the_same_everywhere_and_changes_with_the_content() -> None:
    content = {"subject": "Hi {{ name }}", "text": "नमस्ते"}
    first = render(Channel.EMAIL, content, {"name": "A"}, locale="en", zone="UTC")
    other = render(Channel.EMAIL, content, {"name": "B"}, locale="en", zone="UTC")
    assert first.snapshot_hash == FINGERPRINT
    assert other.snapshot_hash != first.snapshot_hash


@pytest.mark.parametrize(
    ("content", "pointers"),
    [
        pytest.param({}, ["/subject", ""], id="empty"),
        pytest.param([], [""], id="no object"),
        pytest.param({"subject": "a\nb", "text": "x"}, ["/subject"], id="subject of two lines"),
        pytest.param({"subject": "a", "mjml": MJML, "html": "x"}, ["/html"], id="both kinds of markup"),
        pytest.param({"subject": "a", "text": "x", "body": "y"}, ["/body"], id="unknown field"),
        pytest.param({"subject": 5, "text": ["x"]}, ["/subject", "/text", ""], id="wrong types"),
        pytest.param({"subject": "a", "text": "x\x00"}, ["/text", ""], id="control character"),
        pytest.param({"subject": "a", "text": "x\ud800"}, ["/text", ""], id="half a character"),
        pytest.param({"subject": "{{ a", "text": "{% if %}"}, ["/subject", "/text"], id="liquid in two fields"),
        pytest.param({"subject": "a" * 251, "text": "x"}, ["/subject"], id="long subject"),
        pytest.param({"subject": "a", "text": "x", "preheader": "p"}, ["/preheader"], id="preheader without html"),
        pytest.param({"subject": "a", "text": "x", "headers": {"Bcc": "x"}}, ["/headers"], id="header of ours"),
        pytest.param(
            {"subject": "a", "text": "x", "headers": {"Content-Type": "x"}}, ["/headers"], id="content header"
        ),
        pytest.param({"subject": "a", "text": "x", "headers": {"a b": "x"}}, ["/headers"], id="header name"),
        pytest.param({"subject": "a", "text": "x", "headers": {"X-A": 5}}, ["/headers/X-A"], id="header value"),
        pytest.param({"subject": "a", "text": "x", "headers": []}, ["/headers"], id="headers as a list"),
        pytest.param({"subject": "a", "html": "<p>x<script>y</script>"}, ["/html"], id="script"),
        pytest.param({"subject": "a", "mjml": MJML.replace("mj-text", "mj-txt")}, ["/mjml"], id="unknown mjml element"),
        pytest.param({"subject": "a", "mjml": MJML.replace("</mj-column>", "")}, ["/mjml"], id="unclosed mjml element"),
        pytest.param({"subject": "a", "mjml": "<mjml><mj-include path='x'/></mjml>"}, ["/mjml"], id="mjml include"),
        pytest.param({"subject": "a", "mjml": "<p>x</p>"}, ["/mjml"], id="html instead of mjml"),
    ],
)
def test_a_wrong_mail_says_which_field_is_wrong(content: Any, pointers: list[str]) -> None:
    assert [fault.pointer for fault in check(Channel.EMAIL, content)] == pointers
    with pytest.raises(TemplateError):
        render(Channel.EMAIL, content, {}, locale="en", zone="UTC")


def test_an_unknown_element_is_told_with_its_line() -> None:
    faults = check(Channel.EMAIL, {"subject": "a", "mjml": "<mjml>\n<mj-body>\n <mj-foo/></mj-body></mjml>"})
    assert [fault.message for fault in faults] == ["line 3, column 2: there is no element <mj-foo>"]


def test_markup_that_depends_on_liquid_is_judged_when_it_is_rendered() -> None:
    bad = MJML.replace("<mj-text>", "<mj-text {% if a %}align='left'{% endif %}>").replace("</mj-column>", "")
    assert check(Channel.EMAIL, {"subject": "a", "mjml": bad}) == ()
    with pytest.raises(TemplateError, match=r"/mjml: .*not well formed"):
        mail({"subject": "a", "mjml": bad}, {"text": "x"})


@pytest.mark.parametrize(
    ("content", "data", "message"),
    [
        pytest.param(
            {"subject": "{{ a }}", "text": "x"}, {"a": " "}, "/subject: the text is blank", id="blank subject"
        ),
        pytest.param(
            {"subject": "{{ a }}", "text": "x"}, {"a": "x" * 300}, "/subject: the text has 300", id="long subject"
        ),
        pytest.param({"subject": "a", "text": "{{ a }}"}, {"a": ""}, "/text: the mail has no visible", id="no text"),
        pytest.param({"subject": "a", "html": "<p></p>"}, {}, "/html: the mail has no visible", id="no words in html"),
        pytest.param(
            {"subject": "a", "html": "<a href='{{ a }}'>x</a>"},
            {"a": "JavaScript:x"},
            "/html: a link",
            id="script link",
        ),
        pytest.param(
            {"subject": "a", "html": "<p>{{ b }}"}, {}, "/html: line 1, column 7: 'b' is missing", id="missing"
        ),
        pytest.param(
            {"subject": "a", "html": "<p>" + "{{ a }}" * 20}, {"a": "x" * 40_000}, "larger than 512", id="huge html"
        ),
    ],
)
def test_a_mail_that_cannot_be_sent_is_refused(content: dict[str, Any], data: dict[str, Any], message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        mail(content, data)


def _around(pieces: str) -> str:
    return MJML.replace("<mj-text>{{ text }}</mj-text>", pieces)


CROWDS = {
    "nested elements": ({"html": "<div>" * 20_000 + "x"}, "at most 6,000 elements"),
    "nested tables": ({"html": "<table><tr><td>" * 10_000 + "x"}, "at most 6,000 elements"),
    "open formatting": ({"html": "".join(f"<p><b id={index}></p>" for index in range(2_000))}, "at most 1,000 links"),
    "nested components": ({"mjml": _around("<mj-section><mj-column>" * 2_000)}, "at most 1,000 components"),
    "elements inside mjml": ({"mjml": _around("<mj-text>" + "<i>" * 20_000)}, "at most 6,000 elements"),
    "selectors": ({"html": f"<style>{'p,' * 50_000}p {{color: red}}</style>" + "<p>x</p>" * 1_000}, "selectors"),
    "elements from a loop": (
        {"html": "{% for i in (1..9000) %}<div>{% endfor %}x"},
        "at most 6,000 elements",
    ),
}


@pytest.mark.parametrize(("markup", "message"), CROWDS.values(), ids=list(CROWDS))
def test_markup_made_to_exhaust_the_parsers_never_reaches_them(markup: dict[str, str], message: str) -> None:
    content = {"subject": "a", **markup}
    check(Channel.EMAIL, content)
    with pytest.raises(TemplateError, match=message):
        mail(content)


def test_comments_that_never_end_hide_the_rest_and_take_no_time() -> None:
    assert mail({"subject": "a", "html": "<p>x</p><!--" * 5_000}).text == "x"


def test_line_ends_in_data_never_start_another_header() -> None:
    content = {"subject": "{{ a }}", "text": "x", "headers": {"List-Unsubscribe": "<{{ a }}>"}}
    sent = mail(content, {"a": "one\r\nBcc: two"})
    assert sent.subject == "one Bcc: two"
    assert sent.headers == (("List-Unsubscribe", "<one Bcc: two>"),)


def test_data_is_escaped_in_markup_and_plain_in_subject_and_text() -> None:
    content = {"subject": "{{ text }}", "mjml": MJML}
    sent = mail(content, {"text": '<b>5 > 4 & "x"</b>'})
    assert sent.subject == sent.text == '<b>5 > 4 & "x"</b>'
    assert sent.html is not None
    assert '&lt;b&gt;5 &gt; 4 &amp; "x"&lt;/b&gt;' in sent.html


def test_styles_move_to_the_elements_and_media_queries_stay() -> None:
    style = "<style>p { color: red } @media (max-width: 9px) { p { color: blue } }</style>"
    sent = mail({"subject": "a", "html": f"<html><head>{style}</head><body><p>x</p></body></html>"})
    assert sent.html is not None
    assert '<p style="color: red">x</p>' in sent.html.replace("red;", "red")
    assert "@media (max-width: 9px)" in sent.html


def test_nothing_in_a_mail_points_to_a_font_server() -> None:
    sent = mail({"subject": "a", "mjml": MJML.replace("<mj-text>", "<mj-text font-family='Roboto'>")}, {"text": "x"})
    assert sent.html is not None
    assert "fonts.googleapis" not in sent.html


def test_the_preheader_is_hidden_and_not_part_of_the_text() -> None:
    sent = mail({"subject": "a", "html": "<p>seen</p>", "preheader": "{{ a }}"}, {"a": "<first>"})
    assert sent.html is not None
    assert "&lt;first&gt;</div><p>seen</p>" in sent.html
    assert sent.text == "seen"


def test_a_text_of_the_author_wins_over_the_derived_one() -> None:
    assert mail({"subject": "a", "html": "<p>x</p>", "text": "mine"}).text == "mine"
    assert mail({"subject": "a", "text": "only"}).html is None


def test_a_mail_that_will_be_clipped_is_sent_with_a_warning() -> None:
    content = {"subject": "a", "html": "<p>" + "x" * CLIPPED_HTML + "</p>"}
    result = render(Channel.EMAIL, content, {}, locale="en", zone="UTC")
    assert result.warnings == ("html_clipped",)


def test_variables_of_all_fields_are_united() -> None:
    content = {
        "subject": "{{ a }}",
        "html": "{{ b }}{% if c %}{% endif %}",
        "text": "{{ a | default: 1 }}",
        "headers": {"X-A": "{{ d }}"},
    }
    uses = variables(Channel.EMAIL, content)
    assert (uses.required, uses.optional) == (("a", "b", "d"), ("c",))
    with pytest.raises(TemplateError, match="/html: "):
        variables(Channel.EMAIL, {"subject": "a", "html": "{{"})


@settings(max_examples=60)
@given(
    st.text(PRINTABLE, max_size=40), st.sampled_from([MJML, "<p>{{ text }}</p>", "<a href='{{ text }}'>{{ text }}</a>"])
)
def test_any_text_in_any_markup_gives_a_mail_or_the_one_error(text: str, markup: str) -> None:
    name = "mjml" if markup == MJML else "html"
    try:
        sent = mail({"subject": "a", name: markup}, {"text": text})
    except TemplateError as error:
        assert error.faults  # noqa: PT017 - both ways are fine, only the kind of error matters
    else:
        assert {word for word in text.split() if word.isalnum()} <= set(re.split(r"[\s(]+", sent.text))


@settings(max_examples=60)
@given(
    st.lists(
        st.sampled_from(
            [
                "<mj-text>",
                "</mj-text>",
                "<p>",
                "</p>",
                "<",
                ">",
                "&",
                "&amp;",
                "<!--",
                "-->",
                "<br>",
                "a='",
                '"',
                "<mj-raw>",
                "]]>",
            ]
        )
    )
)
def test_any_markup_gives_a_mail_or_the_one_error(pieces: list[str]) -> None:
    for content in ({"subject": "a", "html": "x".join(pieces)}, {"subject": "a", "mjml": _around("x".join(pieces))}):
        check(Channel.EMAIL, content)
        try:
            mail(content)
        except TemplateError as error:
            assert error.faults  # noqa: PT017 - both ways are fine, only the kind of error matters
