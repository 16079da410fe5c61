"""Text messages: segments and rendering."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import TemplateError, check, render
from channels.gsm7 import measure
from domain.content import SmsContent
from domain.recipients import Channel

# The default alphabet, row by row as TS 23.038 prints it (0x1B is the escape), and its extension table.
ALPHABET = {
    code: chr(point)
    for code, point in enumerate(
        [
            *(0x40, 0xA3, 0x24, 0xA5, 0xE8, 0xE9, 0xF9, 0xEC, 0xF2, 0xC7, 0x0A, 0xD8, 0xF8, 0x0D, 0xC5, 0xE5),
            *(0x394, 0x5F, 0x3A6, 0x393, 0x39B, 0x3A9, 0x3A0, 0x3A8, 0x3A3, 0x398, 0x39E, 0x1B, 0xC6, 0xE6, 0xDF, 0xC9),
            *(0x20, 0x21, 0x22, 0x23, 0xA4, *range(0x25, 0x40), 0xA1, *range(0x41, 0x5B)),
            *(0xC4, 0xD6, 0xD1, 0xDC, 0xA7, 0xBF, *range(0x61, 0x7B), 0xE4, 0xF6, 0xF1, 0xFC, 0xE0),
        ]
    )
}
BASIC = {character for code, character in ALPHABET.items() if code != 0x1B}
EXTENSION = {
    0x0A: "\f",
    0x14: "^",
    0x28: "{",
    0x29: "}",
    0x2F: "\\",
    0x3C: "[",
    0x3D: "~",
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}


def expected(text: str) -> tuple[str, int]:
    """Counts by writing septets (or UTF-16) out and cutting them into segments."""
    if all(character in BASIC or character in EXTENSION.values() for character in text):
        encoding, pieces = "gsm7", [[0x1B, 0] if character in EXTENSION.values() else [0] for character in text]
        alone, each = 160, 153
    else:
        encoding, pieces = "ucs2", [[0] * (len(character.encode("utf-16-be")) // 2) for character in text]
        alone, each = 70, 67
    if sum(map(len, pieces)) <= alone:
        return encoding, 1
    segments: list[list[int]] = [[]]
    for piece in pieces:
        if len(segments[-1]) + len(piece) > each:
            segments.append([])
        segments[-1] += piece
    return encoding, len(segments)


def test_the_alphabet_is_complete() -> None:
    assert len(ALPHABET) == 128
    assert all(measure(character).encoding == "gsm7" for character in BASIC | set(EXTENSION.values()))
    assert measure("`").encoding == measure("ç").encoding == measure("\x1b").encoding == "ucs2"


@pytest.mark.parametrize(
    ("text", "encoding", "units", "segments"),
    [
        pytest.param("", "gsm7", 0, 1, id="empty"),
        pytest.param("a" * 160, "gsm7", 160, 1, id="one full"),
        pytest.param("a" * 161, "gsm7", 161, 2, id="two"),
        pytest.param("a" * 306, "gsm7", 306, 2, id="two full"),
        pytest.param("a" * 307, "gsm7", 307, 3, id="three"),
        pytest.param("€" * 80, "gsm7", 160, 1, id="extended one full"),
        pytest.param("a" * 152 + "€" + "a" * 152, "gsm7", 306, 3, id="an escape pair does not straddle"),
        pytest.param("न" * 70, "ucs2", 70, 1, id="hindi one full"),
        pytest.param("न" * 71, "ucs2", 71, 2, id="hindi two"),
        pytest.param("😀" * 35, "ucs2", 70, 1, id="emoji one full"),
        pytest.param("a" * 66 + "😀" + "a" * 66, "ucs2", 134, 3, id="a surrogate pair does not straddle"),
    ],
)
def test_segments_are_counted(text: str, encoding: str, units: int, segments: int) -> None:
    measured = measure(text)
    assert (measured.encoding, measured.units, measured.segments) == (encoding, units, segments)


ANY_TEXT = st.text(st.sampled_from(sorted(BASIC | set(EXTENSION.values()))), max_size=500) | st.text(max_size=200)


@given(ANY_TEXT)
def test_segments_agree_with_writing_the_septets_out(text: str) -> None:
    measured = measure(text)
    assert (measured.encoding, measured.segments) == expected(text)
    assert measured.left >= 0


def test_a_text_message_is_rendered_with_plain_spaces() -> None:
    content = {"body": " {{ total | money: 'EUR' }}\r\n{{ name }} "}
    result = render(Channel.SMS, content, {"total": 1234, "name": "Asha"}, locale="fr", zone="Europe/Paris")
    assert result.content == SmsContent(body="1 234,00 €\nAsha")
    assert isinstance(result.content, SmsContent)
    assert measure(result.content.body).encoding == "gsm7"
    assert result.warnings == ()


@pytest.mark.parametrize(
    ("body", "data", "message"),
    [
        pytest.param("{{ a }}", {"a": "  "}, "/body: the text is blank", id="blank"),
        pytest.param("{{ a }}", {"a": "x" * 1601}, "/body: the text has 1,601", id="long"),
        pytest.param("{{ a }}", {}, "/body: line 1, column 4: 'a' is missing", id="missing"),
    ],
)
def test_a_text_message_that_cannot_be_sent_is_refused(body: str, data: dict[str, str], message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        render(Channel.SMS, {"body": body}, data, locale="en", zone="UTC")


def test_a_costly_text_message_is_sent_with_a_warning() -> None:
    result = render(Channel.SMS, {"body": "न" * 300}, {}, locale="hi", zone="UTC")
    assert result.warnings == ("sms_many_segments",)


def test_a_wrong_text_message_says_what_is_wrong() -> None:
    assert [fault.pointer for fault in check(Channel.SMS, {"text": "x"})] == ["/body", "/text"]
    assert [fault.pointer for fault in check(Channel.SMS, {"body": "x" * 1601})] == ["/body"]
    assert [fault.message for fault in check(Channel.IN_APP, {})] == ["templates have no parts for the channel in_app"]
