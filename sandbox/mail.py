"""The SMTP server: takes mail for everybody, and refuses, dawdles or breaks off as the behaviour says."""

import asyncio
import logging
import ssl
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from sandbox.behaviour import Effect
from sandbox.bounces import Bounces
from sandbox.callbacks import Callbacks
from sandbox.director import ORDINARY, Director, Subject
from sandbox.journal import Journal
from sandbox.mailbox import Mailbox, parse, reference_of

_SIZE_LIMIT = 40 * 1024 * 1024
_HOSTNAME = "mx.sandbox.invalid"
_BETWEEN_LINES = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The name and password AUTH has to give; where none are configured, any are taken."""

    name: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostOffice:
    """Handles SMTP sessions; the effect is decided once per recipient, at RCPT."""

    journal: Journal
    director: Director
    mailbox: Mailbox
    bounces: Bounces
    callbacks: Callbacks

    async def handle_RCPT(  # noqa: N802 - the name the SMTP library calls
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Answers one RCPT command."""
        subject = Subject(channel="email", number=_login(session), recipient=address.lower())
        effect = self.director.effect_for(subject)
        if effect.smtp_recipient is not None:
            self._note("refused", envelope, address, stage="rcpt", reply=effect.smtp_recipient)
            return effect.smtp_recipient
        _effects(envelope)[address] = effect
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        """Answers the end of DATA; what is accepted stands in the journal before the answer."""
        raw = envelope.original_content or b""
        decided = [_effects(envelope).get(address, ORDINARY) for address in envelope.rcpt_tos]
        if any(effect.lose_request for effect in decided):
            for address in envelope.rcpt_tos:
                self._note("dropped", envelope, address, raw)
            await _hang_up(server)
        refusal = next((effect.smtp_data for effect in decided if effect.smtp_data is not None), None)
        if refusal is not None:
            for address in envelope.rcpt_tos:
                self._note("refused", envelope, address, raw, stage="data", reply=refusal)
            return refusal
        await asyncio.sleep(max(effect.delay_journal for effect in decided))
        queue_id = self._accept(envelope, raw, decided)
        await asyncio.sleep(max(effect.delay_answer for effect in decided))
        return await _spoiled(server, f"250 2.0.0 OK: queued as {queue_id}", decided)

    async def handle_exception(self, error: Exception) -> str:
        """Answers a failure of the sandbox itself with a transient code, so that nothing counts as accepted."""
        logging.getLogger("sandbox.mail").error("SMTP session failed", exc_info=error)
        return "451 4.3.0 Internal error of the sandbox"

    def _accept(self, envelope: Envelope, raw: bytes, decided: list[Effect]) -> str:
        mail_id = self.mailbox.store(raw)
        return_path = _return_path(envelope)
        for address, effect in zip(envelope.rcpt_tos, decided, strict=True):
            effects = effect.model_dump(exclude_unset=True)
            self.mailbox.accept(mail_id, raw, return_path, address, effects=effects)
            if effect.bounce is not None:
                after = self.director.behaviour.times.bounce
                self.callbacks.spawn(self.bounces.report(raw, return_path, address, effect.bounce, after))
        return mail_id

    def _note(self, kind: str, envelope: Envelope, address: str, raw: bytes = b"", **facts: str) -> None:
        parsed = parse(raw)
        self.journal.append(
            {
                "provider": "smtp",
                "kind": kind,
                "id": str(parsed.get("message-id", "")).strip() or None,
                "reference": reference_of(parsed, _return_path(envelope)),
                "to": address.lower(),
                "from": _return_path(envelope),
                **facts,
            }
        )


def _effects(envelope: Any) -> dict[str, Effect]:
    # The envelope of one mail is the only thing the library hands from RCPT to DATA.
    if not hasattr(envelope, "effects"):
        envelope.effects = {}
    effects: dict[str, Effect] = envelope.effects
    return effects


def _return_path(envelope: Envelope) -> str:
    sender = envelope.mail_from or ""
    return "" if sender == "<>" else sender


def _login(session: Any) -> str:
    return session.auth_data.decode() if isinstance(session.auth_data, bytes) else ""


async def _spoiled(server: SMTP, reply: str, decided: list[Effect]) -> str:
    """Returns the reply after DATA as the effects of a mail's recipients leave it."""
    transport: Any = server.transport
    if any(effect.lose_answer for effect in decided):
        await _hang_up(server)
    if any(effect.truncate_answer for effect in decided):
        await _hang_up(server, reply[: len(reply) // 2].encode())
    if any(effect.endless_answer for effect in decided):
        await _without_end(server, reply)
    pause = max(effect.drip_answer for effect in decided)
    if pause:
        for letter in reply[:-1]:  # the library sends the last one, with the end of the line
            transport.write(letter.encode())
            await asyncio.sleep(pause)
        return reply[-1]
    return "<!-- no reply of SMTP -->" if any(effect.garbage_answer for effect in decided) else reply


async def _without_end(server: SMTP, reply: str) -> None:
    transport: Any = server.transport
    while not transport.is_closing():
        transport.write(f"{reply[:3]}-{reply[4:]}\r\n".encode())
        await asyncio.sleep(_BETWEEN_LINES)
    await _hang_up(server)


async def _hang_up(server: SMTP, last_words: bytes = b"") -> None:
    transport: Any = server.transport
    if last_words:
        transport.write(last_words)
        transport.close()
    else:
        transport.abort()
    await asyncio.get_running_loop().create_future()  # the session is cancelled when it learns of the loss


class SmtpServer:
    """Listens for SMTP on the loop that runs already."""

    def __init__(self, office: PostOffice, credentials: Credentials | None, tls: ssl.SSLContext | None) -> None:
        self._office = office
        self._credentials = credentials
        self._tls = tls
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Begins to listen and returns the port."""
        self._server = await asyncio.get_running_loop().create_server(self._protocol, host, port)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Closes the listening socket; open sessions end with the loop."""
        if self._server is not None:
            self._server.close()

    def _protocol(self) -> SMTP:
        return SMTP(
            self._office,
            data_size_limit=_SIZE_LIMIT,
            enable_SMTPUTF8=True,
            hostname=_HOSTNAME,
            ident="Carillon sandbox",
            authenticator=self._authenticate,
            auth_require_tls=False,
            tls_context=self._tls,
            loop=asyncio.get_running_loop(),
        )

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False, handled=False)
        known = self._credentials
        welcome = known is None or (data.login.decode(), data.password.decode()) == (known.name, known.password)
        return AuthResult(success=welcome, handled=welcome, auth_data=data.login)
