"""E-mail: what a mail looks like to the parser of the standard library."""

import email
import email.policy
import re
from dataclasses import replace
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.content import Attachment, EmailContent
from domain.errors import (
    ContentRefused,
    InvalidAddress,
    MediaRefused,
)
from domain.recipients import Address, AddressKind
from providers import verp
from providers.base import MailRequest
from providers.smtp import Smtp

from .cases import LONG, REFERENCE, RETURN_PATH, SMTP_CONFIG, UNICODE, outgoing

TO = Address(AddressKind.EMAIL, "asha@example.org")
CONTENT = EmailContent(subject="Your order", text="It is ready.\n", html="<p>It is ready.</p>\n")
SMTP = replace(Smtp.configure(SMTP_CONFIG), clock=lambda: datetime(2025, 11, 21, 9, tzinfo=UTC))
ONE_CLICK = (
    ("List-Unsubscribe", f"<https://example.org/u/{'t' * 180}>, <mailto:u@example.org>"),
    ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
)


def request_of(content: EmailContent = CONTENT, to: Address = TO, **changes: Any) -> MailRequest:
    return SMTP.request(outgoing(to, content, **changes))


def parsed(request: MailRequest) -> EmailMessage:
    message = email.message_from_bytes(request.body, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def text_of(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    text: str = part.get_content()
    return text.replace("\r\n", "\n")


def name_in(request: MailRequest) -> str:
    """Returns the display name of From; the newer parser of the standard library puts spaces between encoded words."""
    shown, _ = parseaddr(str(email.message_from_bytes(request.body)["From"]))
    return str(make_header(decode_header(shown)))


def lines_of(request: MailRequest) -> list[bytes]:
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", request.body)
    return request.body.split(b"\r\n")


def test_a_mail_says_who_it_is_from_and_which_attempt_it_is() -> None:
    request = request_of()
    message = parsed(request)
    assert {name: str(message[name]) for name in ("From", "To", "Subject", "Date", "Message-ID")} == {
        "From": "Example <hello@example.org>",
        "To": "asha@example.org",
        "Subject": "Your order",
        "Date": "Fri, 21 Nov 2025 09:00:00 +0000",
        "Message-ID": "<0192f0c1-7b6a-7c3e-9d51-2f4be01c77aa.carillon@example.org>",
    }
    assert message["X-Carillon-Reference"] == REFERENCE
    assert request.message_id == message["Message-ID"]
    assert (request.envelope_from, request.envelope_to) == (RETURN_PATH, "asha@example.org")
    assert len(request.envelope_from.partition("@")[0]) <= 64


def test_every_attempt_has_the_same_message_id_and_another_return_path() -> None:
    first, second = request_of(), request_of(reference="f" * 32)
    assert first.message_id == second.message_id
    assert first.envelope_from != second.envelope_from


def test_without_a_domain_for_bounces_they_go_to_the_sender() -> None:
    config = {name: item for name, item in SMTP_CONFIG.items() if name not in {"return_path_domain", "verp_key"}}
    assert Smtp.configure(config).request(outgoing(TO, CONTENT)).envelope_from == "hello@example.org"


@pytest.mark.parametrize("text", ["Plain", UNICODE, LONG, "x" * 5000, "é" * 3000, ".\n..\nFrom here"])
def test_text_and_html_arrive_as_they_were(text: str) -> None:
    request = request_of(EmailContent(subject="S", text=f"{text}\n", html=f"<p>{text}</p>\n"))
    message = parsed(request)
    assert message.get_content_type() == "multipart/alternative"
    assert text_of(message, "plain") == f"{text}\n"
    assert text_of(message, "html") == f"<p>{text}</p>\n"
    assert request.body.isascii()
    assert max(map(len, lines_of(request))) <= 998


@pytest.mark.parametrize("text", ["Plain", UNICODE, "ü" * 200, "wörd " * 40, "=?utf-8?q?shown?=", "long " * 39])
def test_subject_and_name_arrive_as_they_were_in_short_lines(text: str) -> None:
    wanted = text.strip()
    named = replace(SMTP, from_name=wanted)
    request = named.request(outgoing(TO, EmailContent(subject=wanted, text="x")))
    message = parsed(request)
    assert message["Subject"] == wanted
    assert name_in(request) == wanted
    assert message["From"].addresses[0].addr_spec == "hello@example.org"
    assert max(map(len, lines_of(request))) <= 78 or wanted.startswith("long")


def test_a_name_with_special_characters_is_quoted() -> None:
    message = parsed(replace(SMTP, from_name='Example, "the" shop').request(outgoing(TO, CONTENT)))
    assert message["From"].addresses[0].display_name == 'Example, "the" shop'


def test_links_to_unsubscribe_stay_whole() -> None:
    request = request_of(replace(CONTENT, headers=ONE_CLICK))
    message = parsed(request)
    assert [str(message[name]).replace("\r\n", "") for name, _ in ONE_CLICK] == [text for _, text in ONE_CLICK]
    assert f"<https://example.org/u/{'t' * 180}>,".encode() in request.body


def test_attachments_arrive_as_they_were() -> None:
    body = bytes(range(256)) * 300
    files = (
        Attachment(filename="Rechnung für März.pdf", content_type="application/pdf", body=body),
        Attachment(filename="a.csv", content_type='text/csv; charset="utf-8"', body="ü,1\n".encode()),
    )
    message = parsed(request_of(replace(CONTENT, attachments=files)))
    found = list(message.iter_attachments())
    assert [part.get_filename() for part in found] == [item.filename for item in files]
    assert [part.get_content_type() for part in found] == ["application/pdf", "text/csv"]
    assert [part.get_payload(decode=True) for part in found] == [item.body for item in files]
    assert text_of(message, "plain") == CONTENT.text


@pytest.mark.parametrize(
    "headers",
    [
        (("X-Note", "a\r\nBcc: evil@example.org"),),
        (("X-Note", "a\nb"),),
        (("X-Note", "a\x00b"),),
        (("X-Note: a\r\nBcc", "evil@example.org"),),
        (("X Note", "a"),),
        (("", "a"),),
        (("X-Nöte", "a"),),
        (("Bcc", "evil@example.org"),),
        (("message-id", "<other@example.org>"),),
        (("Content-Type", "text/html"),),
        (("Resent-To", "evil@example.org"),),
        (("X-Carillon-Reference", "0"),),
        (("Reply-To", "a@example.org"), ("reply-to", "b@example.org")),
        (("X-Note", "a" * 1200),),
    ],
)
def test_headers_that_would_change_the_mail_are_refused(headers: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(ContentRefused):
        request_of(replace(CONTENT, headers=headers))


@pytest.mark.parametrize("subject", ["a\r\nBcc: evil@example.org", "a\nb", "a\x00b", "half \ud83d"])
def test_a_subject_cannot_start_another_header(subject: str) -> None:
    with pytest.raises(ContentRefused):
        request_of(replace(CONTENT, subject=subject))


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_subject_and_no_text_break_out_of_a_mail(subject: str, text: str) -> None:
    try:
        request = request_of(EmailContent(subject=subject, text=text))
    except ContentRefused:
        return
    names = [
        line.partition(b":")[0] for line in request.body.partition(b"\r\n\r\n")[0].split(b"\r\n") if line[:1] != b" "
    ]
    assert len(names) == len(set(names)) == 9
    lines_of(request)


@pytest.mark.parametrize(
    ("filename", "content_type"),
    [
        ("a\r\nX: b", "text/plain"),
        ("a.txt", "text/plain\r\nX: b"),
        ("a.txt", "text"),
        ("a.txt", ""),
        ("a.eml", "message/rfc822"),
        ("a.mime", "multipart/mixed"),
    ],
)
def test_an_attachment_that_no_mail_can_carry_is_refused(filename: str, content_type: str) -> None:
    attachment = Attachment(filename=filename, content_type=content_type, body=b"x")
    with pytest.raises(MediaRefused):
        request_of(replace(CONTENT, attachments=(attachment,)))


@pytest.mark.parametrize(
    "address",
    [
        *("asha", "@example.org", "asha@", "a b@example.org", "a@example.org>", "a\r\n@example.org", "a@exa mple.org"),
        *("a@b@c", "x" * 65 + "@example.org", "a,b@example.org", "half\ud83d@example.org", f"a@{'ü' * 80}.example"),
    ],
)
def test_what_cannot_stand_in_an_envelope_is_refused(address: str) -> None:
    with pytest.raises(InvalidAddress):
        request_of(to=Address(AddressKind.EMAIL, address))


def test_domains_become_ascii_and_local_parts_stay() -> None:
    request = request_of(to=Address(AddressKind.EMAIL, "ashä@bücher.example"))
    assert request.envelope_to == "ashä@xn--bcher-kva.example"
    assert "To: ashä@xn--bcher-kva.example\r\n".encode() in request.body


@given(st.from_regex(r"[0-9a-f]{32}", fullmatch=True), st.integers(0, 40), st.sampled_from("0a7f"))
def test_a_changed_return_path_is_not_ours(reference: str, place: int, other: str) -> None:
    path = verp.return_path(reference, domain="b.example", key="k" * 16)
    assert verp.reference_in([f"<{path.upper()}>"], domain="b.example", key="k" * 16) == reference
    place += len("bounces+")
    changed = path[:place] + other + path[place + 1 :]
    if changed != path:
        assert verp.reference_in([changed], domain="b.example", key="k" * 16) is None
    assert verp.reference_in([path], domain="c.example", key="k" * 16) is None
    assert verp.reference_in([path], domain="b.example", key="other" * 4) is None
