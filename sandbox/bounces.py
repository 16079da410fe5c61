"""Delivery reports (RFC 3464) that go back to the return path of a mail, through a relay or into the mailbox."""

import asyncio
import smtplib
from dataclasses import dataclass
from email.message import EmailMessage, Message
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import SMTP
from email.utils import format_datetime, localtime, make_msgid

from sandbox.journal import Journal
from sandbox.mailbox import Mailbox, parse, reference_of

_DOMAIN = "mx.sandbox.invalid"
_DIAGNOSES = {
    "5.1.1": "550 5.1.1 The email account that you tried to reach does not exist",
    "5.2.2": "552 5.2.2 Mailbox full",
    "5.7.1": "554 5.7.1 Message refused by policy",
    "4.4.1": "421 4.4.1 Connection timed out, still trying",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounces:
    """Makes delivery reports and brings them where they belong; `relay` is `host:port` of a real SMTP server."""

    journal: Journal
    mailbox: Mailbox
    relay: str | None = None

    async def report(self, raw: bytes, return_path: str, recipient: str, status: str, after: float) -> None:
        """Reports the fate of a mail after some seconds; a mail with an empty return path gets no report (RFC 5321)."""
        await asyncio.sleep(after)
        if not return_path:
            return
        report = delivery_report(raw, return_path, recipient, status)
        content = report.as_bytes(policy=SMTP)
        outcome = "delivered"
        if self.relay:
            outcome = await asyncio.to_thread(_relay, self.relay, return_path, content)
        mail_id = self.mailbox.store(content)
        original = parse(raw)
        entry = self.journal.append(
            {
                "provider": "smtp",
                "kind": "bounce",
                "id": report["Message-ID"],
                "reference": reference_of(original, return_path),
                "to": return_path.lower(),
                "from": "",
                "mail": mail_id,
                "subject": report["Subject"],
                "about": {"id": str(original.get("message-id", "")), "recipient": recipient, "status": status},
                "outcome": outcome,
            }
        )
        self.mailbox.index(entry)


def delivery_report(raw: bytes, return_path: str, recipient: str, status: str) -> MIMEMultipart:
    """Returns a multipart/report mail: a sentence, the machine-readable part, the headers of the original."""
    failed = status.startswith("5")
    report = MIMEMultipart("report")
    report.set_param("report-type", "delivery-status")
    report["From"] = f"Mail Delivery System <mailer-daemon@{_DOMAIN}>"
    report["To"] = return_path
    report["Subject"] = "Undelivered Mail Returned to Sender" if failed else "Delayed Mail (still being retried)"
    report["Date"] = format_datetime(localtime())
    report["Message-ID"] = make_msgid(domain=_DOMAIN)
    report["Auto-Submitted"] = "auto-replied"
    fate = "could not be delivered" if failed else "has not been delivered yet; delivery is still being tried"
    report.attach(
        MIMEText(f"Your message to <{recipient}> {fate}.\r\n\r\n{_diagnosis(status)}\r\n", "plain", "us-ascii")
    )
    report.attach(_status_part(raw, recipient, status, failed=failed))
    report.attach(_headers_part(parse(raw)))
    return report


def _status_part(raw: bytes, recipient: str, status: str, *, failed: bool) -> MIMEBase:
    about_mail, about_recipient = Message(), Message()
    about_mail["Reporting-MTA"] = f"dns; {_DOMAIN}"
    about_mail["Arrival-Date"] = str(parse(raw).get("date", format_datetime(localtime())))
    about_recipient["Final-Recipient"] = f"rfc822; {recipient}"
    about_recipient["Action"] = "failed" if failed else "delayed"
    about_recipient["Status"] = status
    about_recipient["Diagnostic-Code"] = f"smtp; {_diagnosis(status)}"
    part = MIMEBase("message", "delivery-status")
    part.set_payload([about_mail, about_recipient])
    return part


def _headers_part(original: EmailMessage) -> MIMEText:
    part = MIMEText("".join(f"{name}: {value}\r\n" for name, value in original.raw_items()), "plain", "utf-8")
    part.replace_header("Content-Type", "text/rfc822-headers; charset=utf-8")
    return part


def _diagnosis(status: str) -> str:
    kind = "550" if status.startswith("5") else "421"
    return _DIAGNOSES.get(status, f"{kind} {status} Delivery failed")


def _relay(relay: str, return_path: str, content: bytes) -> str:
    host, _, port = relay.rpartition(":")
    try:
        with smtplib.SMTP(host or "127.0.0.1", int(port), timeout=10) as client:
            client.sendmail("", [return_path], content)
    except (OSError, smtplib.SMTPException) as problem:
        return f"relay failed: {problem!r}"
    return "relayed"
