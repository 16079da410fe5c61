"""Mails that come back: delivery reports of several makers, complaints, answers, and broken ones."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.content import EmailContent
from domain.errors import CallbackRefused
from domain.recipients import Address, AddressKind
from domain.status import Status
from providers.base import Callback, Complaint, Event, Receipt, Unknown
from providers.smtp import Smtp
from sandbox.bounces import delivery_report

from .cases import REFERENCE, RETURN_PATH, SMTP_CONFIG, outgoing, report

SMTP = Smtp.configure(SMTP_CONFIG)
RECIPIENT = "Final-Recipient: rfc822; asha@example.org"


def events(body: bytes, **query: str) -> tuple[Event, ...]:
    return SMTP.events(Callback(body=body, headers={}, query=query))


def only(body: bytes, **query: str) -> Any:
    (event,) = events(body, **query)
    return event


@pytest.mark.parametrize(
    ("action", "status", "meant", "error_code"),
    [
        ("failed", "5.1.1", Status.BOUNCED, "invalid_address"),
        ("Failed", "5.2.2 (mailbox full)", Status.BOUNCED, "rejected"),
        ("failed", "5.7.1", Status.BOUNCED, "rejected"),
        ("failed", "4.4.7", Status.BOUNCED, "unavailable"),
        ("delayed", "4.4.1", Status.ACCEPTED, None),
        ("delivered", "2.0.0", Status.DELIVERED, None),
        ("relayed", "2.0.0", Status.SENT, None),
        ("expanded", "2.0.0", Status.SENT, None),
    ],
)
def test_a_report_tells_the_fate_of_an_attempt(action: str, status: str, meant: Status, error_code: str | None) -> None:
    receipt = only(report(RECIPIENT, f"Action: {action}", f"Status: {status}"))
    assert isinstance(receipt, Receipt)
    assert (receipt.status, receipt.error_code) == (meant, error_code)
    assert (receipt.raw_status, receipt.provider_code) == (action.lower(), status[:5])
    assert (receipt.reference, receipt.provider_message_id) == (REFERENCE, "<own@example.org>")
    assert receipt.sender == "hello@example.org"
    assert receipt.occurred_at == datetime(2025, 11, 21, 9, 0, 5, tzinfo=UTC)


def test_words_of_the_server_come_without_the_address() -> None:
    said = "Diagnostic-Code: smtp; 550 5.1.1 <asha@example.org>: user unknown"
    when = "Last-Attempt-Date: Fri, 21 Nov 2025 10:00:00 +0100"
    receipt = only(report(RECIPIENT, "Action: failed", "Status: 5.1.1", said, when))
    assert receipt.detail == "550 5.1.1 <…>: user unknown"
    assert receipt.occurred_at == datetime(2025, 11, 21, 9, tzinfo=UTC)


def test_each_recipient_of_a_report_is_an_event_of_its_own() -> None:
    other = "Final-Recipient: rfc822; ravi@example.org"
    found = events(report(RECIPIENT, "Action: failed", "Status: 5.1.1", "", other, "Action: delayed", "Status: 4.4.1"))
    assert [event.status for event in found if isinstance(event, Receipt)] == [Status.BOUNCED, Status.ACCEPTED]
    assert len({event.event_key for event in found}) == 2
    assert not any("@example.org" in event.event_key for event in found)


def test_the_signed_return_path_outweighs_the_returned_header() -> None:
    headers = f"Message-ID: <own@example.org>\r\nX-Carillon-Reference: {'f' * 32}"
    assert only(report(headers=headers)).reference == REFERENCE
    assert only(report(headers=headers, to="postmaster@example.org")).reference == "f" * 32


def test_the_envelope_may_name_the_return_path() -> None:
    body = report(to="postmaster@example.org")
    with pytest.raises(CallbackRefused):
        SMTP.authenticate(Callback(body=body, headers={}))
    SMTP.authenticate(Callback(body=body, headers={}, query={"recipient": RETURN_PATH}))
    assert only(body, recipient=RETURN_PATH).reference == REFERENCE


@pytest.mark.parametrize("status", ["5.1.1", "4.4.1"])
def test_a_report_of_another_maker_about_our_mail_is_read(status: str) -> None:
    to = Address(AddressKind.EMAIL, "asha@example.org")
    request = SMTP.request(outgoing(to, EmailContent(subject="Grüße", text="Hello")))
    body = delivery_report(request.body, request.envelope_from, request.envelope_to, status).as_bytes()
    SMTP.authenticate(Callback(body=body, headers={}))
    receipt = only(body)
    assert (receipt.reference, receipt.provider_message_id) == (REFERENCE, request.message_id)
    assert (receipt.status is Status.BOUNCED, receipt.provider_code) == (status == "5.1.1", status)
    assert only(body, recipient="elsewhere@example.org").event_key == receipt.event_key


def test_a_whole_returned_mail_serves_as_well_as_its_headers() -> None:
    returned = f"Message-ID: <own@example.org>\r\nX-Carillon-Reference: {REFERENCE}\r\n\r\nHello"
    body = report(headers=returned, to="postmaster@example.org").replace(b"text/rfc822-headers", b"message/rfc822")
    receipt = only(body)
    assert (receipt.reference, receipt.provider_message_id) == (REFERENCE, "<own@example.org>")


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ((RECIPIENT, "Action: vanished", "Status: 5.0.0"), "Message-ID: <own@example.org>"),
        ((RECIPIENT, "Status: 5.0.0"), "Message-ID: <own@example.org>"),
    ],
    ids=["unknown action", "no action"],
)
def test_a_report_that_says_nothing_usable_is_kept(fields: tuple[str, ...], headers: str) -> None:
    event = only(report(*fields, headers=headers))
    assert isinstance(event, Unknown)
    assert (event.kind, event.raw["reference"]) == ("report", REFERENCE)


def test_a_report_about_nothing_of_ours_is_kept() -> None:
    event = only(report(to="postmaster@example.org", headers="Subject: Other"))
    assert isinstance(event, Unknown)


def test_a_complaint_is_told_and_its_contrary_is_kept() -> None:
    body = "\r\n".join(
        [
            f"To: {RETURN_PATH}",
            "Content-Type: multipart/report; report-type=feedback-report; boundary=b1",
            *("", "--b1", "Content-Type: text/plain", "", "Somebody complained."),
            *("--b1", "Content-Type: message/feedback-report", "", "Feedback-Type: abuse", "Version: 1", ""),
            *("--b1", "Content-Type: message/rfc822", "", "Subject: Your order", "", "Hello", "--b1--", ""),
        ]
    ).encode()
    event = only(body)
    assert isinstance(event, Complaint)
    assert (event.reference, event.kind) == (REFERENCE, "abuse")
    (thanks,) = events(body.replace(b"abuse", b"not-spam"))
    assert isinstance(thanks, Unknown)
    assert (thanks.kind, thanks.raw) == ("complaint", {"reference": REFERENCE, "feedback_type": "not-spam"})


def test_an_automatic_answer_is_kept_without_its_content() -> None:
    body = f"To: {RETURN_PATH}\r\nAuto-Submitted: auto-replied\r\nSubject: Away\r\n\r\nOn leave until Monday\r\n"
    event = only(body.encode())
    assert isinstance(event, Unknown)
    assert (event.kind, event.raw) == ("mail", {"reference": REFERENCE, "auto_submitted": "auto-replied"})


def test_a_report_inside_a_forwarded_mail_is_its_content() -> None:
    forwarded = b"To: " + RETURN_PATH.encode() + b"\r\nContent-Type: multipart/mixed; boundary=b9\r\n\r\n--b9\r\n"
    body = forwarded + b"Content-Type: message/rfc822\r\n\r\n" + report(to="other@example.org") + b"\r\n--b9--\r\n"
    event = only(body)
    assert isinstance(event, Unknown)


@given(st.binary(max_size=400))
def test_no_bytes_make_reading_fail(body: bytes) -> None:
    assert events(body)


@given(st.integers(min_value=0, max_value=900), st.binary(min_size=1, max_size=12))
def test_no_damage_to_a_report_makes_reading_fail(place: int, damage: bytes) -> None:
    body = report()
    assert events(body[:place] + damage + body[place + len(damage) :])


def test_deeply_nested_mail_is_kept_as_unknown() -> None:
    body = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(3000))
    event = only(body)
    assert isinstance(event, Unknown)
    assert event.kind == "unreadable"
