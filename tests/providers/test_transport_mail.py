"""The transport over SMTP: what is known when a conversation ends early, at each of its stages."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from domain.errors import DeliveryError, InvalidAddress, Misconfigured, Unavailable, Uncertain
from providers.base import MailRequest, MailResponse
from providers.transport import Transport

from .conftest import Conversation, Listen

REPLIES = {
    "greeting": b"220 mx.example.net ESMTP\r\n",
    "EHLO": b"250-mx.example.net\r\n250-SIZE 40000000\r\n250 AUTH PLAIN\r\n",
    "AUTH": b"235 2.7.0 Welcome\r\n",
    "MAIL": b"250 2.1.0 Ok\r\n",
    "RCPT": b"250 2.1.5 Ok\r\n",
    "DATA": b"354 Go on\r\n",
    "dot": b"250-2.0.0 Ok: queued\r\n250 as AB12\r\n",
}
STAGES = {"greeting": "connect", "EHLO": "connect", "AUTH": "auth", "MAIL": "mail", "RCPT": "rcpt", "DATA": "data"}
HANG, DROP = b"hang", b"drop"


def mail(port: int, **changes: Any) -> MailRequest:
    facts: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "username": "mailer",
        "password": "secret",
        "envelope_from": "bounces@example.org",
        "envelope_to": "asha@example.org",
        "body": b"Subject: Hello\r\n\r\nHello\r\n",
        "message_id": "<own@example.org>",
        "hostname": "client.example.org",
    }
    return MailRequest(**{**facts, **changes})


def scripted(replies: Mapping[str, bytes], seen: list[bytes] | None = None) -> Conversation:
    """Returns a conversation with one reply per command."""

    async def say(name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        words = {**REPLIES, **replies}.get(name, b"250 Ok\r\n")
        if words == HANG:
            await reader.read()
        if words in {HANG, DROP}:
            return False
        writer.write(words)
        await writer.drain()
        return True

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = "greeting"
        while await say(name, reader, writer):
            line = await (reader.readuntil(b"\r\n.\r\n") if name == "DATA" else reader.readline())
            if seen is not None and line:
                seen.append(line)
            name = "dot" if name == "DATA" else line[:4].decode().strip()
            if name in {"", "QUIT"}:
                return

    return converse


async def outcome(transport: Transport, request: MailRequest) -> type[DeliveryError]:
    with pytest.raises(DeliveryError) as error:
        await transport.send(request)
    return type(error.value)


async def answer(transport: Transport, request: MailRequest) -> MailResponse:
    response = await transport.send(request)
    assert isinstance(response, MailResponse)
    return response


async def test_a_whole_conversation_ends_with_an_acceptance(transport: Transport, listen: Listen) -> None:
    seen: list[bytes] = []
    response = await answer(transport, mail(await listen(scripted({}, seen))))
    assert (response.code, response.stage, response.message_id) == (250, "accepted", "<own@example.org>")
    assert response.text == "2.0.0 Ok: queued\nas AB12"
    assert seen[0] == b"EHLO client.example.org\r\n"
    assert seen[2] == b"MAIL FROM:<bounces@example.org> SIZE=25\r\n"


@pytest.mark.parametrize("words", [HANG, DROP, b"no SMTP\r\n"], ids=["hangs", "drops", "babbles"])
@pytest.mark.parametrize("stage", STAGES)
async def test_before_the_final_dot_nothing_was_sent(
    transport: Transport, listen: Listen, stage: str, words: bytes
) -> None:
    assert await outcome(transport, mail(await listen(scripted({stage: words})))) is Unavailable


@pytest.mark.parametrize("words", [HANG, DROP, b"no SMTP\r\n"], ids=["hangs", "drops", "babbles"])
async def test_after_the_final_dot_there_is_doubt(transport: Transport, listen: Listen, words: bytes) -> None:
    assert await outcome(transport, mail(await listen(scripted({"dot": words})))) is Uncertain


@pytest.mark.parametrize("stage", [*STAGES, "dot"])
@pytest.mark.parametrize("code", [421, 554])
async def test_a_refusal_comes_back_with_its_stage(transport: Transport, listen: Listen, stage: str, code: int) -> None:
    replies = {stage: f"{code} 5.3.0 No\r\n".encode(), "HELO": f"{code} 5.3.0 No\r\n".encode()}
    response = await answer(transport, mail(await listen(scripted(replies))))
    assert (response.code, response.stage, response.text) == (code, STAGES.get(stage, "data"), "5.3.0 No")


async def test_a_mail_that_broke_off_in_the_middle_was_not_sent(transport: Transport, listen: Listen) -> None:
    async def impatient(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for name in ("greeting", "EHLO", "AUTH", "MAIL", "RCPT", "DATA"):
            writer.write(REPLIES[name])
            await reader.readline()
        await reader.readexactly(10_000)
        writer.transport.abort()

    body = b"Subject: Large\r\n\r\n" + b"x" * 20_000_000
    assert await outcome(transport, mail(await listen(impatient), body=body)) is Unavailable


async def test_a_server_that_stops_reading_has_not_taken_the_mail(transport: Transport, listen: Listen) -> None:
    async def full(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for name in ("greeting", "EHLO", "AUTH", "MAIL", "RCPT", "DATA"):
            writer.write(REPLIES[name])
            await reader.readline()
        await asyncio.Event().wait()

    body = b"Subject: Large\r\n\r\n" + b"x" * 50_000_000
    assert await outcome(transport, mail(await listen(full), body=body)) is Unavailable


async def test_nobody_listening_means_that_nothing_was_sent(transport: Transport) -> None:
    assert await outcome(transport, mail(1)) is Unavailable
    assert await outcome(transport, mail(25, host="nowhere.invalid")) is Unavailable


async def test_no_free_connection_means_that_nothing_was_sent(listen: Listen) -> None:
    transport = Transport(connect_timeout=0.3, total_timeout=0.8, mail_connections=1)
    port = await listen(scripted({"dot": HANG}))
    outcomes = await asyncio.gather(*(outcome(transport, mail(port)) for _ in range(2)))
    assert sorted(kind.__name__ for kind in outcomes) == ["Unavailable", "Uncertain"]


@pytest.mark.parametrize(
    "offer", [b"250 mx.example.net\r\n", b"250 AUTH SCRAM-SHA-256\r\n"], ids=["no AUTH", "no method"]
)
async def test_a_server_without_our_login_is_a_mistake_of_the_account(
    transport: Transport, listen: Listen, offer: bytes
) -> None:
    assert await outcome(transport, mail(await listen(scripted({"EHLO": offer})))) is Misconfigured


async def test_without_starttls_nothing_is_said_in_clear_text(transport: Transport, listen: Listen) -> None:
    seen: list[bytes] = []
    request = mail(await listen(scripted({}, seen)), security="starttls")
    assert await outcome(transport, request) is Misconfigured
    assert [line[:4] for line in seen] == [b"EHLO"]


async def test_an_address_beyond_ascii_needs_a_server_that_takes_it(transport: Transport, listen: Listen) -> None:
    request = mail(await listen(scripted({})), envelope_to="ashä@example.org")
    assert await outcome(transport, request) is InvalidAddress


class Mailbox:
    """Keeps what an independent SMTP server received."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - its name there
        self.envelopes.append(envelope)
        return "250 2.0.0 Ok: queued as AB12"


Serve = Callable[..., Any]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts aiosmtpd with the settings given; returns its port and its mailbox."""
    servers: list[asyncio.Server] = []

    async def start(*, wrapped: ssl.SSLContext | None = None, **settings: Any) -> tuple[int, Mailbox]:
        mailbox, loop = Mailbox(), asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(mailbox, loop=loop, **settings), "127.0.0.1", 0, ssl=wrapped)
        servers.append(server)
        return server.sockets[0].getsockname()[1], mailbox

    yield start
    for server in servers:
        server.close()


def let_in(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=(data.login, data.password) == (b"mailer", b"secret"), handled=False)


async def test_lines_that_look_like_the_end_arrive_as_they_were(transport: Transport, serve: Serve) -> None:
    port, mailbox = await serve()
    body = b"Subject: x\r\n\r\n.\r\n..\r\n.hidden\n.\nMAIL FROM:<evil@example.org>\r.\rend"
    await answer(transport, mail(port, username=None, password=None, body=body))
    (envelope,) = mailbox.envelopes
    lines = [b"Subject: x", b"", b".", b"..", b".hidden", b".", b"MAIL FROM:<evil@example.org>", b".", b"end", b""]
    assert envelope.original_content == b"\r\n".join(lines)
    assert (envelope.mail_from, envelope.rcpt_tos) == ("bounces@example.org", ["asha@example.org"])


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_encryption_checks_the_certificate(
    transport: Transport, serve: Serve, tls: tuple[ssl.SSLContext, ssl.SSLContext], security: str
) -> None:
    server, trusting = tls
    offered: dict[str, Any] = {"tls_context": server} if security == "starttls" else {"wrapped": server}
    port, mailbox = await serve(authenticator=let_in, auth_require_tls=security == "starttls", **offered)
    assert await outcome(transport, mail(port, security=security)) is Unavailable
    trustful = Transport(connect_timeout=1, total_timeout=2, tls=trusting)
    response = await answer(trustful, mail(port, security=security))
    assert (response.stage, len(mailbox.envelopes)) == ("accepted", 1)


async def test_a_wrong_password_is_a_refusal_at_the_login(transport: Transport, serve: Serve) -> None:
    port, mailbox = await serve(authenticator=let_in, auth_require_tls=False)
    response = await answer(transport, mail(port, password="wrong"))
    assert (response.code, response.stage, mailbox.envelopes) == (535, "auth", [])


async def test_an_address_beyond_ascii_arrives(transport: Transport, serve: Serve) -> None:
    port, mailbox = await serve(enable_SMTPUTF8=True)
    request = replace(mail(port), username=None, password=None, envelope_to="ashä@example.org")
    assert (await answer(transport, request)).stage == "accepted"
    assert mailbox.envelopes[0].rcpt_tos == ["ashä@example.org"]
