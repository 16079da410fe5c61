"""Fixtures of the providers' tests."""

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pywa import handlers
from pywa.client import WhatsApp

from providers.meta import Meta
from providers.smtp import Smtp
from providers.transport import Transport

from .cases import META_CONFIG, SMTP_CONFIG

Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Listen(Protocol):
    """Starts a server that holds the conversation given, and returns its port."""

    def __call__(self, conversation: Conversation, tls: ssl.SSLContext | None = None) -> Awaitable[int]: ...


@pytest.fixture
def meta() -> Meta:
    return Meta.configure(META_CONFIG)


@pytest.fixture
def smtp() -> Smtp:
    return Smtp.configure(SMTP_CONFIG)


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    opened = Transport(connect_timeout=0.3, total_timeout=0.6)
    yield opened
    await opened.aclose()


@pytest.fixture
async def listen() -> AsyncIterator[Listen]:
    servers: list[asyncio.Server] = []
    conversations: set[asyncio.Task[None]] = set()

    async def start(conversation: Conversation, tls: ssl.SSLContext | None = None) -> int:
        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            conversations.add(task)
            try:
                await conversation(reader, writer)
            except (OSError, EOFError, asyncio.CancelledError):
                pass
            finally:
                conversations.discard(task)
                writer.close()

        server = await asyncio.start_server(hold, "127.0.0.1", 0, ssl=tls)
        servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    yield start
    for server in servers:
        server.close()
    for task in tuple(conversations):
        task.cancel()
    await asyncio.gather(*conversations, return_exceptions=True)


@pytest.fixture
def theirs() -> tuple[WhatsApp, list[Any]]:
    """The other client, and the updates that it read."""
    seen: list[Any] = []
    client = WhatsApp(
        phone_id=META_CONFIG["phone_number_id"],
        token="token",
        session=httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(500))),
        server=None,
        app_secret=META_CONFIG["app_secret"],
        verify_token=META_CONFIG["verify_token"],
        filter_updates=False,
    )
    kinds = (handlers.MessageHandler, handlers.CallbackButtonHandler, handlers.CallbackSelectionHandler)
    for kind in (*kinds, handlers.MessageStatusHandler, handlers.TemplateStatusUpdateHandler):
        client.add_handlers(kind(lambda _, update: seen.append(update)))
    return client, seen


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of a server at 127.0.0.1 and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(subject_name=name, issuer_name=name, public_key=key.public_key())
    builder = builder.serial_number(1).add_extension(names, critical=False)
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(secret + certificate)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cadata=certificate.decode())
