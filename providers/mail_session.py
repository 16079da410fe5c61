"""One mail over one SMTP connection of its own, knowing at every moment whether the server may have taken it."""

import asyncio
import re
import ssl
from typing import cast

import aiosmtplib

from domain.errors import DeliveryError, InvalidAddress, Misconfigured, Unavailable, Uncertain
from providers.base import MailRequest, MailResponse

_GO_AHEAD = 354
_TAKEN = range(200, 300)
_CHUNK = 256 * 1024
_LINE_END = re.compile(rb"\r\n|\r|\n")
_DOT = re.compile(rb"^\.", re.MULTILINE)


class MailSession:
    """A connection for one mail.

    Args:
        request: The mail.
        tls: Context that checks the server's certificate.
        patience: Seconds to wait for the connection and for each reply before the final dot.
    """

    def __init__(self, request: MailRequest, *, tls: ssl.SSLContext, patience: float) -> None:
        self._request = request
        self._stage = "connect"
        self._ended = False
        self._writer: asyncio.StreamWriter | None = None
        self._client = aiosmtplib.SMTP(
            hostname=request.host.strip("[]"),
            port=request.port,
            use_tls=request.security == "tls",
            start_tls=False,
            tls_context=None if request.security == "none" else tls,
            local_hostname=request.hostname,
            timeout=patience,
        )

    async def run(self) -> MailResponse:
        """Returns the server's acceptance or refusal.

        Raises:
            NotSent: The server cannot have taken the mail.
            Uncertain: It may have.
        """
        try:
            await self._introduce()
            await self._address()
            response = await self._hand_over()
        except aiosmtplib.SMTPResponseException as error:
            if error.code < 0:  # not a reply at all
                raise self.judge(error) from error
            response = self._response(error.code, error.message)
        except DeliveryError:
            raise
        except Exception as error:  # whatever it was, the moment says what is known
            raise self.judge(error) from error
        finally:
            self._client.close()
        return response

    def judge(self, error: BaseException) -> DeliveryError:
        """Returns what a failure at this moment means."""
        if self._ended:
            return Uncertain(f"no reply to the end of the mail: {type(error).__name__}")
        if self._stage == "auth" and type(error) is aiosmtplib.SMTPException:  # the others name a broken conversation
            return Misconfigured("the server and we have no way to log in in common")
        return Unavailable(f"no conversation with {self._request.host} at {self._stage}: {type(error).__name__}")

    async def _introduce(self) -> None:
        await self._client.connect()
        await self._client.ehlo()
        if self._request.security == "starttls":
            if not self._client.supports_extension("starttls"):
                raise Misconfigured("the server offers no STARTTLS; nothing is sent in clear text")
            await self._client.starttls()
            await self._client.ehlo()
        if self._request.username is None or self._request.password is None:
            return
        self._stage = "auth"
        if not self._client.supports_extension("auth"):
            raise Misconfigured("the server offers no login here; remove the user name or choose another security")
        await self._client.login(self._request.username, self._request.password)

    async def _address(self) -> None:
        self._stage = "mail"
        beyond_ascii = not self._request.envelope_to.isascii()
        if beyond_ascii and not self._client.supports_extension("smtputf8"):
            raise InvalidAddress("the server takes no address with characters beyond ASCII", provider_code="5.6.7")
        options = ["SMTPUTF8", "BODY=8BITMIME"] if beyond_ascii else []
        if self._client.supports_extension("size"):
            options.append(f"SIZE={len(self._request.body)}")
        encoding = "utf-8" if beyond_ascii else "ascii"
        await self._client.mail(self._request.envelope_from, options=options, encoding=encoding)
        self._stage = "rcpt"
        await self._client.rcpt(self._request.envelope_to, encoding=encoding)

    async def _hand_over(self) -> MailResponse:
        self._stage = "data"
        begun = await self._client.execute_command(b"DATA")
        protocol, transport = self._client.protocol, self._client.transport
        if begun.code != _GO_AHEAD:
            return self._response(begun.code, begun.message)
        if protocol is None or transport is None:
            raise aiosmtplib.SMTPServerDisconnected("the connection was lost")
        # The end is written after the socket took everything before it: a connection that is lost until then did not
        # carry a whole mail.
        sink = cast("asyncio.WriteTransport", transport)
        sink.set_write_buffer_limits(high=0)
        self._writer = asyncio.StreamWriter(sink, protocol, None, asyncio.get_running_loop())
        content = _on_the_wire(self._request.body)
        for start in range(0, len(content), _CHUNK):
            self._writer.write(content[start : start + _CHUNK])
            await self._writer.drain()
        if not protocol.is_connected:
            raise aiosmtplib.SMTPServerDisconnected("the connection was lost")
        self._ended = True
        protocol.write(b".\r\n")
        reply = await protocol.read_response()
        if protocol.is_connected:
            protocol.write(b"QUIT\r\n")  # closing sends it; nobody waits for the goodbye
        return self._response(reply.code, reply.message, stage="accepted" if reply.code in _TAKEN else "data")

    def _response(self, code: int, text: str, stage: str | None = None) -> MailResponse:
        return MailResponse(code=code, text=text, stage=stage or self._stage, message_id=self._request.message_id)


def _on_the_wire(body: bytes) -> bytes:
    """Returns a mail with the line ends that SMTP wants and no line that could be taken for its end."""
    content = _LINE_END.sub(b"\r\n", body)
    return _DOT.sub(b"..", content if content.endswith(b"\r\n") else content + b"\r\n")
