"""A stand-in for a provider's HTTP API that does nothing but accept, as a process: `python -m bench.provider PORT`.

It answers every POST 10 ms after it came, with an id, as WhatsApp's Graph API does. `GET /seen` tells how many messages
came, how many of them more than once, and when (seconds of the monotonic clock) the first and the last one; `GET
/times?from=N` tells when each recipient's message came; `POST /forget` forgets them; `POST /slow` with a number of
seconds changes how long an answer takes. Everything is kept in memory: it must never be what limits a measurement.
"""

import asyncio
import json
import sys
import time
import uuid
from collections import Counter
from typing import Any, cast

import uvloop

NUMBER_ID = "106540352242922"
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"


class Journal:
    """What came so far."""

    def __init__(self) -> None:
        self.answer_after = 0.010
        self.times: dict[str, float] = {}
        self.counts: Counter[str] = Counter()

    def came(self, to: str) -> None:
        """Notes a message."""
        self.times.setdefault(to, time.monotonic())
        self.counts[to] += 1

    def seen(self) -> dict[str, Any]:
        """Returns the sums."""
        times = self.times.values()
        twice = sum(count > 1 for count in self.counts.values())
        return {
            "messages": len(self.times),
            "twice": twice,
            "first": min(times, default=0),
            "last": max(times, default=0),
        }


class Connection(asyncio.Protocol):
    """One connection; requests on it are answered in their order, each after its time."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the way back."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Takes whatever came, and answers each request that is complete."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            place = head.find(b"content-length:")
            length = int(head[place + 15 : (head + b"\r\n").find(b"\r\n", place)]) if place >= 0 else 0
            if len(self._buffer) < end + 4 + length:
                return
            line, body = self._buffer[: self._buffer.find(b"\r\n")].decode(), self._buffer[end + 4 : end + 4 + length]
            self._buffer = self._buffer[end + 4 + length :]
            method, path, _ = line.split(" ", maxsplit=2)
            self._request(method, path, body)

    def _request(self, method: str, path: str, body: bytes) -> None:
        if method == "GET":
            self._answer(self._told(path))
        elif path == "/forget":
            self._journal.times.clear()
            self._journal.counts.clear()
            self._answer({})
        elif path == "/slow":
            self._journal.answer_after = float(json.loads(body))
            self._answer({})
        else:
            self._message(json.loads(body) if body else {})

    def _message(self, body: dict[str, Any]) -> None:
        to = body.get("to")
        if to is None:
            self._answer({"id": NUMBER_ID, "success": True})
            return
        self._journal.came(to)
        contacts = [{"input": to, "wa_id": to.lstrip("+")}]
        accepted = {
            "messaging_product": "whatsapp",
            "contacts": contacts,
            "messages": [{"id": f"wamid.{uuid.uuid4()}"}],
        }
        asyncio.get_running_loop().call_later(self._journal.answer_after, self._answer, accepted)

    def _told(self, path: str) -> dict[str, Any]:
        if path.startswith("/seen"):
            return self._journal.seen()
        if path.startswith("/times"):
            return self._journal.times
        return {"id": NUMBER_ID}

    def _answer(self, told: dict[str, Any]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            body = json.dumps(told).encode()
            self._transport.write(_HEAD % (len(body), body))


async def serve(port: int) -> None:
    """Serves until the process is ended."""
    journal = Journal()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(journal), "127.0.0.1", port, backlog=4096
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
