"""Runs commands of `carillon` beside the API that they ask, over a real connection."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import uvicorn
from fastapi import FastAPI
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from cli import app as commands

Command = Callable[..., Awaitable[Result]]


@asynccontextmanager
async def commanding(app: FastAPI, key: str, monkeypatch: pytest.MonkeyPatch, *group: str) -> AsyncIterator[Command]:
    """Yields what runs a command of a group, with what is said to it; the API's key is `key`."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:
            await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    monkeypatch.setenv("CARILLON_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("CARILLON_KEY", key)

    async def run(*arguments: str, said: str = "") -> Result:
        return await asyncio.to_thread(lambda: CliRunner().invoke(commands, [*group, *arguments], input=said))

    with capture_logs():  # the command's output is its own, not that of the API beside it
        yield run
    server.should_exit = True
    await serving
