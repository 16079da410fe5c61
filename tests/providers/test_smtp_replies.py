"""E-mail: what the replies of servers mean, and which configurations are taken."""

from typing import Any

import pytest

from domain.errors import (
    ContentRefused,
    DeliveryError,
    InvalidAddress,
    Misconfigured,
    NotSent,
    RecipientThrottled,
    Rejected,
    Throttled,
    Unavailable,
    Uncertain,
)
from providers.smtp import Smtp

from .cases import SMTP_CONFIG, reply

SMTP = Smtp.configure(SMTP_CONFIG)


@pytest.mark.parametrize(
    ("code", "text", "stage", "kind"),
    [
        (550, "5.1.1 No such user", "rcpt", InvalidAddress),
        (550, "5.1.10 Null MX", "rcpt", InvalidAddress),
        (550, "5.1.1 No such user", "data", InvalidAddress),
        (550, "5.1.8 Bad sender domain", "rcpt", Misconfigured),
        (550, "5.1.0 Sender rejected", "mail", Misconfigured),
        (553, "5.7.1 Not your address", "mail", Misconfigured),
        (552, "5.2.2 Mailbox full", "rcpt", Rejected),
        (552, "5.3.4 Too large", "mail", ContentRefused),
        (550, "5.7.1 Looks like spam", "data", ContentRefused),
        (554, "5.7.1 Relay access denied", "rcpt", Rejected),
        (550, "5.7.26 DMARC", "data", Misconfigured),
        (530, "5.7.57 Client not authenticated", "mail", Misconfigured),
        (535, "5.7.8 Bad credentials", "auth", Misconfigured),
        (535, "Bad credentials", "auth", Misconfigured),
        (554, "5.7.1 You are listed", "connect", Misconfigured),
        (550, "No such user", "rcpt", InvalidAddress),
        (550, "Spam", "data", ContentRefused),
        (554, "No", "rcpt", Rejected),
        (450, "4.2.1 Receiving too fast", "rcpt", RecipientThrottled),
        (452, "4.2.2 Mailbox full", "rcpt", RecipientThrottled),
        (450, "4.2.0 Mailbox busy", "rcpt", RecipientThrottled),
        (450, "Mailbox busy", "rcpt", RecipientThrottled),
        (450, "4.3.2 System not accepting mail", "rcpt", Unavailable),
        (451, "4.7.1 Greylisted", "rcpt", RecipientThrottled),
        (421, "4.7.0 Too many from you", "rcpt", Throttled),
        (451, "4.7.1 Too fast", "data", Throttled),
        (421, "4.7.0 Too many connections", "connect", Throttled),
        (452, "Too many recipients", "rcpt", Throttled),
        (454, "Throttling failure: Maximum sending rate exceeded.", "data", Throttled),
        (452, "4.3.1 Out of disk", "mail", Unavailable),
        (421, "Shutting down", "connect", Unavailable),
        (451, "4.4.2 Bad connection", "data", Unavailable),
        (451, "5.1.1 Contradicts itself", "rcpt", Unavailable),
        (550, "4.1.1 Contradicts itself", "rcpt", InvalidAddress),
        (250, "Ok?", "data", Uncertain),
        (700, "?", "accepted", Uncertain),
        (334, "?", "auth", NotSent),
    ],
)
def test_replies_mean_what_the_standards_say(code: int, text: str, stage: str, kind: type[DeliveryError]) -> None:
    with pytest.raises(DeliveryError) as error:
        SMTP.accepted(reply(code, text, stage))
    assert type(error.value) is kind
    assert error.value.provider_code in {text.split(" ", maxsplit=1)[0], str(code)}


@pytest.mark.parametrize(
    ("text", "queue_id"),
    [
        ("2.0.0 Ok: queued as 4bX9fS3Tz1", "4bX9fS3Tz1"),
        ("OK id=1tDxYz-0000AB-2C", "1tDxYz-0000AB-2C"),
        ("Ok 0100018f6b7a-7c3e-000000", "0100018f6b7a-7c3e-000000"),
        ("2.0.0 4AL90XyZ012345 Message accepted for delivery", "4AL90XyZ012345"),
        ("2.0.0 OK  1763715600 d2e1a72fcca58-7c3 - gsmtp", "d2e1a72fcca58-7c3"),
        ("2.6.0 <a@b> [InternalId=1234567, Hostname=X] Queued mail for delivery", "1234567"),
        ("2.0.0 Ok", "<own@example.org>"),
        ("", "<own@example.org>"),
    ],
)
def test_the_queue_id_stands_in_the_acceptance(text: str, queue_id: str) -> None:
    assert SMTP.accepted(reply(250, text, "accepted")).provider_message_id == queue_id


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"password": None}, "password"),
        ({"host": "smtp.example.org"}, "security"),
        ({"verp_key": None}, "verp_key"),
        ({"verp_key": "short"}, "verp_key"),
        ({"port": 0}, "port"),
        ({"port": True}, "port"),
        ({"port": "587"}, "port"),
        ({"security": "ssl"}, "security"),
        ({"from_address": "hello"}, "from_address"),
        ({"from_address": "a@b.c\r\nBcc: d@e.f"}, "from_address"),
        ({"from_name": "a\r\nb"}, "from_name"),
        ({"return_path_domain": "bounces.example.org>"}, "return_path_domain"),
        ({"host": "mail.example.org\r\n"}, "host"),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=field):
        Smtp.configure({**SMTP_CONFIG, **changes})


@pytest.mark.parametrize(("security", "port"), [("none", 25), ("starttls", 587), ("tls", 465)])
def test_the_port_follows_from_the_security(security: str, port: int) -> None:
    assert Smtp.configure({**SMTP_CONFIG, "port": None, "security": security}).port == port
