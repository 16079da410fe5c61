"""The sandbox as a process: it starts, stops in time, and stands up again after SIGKILL."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from .conftest import GUEST, NUMBER, TOKEN, registration


class Process:
    """One sandbox process on ports of its own."""

    def __init__(self, folder: Path) -> None:
        self.port, self.smtp_port = _free_port(), _free_port()
        self._environment = {
            **os.environ,
            "CARILLON_SANDBOX_PORT": str(self.port),
            "CARILLON_SANDBOX_SMTP_PORT": str(self.smtp_port),
            "CARILLON_SANDBOX_JOURNAL": str(folder / "journal.jsonl"),
        }
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", verify=False, timeout=5)  # noqa: S501 - plain HTTP
        self.running: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        self.running = subprocess.Popen([sys.executable, "-m", "sandbox.serve"], env=self._environment)
        deadline = time.monotonic() + 20
        while not self._healthy():
            assert self.running.poll() is None, "the sandbox ended at once"
            assert time.monotonic() < deadline, "the sandbox did not start"
            time.sleep(0.02)  # leaves the core to the process that starts
        return self.running

    def stop(self) -> None:
        self.client.close()
        if self.running is not None:
            self.running.kill()
            self.running.wait(10)

    def _healthy(self) -> bool:
        try:
            return self.client.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    one = Process(tmp_path)
    yield one
    one.stop()


def test_a_killed_sandbox_keeps_its_word_and_a_told_one_stops_in_time(process: Process) -> None:
    process.start()
    process.client.put(f"/_sandbox/numbers/{NUMBER}", json=registration(None))
    body = {"messaging_product": "whatsapp", "to": GUEST, "text": {"body": "x"}, "biz_opaque_callback_data": "ref-1"}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    sent = [process.client.post(f"/v26.0/{NUMBER}/messages", json=body, headers=headers).json() for _ in range(20)]
    assert process.running is not None
    process.running.send_signal(signal.SIGKILL)
    process.running.wait(10)

    again = process.start()
    entries = process.client.get("/journal", params={"kind": "accepted"}).json()["entries"]
    assert [entry["id"] for entry in entries] == [one["messages"][0]["id"] for one in sent]
    more = process.client.post(f"/v26.0/{NUMBER}/messages", json=body, headers=headers)
    assert more.status_code == 200
    with socket.create_connection(("127.0.0.1", process.smtp_port), timeout=5) as idle:
        assert idle.recv(100).startswith(b"220 ")
        began = time.monotonic()
        again.terminate()
        assert again.wait(5) == 0
        assert time.monotonic() - began < 2


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
