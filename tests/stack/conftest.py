"""Fixtures for tests that start real processes."""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from stack.child import Program
from stack.logs import PartLog
from stack.postgres_cluster import SERVICE_USER, Cluster

Eventually = Callable[[Callable[[], bool]], Awaitable[None]]

_HTTP_SERVER = """
import http.server, sys
class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *a): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Healthy).serve_forever()
"""


@pytest.fixture
def eventually() -> Eventually:
    """Waits until something is true, and fails when it is not after ten seconds."""

    async def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, f"still not true: {condition}"
            await asyncio.sleep(0.02)

    return wait


@pytest.fixture
def public_directory() -> Iterator[Path]:
    """A temporary directory that the server's user may enter, too."""
    directory = Path(tempfile.mkdtemp(prefix="carillon-test-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def cluster(public_directory: Path) -> Cluster:
    """A place for the files of a PostgreSQL server."""
    return Cluster(directory=public_directory / "cluster", user=SERVICE_USER if os.geteuid() == 0 else None)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[PartLog]:
    """A log in a temporary directory."""
    made = PartLog(tmp_path / "part.log")
    yield made
    made.close()


@pytest.fixture
def python(tmp_path: Path) -> Callable[..., Program]:
    """Makes a program from a piece of Python and its arguments."""

    def make(code: str, *arguments: str) -> Program:
        command = [sys.executable, "-u", "-c", code, *arguments]
        return Program(command=command, environment=dict(os.environ), directory=tmp_path)

    return make


@pytest.fixture
def http_server() -> list[str]:
    """The command of a small server that is healthy on the port that follows."""
    return [sys.executable, "-c", _HTTP_SERVER]
