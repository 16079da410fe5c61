"""The SMTP server and its mailbox, against clients and parsers that we did not write."""

import asyncio
import email
import smtplib
import ssl
from collections.abc import AsyncIterator
from email.message import EmailMessage
from email.policy import SMTP, default
from pathlib import Path
from typing import Any

import aiosmtplib
import httpx
import pytest

from sandbox import magic
from sandbox.mailbox import parse, reference_of
from sandbox.serve import Sandbox

from .conftest import Caller, settings, until

REFERENCE = "0123456789abcdef0123456789abcdef"
RETURN_PATH = f"bounces+{REFERENCE}.a1b2@vb.example"


def letter(to: str = "asha@shop.example", **headers: str) -> EmailMessage:
    mail = EmailMessage()
    facts = {"From": "Shop <shop@shop.example>", "To": to, "Subject": "Your order \N{BELL}", **headers}
    for name, value in facts.items():
        mail[name] = value
    mail["Message-ID"] = f"<{REFERENCE}@shop.example>"
    mail.set_content("Hello Asha,\n\nyour order is ready.\n")
    mail.add_alternative("<p>Hello <b>Asha</b></p>", subtype="html")
    mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="bill.pdf")
    return mail


async def deliver(sandbox: Sandbox, *to: str, sender: str = RETURN_PATH, **more: Any) -> tuple[Any, str]:
    recipients = list(to) or ["asha@shop.example"]
    more = {"hostname": sandbox.smtp_host, "port": sandbox.smtp_port, "timeout": 5, **more}
    return await aiosmtplib.send(letter(recipients[0]), sender=sender, recipients=recipients, **more)


async def test_a_mail_arrives_whole(sandbox: Sandbox, caller: Caller) -> None:
    refused, text = await deliver(sandbox)
    assert refused == {}
    assert text.startswith("2.0.0 OK: queued as ")
    (entry,) = await caller.journal(provider="smtp")
    facts = {"kind": "accepted", "id": f"<{REFERENCE}@shop.example>", "reference": REFERENCE, "from": RETURN_PATH}
    assert {**facts, "to": "asha@shop.example", "subject": "Your order \N{BELL}"}.items() <= entry.items()
    page = (await caller.client.get("/mailbox", params={"to": "ASHA@shop.example", "limit": "1"})).json()
    mail = (await caller.client.get(f"/mailbox/{page['mails'][0]['id']}")).json()
    assert mail["text"] == "Hello Asha,\n\nyour order is ready.\n"
    assert mail["html"].strip() == "<p>Hello <b>Asha</b></p>"
    assert mail["attachments"] == [{"filename": "bill.pdf", "content_type": "application/pdf", "size": 4}]
    assert ["Subject", "Your order \N{BELL}"] in mail["headers"]
    raw = await caller.client.get(f"/mailbox/{mail['id']}/raw")
    parsed = email.message_from_bytes(raw.content, policy=default)
    assert parsed["Message-ID"] == mail["message_id"]
    html = await caller.client.get(f"/mailbox/{mail['id']}/html")
    assert html.headers["content-security-policy"].startswith("default-src 'none'")


async def test_the_mailbox_is_paged_from_the_newest(sandbox: Sandbox, caller: Caller) -> None:
    for number in range(5):
        await deliver(sandbox, "pages@shop.example", sender=f"s{number}@x.example")
    seen: list[str] = []
    query = {"to": "pages@shop.example", "limit": "2"}
    while True:
        page = (await caller.client.get("/mailbox", params=query)).json()
        seen += [mail["from"] for mail in page["mails"]]
        if page["next_before"] is None:
            break
        query["before"] = str(page["next_before"])
    assert seen == [f"s{number}@x.example" for number in (4, 3, 2, 1, 0)]
    assert (await caller.client.get("/mailbox?limit=many")).status_code == 400
    assert (await caller.client.get("/mailbox/nothing")).status_code == 404


async def test_each_recipient_has_an_answer_of_its_own(sandbox: Sandbox, caller: Caller) -> None:
    refused, _ = await deliver(sandbox, "good@x.example", "refused@x.example", "full+tag@x.example")
    assert {address: reply[0] for address, reply in refused.items()} == {
        "refused@x.example": 550,
        "full+tag@x.example": 452,
    }
    assert [entry["to"] for entry in await caller.journal(kind="accepted")] == ["good@x.example"]
    entries = await caller.journal(kind="refused")
    assert [(entry["to"], entry["stage"], entry["reference"]) for entry in entries] == [
        ("refused@x.example", "rcpt", REFERENCE),
        ("full+tag@x.example", "rcpt", REFERENCE),
    ]


@pytest.mark.parametrize(
    ("local", "code", "enhanced"),
    [
        ("refused", 550, "5.1.1"),
        ("full", 452, "4.2.2"),
        ("greylist", 451, "4.7.1"),
        ("busy", 421, "4.3.2"),
        ("spam", 554, "5.7.1"),
        ("tempfail", 451, "4.3.0"),
    ],
)
async def test_a_magic_mailbox_refuses_with_its_code(
    sandbox: Sandbox, caller: Caller, local: str, code: int, enhanced: str
) -> None:
    with pytest.raises(aiosmtplib.SMTPException) as problem:
        await deliver(sandbox, f"{local}@x.example")
    reply = (
        problem.value.recipients[0] if isinstance(problem.value, aiosmtplib.SMTPRecipientsRefused) else problem.value
    )
    assert isinstance(reply, aiosmtplib.SMTPResponseException)
    assert (reply.code, reply.message.split()[0]) == (code, enhanced)
    (entry,) = await caller.journal(kind="refused")
    assert entry["reply"].startswith(f"{code} {enhanced}")
    assert await caller.journal(kind="accepted") == []


async def test_greylisting_ends_with_the_second_try(sandbox: Sandbox, caller: Caller) -> None:
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
        await deliver(sandbox, "greylist@x.example")
    await deliver(sandbox, "greylist@x.example")
    assert len(await caller.journal(kind="accepted")) == 1


@pytest.mark.parametrize(("local", "accepts"), [("drop", 1), ("lost", 0)])
async def test_a_connection_dropped_after_the_dot_tells_nothing(
    sandbox: Sandbox, caller: Caller, local: str, accepts: int
) -> None:
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await deliver(sandbox, f"{local}@x.example")
    assert len(await caller.journal(kind="accepted")) == accepts
    assert len(await caller.journal(kind="dropped", reference=REFERENCE)) == 1 - accepts


@pytest.mark.parametrize(
    ("effect", "problem"),
    [
        ({"truncate_answer": True}, aiosmtplib.SMTPServerDisconnected),
        ({"garbage_answer": True}, aiosmtplib.SMTPResponseException),
        ({"endless_answer": True}, aiosmtplib.SMTPTimeoutError),
        ({"drip_answer": 30}, aiosmtplib.SMTPTimeoutError),
    ],
    ids=["cut short", "garbage", "endless", "byte by byte"],
)
async def test_a_broken_reply_after_the_dot_hides_an_acceptance(
    sandbox: Sandbox, caller: Caller, effect: dict[str, Any], problem: type[Exception]
) -> None:
    await caller.behave(effect)
    with pytest.raises(problem):
        await deliver(sandbox, timeout=0.5)
    assert len(await caller.journal(kind="accepted")) == 1


@pytest.mark.parametrize(
    ("local", "action", "status"), [("bounce", "failed", "5.1.1"), ("delayed", "delayed", "4.4.1")]
)
async def test_a_bounce_goes_to_the_return_path(
    sandbox: Sandbox, caller: Caller, local: str, action: str, status: str
) -> None:
    await deliver(sandbox, f"{local}@x.example")
    (entry,) = await bounced(sandbox, caller)
    assert (entry["reference"], entry["to"], entry["about"]["status"]) == (REFERENCE, RETURN_PATH, status)
    (mail,) = sandbox.mailbox.newest_first(RETURN_PATH, None, 1)
    raw = await caller.client.get(f"/mailbox/{mail.id}/raw")
    report = email.message_from_bytes(raw.content, policy=default)
    assert (report.get_content_type(), report.get_param("report-type")) == ("multipart/report", "delivery-status")
    parts: list[Any] = list(report.iter_parts())
    about = parts[1].get_payload()[1]
    facts = {name: str(about[name]) for name in ("Final-Recipient", "Action", "Status")}
    assert facts == {"Final-Recipient": f"rfc822; {local}@x.example", "Action": action, "Status": status}
    assert f"<{REFERENCE}@shop.example>" in parts[2].get_content()


async def test_a_mail_without_return_path_never_bounces(sandbox: Sandbox, caller: Caller) -> None:
    await asyncio.to_thread(by_the_standard_library, sandbox, "", "bounce@x.example")
    assert await bounced(sandbox, caller) == []
    assert [entry["from"] for entry in await caller.journal(kind="accepted")] == [""]


async def bounced(sandbox: Sandbox, caller: Caller) -> list[dict[str, Any]]:
    await until(lambda: sandbox.platform.callbacks.pending == 0)
    return await caller.journal(kind="bounce")


async def test_rules_reach_the_mail_server(sandbox: Sandbox, caller: Caller) -> None:
    rule = {"match": {"channel": "email", "recipient": "*@slow.example"}, "effect": {"delay_answer": 30}}
    await caller.client.put("/_sandbox/behaviour", json={"rules": [rule]})
    with pytest.raises(aiosmtplib.SMTPTimeoutError):
        await deliver(sandbox, "asha@slow.example", timeout=0.2)
    assert len(await caller.journal(kind="accepted")) == 1
    await deliver(sandbox, "asha@quick.example")


def test_every_magic_mailbox_has_its_test() -> None:
    tested = {"refused", "full", "greylist", "busy", "spam", "tempfail", "drop", "lost", "bounce", "delayed"}
    assert {one.key for one in magic.MAILBOXES} - tested == {"slow"}
    assert next(one for one in magic.MAILBOXES if one.key == "slow").effect.delay_answer == 5


@pytest.mark.parametrize(
    ("header", "sender", "expected"),
    [
        (f"X-Carillon-Reference: {'a' * 32}\r\n", "x@y", "a" * 32),
        ("", f"bounces+{'b' * 32}.ff@y", "b" * 32),
        (f"Message-ID: <{'c' * 32}@y>\r\n", "x@y", "c" * 32),
        (f"Message-ID: <{'d' * 33}@y>\r\n", "x@y", None),
    ],
    ids=["header", "return path", "message id", "too long"],
)
def test_the_reference_is_found(header: str, sender: str, expected: str | None) -> None:
    assert reference_of(parse(f"{header}Subject: x\r\n\r\nx".encode()), sender) == expected


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe\x00", b"Content-Type: text/plain; charset=nonsense\r\n\r\nx"], ids=str)
async def test_a_broken_mail_is_kept_as_it_came(sandbox: Sandbox, caller: Caller, raw: bytes) -> None:
    await aiosmtplib.send(
        raw, sender="a@x.example", recipients=["odd@x.example"], hostname=sandbox.smtp_host, port=sandbox.smtp_port
    )
    (entry,) = await caller.journal(kind="accepted")
    shown = await caller.client.get(f"/mailbox/{entry['mail']}-{entry['seq']}")
    assert shown.status_code == 200


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Sandbox]:
    told = settings(tmp_path, smtp_user="carillon", smtp_password="open sesame", smtp_starttls=True)
    async with Sandbox(told) as running:
        yield running


async def test_credentials_and_starttls_are_checked(guarded: Sandbox) -> None:
    async with httpx.AsyncClient(base_url=guarded.url) as client:
        pem = (await client.get("/_sandbox/certificate")).text
    context = ssl.create_default_context(cadata=pem)
    secured: dict[str, Any] = {"start_tls": True, "tls_context": context, "username": "carillon"}
    with pytest.raises(aiosmtplib.SMTPAuthenticationError):
        await deliver(guarded, password="wrong", **secured)
    await deliver(guarded, password="open sesame", **secured)
    assert [entry["kind"] for entry in guarded.journal.entries()] == ["accepted"]


async def test_bounces_can_take_a_relay_and_mails_outlive_a_restart(tmp_path: Path) -> None:
    async with Sandbox(settings(tmp_path / "a")) as ours:
        relay = f"{ours.smtp_host}:{ours.smtp_port}"
        async with Sandbox(settings(tmp_path / "b", bounce_relay=relay)) as theirs:
            await deliver(theirs, "bounce@x.example")
            mail = await until(lambda: next(iter(ours.mailbox.newest_first(RETURN_PATH, None, 1)), None))
            await until(lambda: theirs.platform.callbacks.pending == 0)
            assert next(e for e in theirs.journal.entries() if e["kind"] == "bounce")["outcome"] == "relayed"
    async with Sandbox(settings(tmp_path / "a")) as again:
        kept = again.mailbox.find(mail.id)
        assert kept is not None
        assert kept == mail
        assert "Undelivered" in again.mailbox.shown(kept)["subject"]


async def test_the_standard_library_client_is_served_too(sandbox: Sandbox, caller: Caller) -> None:
    assert await asyncio.to_thread(by_the_standard_library, sandbox, RETURN_PATH, "asha@shop.example") == {}
    assert len(await caller.journal(kind="accepted")) == 1


def by_the_standard_library(sandbox: Sandbox, sender: str, to: str) -> dict[str, tuple[int, bytes]]:
    with smtplib.SMTP(sandbox.smtp_host, sandbox.smtp_port, timeout=5) as client:
        client.login("anybody", "anything")
        return client.sendmail(sender, [to], letter(to).as_bytes(policy=SMTP))
