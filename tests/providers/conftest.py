"""Fixtures of the providers' tests."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from pywa import handlers
from pywa.client import WhatsApp

from providers.meta import Meta
from providers.smtp import Smtp
from providers.transport import Transport

from .cases import META_CONFIG, SMTP_CONFIG

Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Listen = Callable[[Conversation], Awaitable[int]]


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
    """Starts servers that hold the conversations given, and returns their ports."""
    servers: list[asyncio.Server] = []
    conversations: set[asyncio.Task[None]] = set()

    async def start(conversation: Conversation) -> int:
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

        server = await asyncio.start_server(hold, "127.0.0.1", 0)
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
