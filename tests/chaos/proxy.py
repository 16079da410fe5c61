"""A TCP proxy in front of PostgreSQL that breaks connections at instants which no signal can hit.

It reads the message framing of the protocol, so it can cut a connection after the server answered a COMMIT and before
the client hears of it, or before the server gets the COMMIT at all: to the client both look the same. It speaks no
TLS and says so to clients that ask.

Source: https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from enum import StrEnum

_CHUNK = 64 * 1024
_ENCRYPTION_REQUESTS = (80877103, 80877104)  # TLS and GSSAPI; both are answered with one byte
_NO = b"N"
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing throws away what was not sent and resets the connection


class Mode(StrEnum):
    """What the proxy does with connections and bytes."""

    PASS = "pass"
    REFUSE = "refuse"
    SWALLOW = "swallow"


class Framing:
    """Splits one direction of a connection into whole messages; what is incomplete waits for the rest."""

    def __init__(self, *, startup: bool) -> None:
        self._untyped = startup
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yields the messages that `data` completes."""
        self._rest += data
        while (size := self._size()) is not None:
            message, self._rest = self._rest[:size], self._rest[size:]
            if self._untyped:
                self._untyped = int.from_bytes(message[4:8]) in _ENCRYPTION_REQUESTS
            yield message

    def _size(self) -> int | None:
        before = 0 if self._untyped else 1
        if len(self._rest) < before + 4:
            return None
        size = before + int.from_bytes(self._rest[before : before + 4])
        return size if len(self._rest) >= size else None


def is_commit_order(message: bytes) -> bool:
    """Tells whether a client asks for a COMMIT with this message."""
    return message[:1] == b"Q" and message[5:].rstrip(b";\x00 \n").upper() == b"COMMIT"


def is_commit_answer(message: bytes) -> bool:
    """Tells whether a server says with this message that it committed."""
    return message == b"C\x00\x00\x00\x0bCOMMIT\x00"


class Link:
    """One client's connection, and ours to the server on its behalf."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._writers = (client, server)
        self.lost_bytes = False
        self.gone = asyncio.Event()

    def cut(self) -> None:
        """Resets both sides at once."""
        for writer in self._writers:
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()


class PostgresProxy:
    """Listens on a port of its own and passes everything on to `host:port`, unless told otherwise while it runs."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._port = 0
        self._listener: asyncio.Server | None = None
        self._links: set[Link] = set()
        self._mode = Mode.PASS
        self._delay = 0.0
        self._before_commits = 0
        self._after_commits = 0
        self.commits_cut = 0
        """How many connections were cut at a COMMIT."""

    @property
    def port(self) -> int:
        """Returns the port of this machine's loopback that it listens on; it never changes."""
        return self._port

    @property
    def connections(self) -> int:
        """Returns how many connections pass through it now."""
        return len(self._links)

    async def start(self, port: int = 0) -> None:
        """Begins to listen; port 0 takes a free one."""
        self._port = port
        await self._listen()

    async def stop(self) -> None:
        """Cuts everything and listens no more."""
        links = list(self._links)
        self.refuse()
        await asyncio.gather(*(link.gone.wait() for link in links))

    async def let_pass(self) -> None:
        """Ends every fault; connections whose bytes were swallowed are cut, since they can never go on."""
        self._mode, self._delay, self._before_commits, self._after_commits = Mode.PASS, 0.0, 0, 0
        for link in [link for link in self._links if link.lost_bytes]:
            link.cut()
        if self._listener is None:
            await self._listen()

    def refuse(self) -> None:
        """Cuts everything and refuses new connections, as a machine without a server does."""
        self._mode = Mode.REFUSE
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self.cut()

    def swallow(self) -> None:
        """Takes connections and bytes and passes nothing on, as a network does that lost its route."""
        self._mode = Mode.SWALLOW

    def delay(self, seconds: float) -> None:
        """Holds every piece of data back for so long, in each direction; 0 ends it."""
        self._delay = seconds

    def cut(self) -> int:
        """Resets every connection that there is and returns how many; new ones may follow."""
        links = list(self._links)
        for link in links:
            link.cut()
        return len(links)

    def cut_after_commit(self, times: int = 1) -> None:
        """Cuts the next so many connections whose COMMIT was done, before the client hears of it."""
        self._after_commits = times

    def cut_before_commit(self, times: int = 1) -> None:
        """Cuts the next so many connections that ask for a COMMIT, before the server hears of it."""
        self._before_commits = times

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._connected, "127.0.0.1", self._port, reuse_address=True)
        self._port = self._listener.sockets[0].getsockname()[1]

    async def _connected(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            from_server, to_server = await asyncio.open_connection(*self._upstream)
        except OSError:
            to_client.transport.abort()
            return
        link = Link(to_client, to_server)
        self._links.add(link)
        directions = [
            asyncio.create_task(self._pump(link, from_client, to_server, self._from_client(link, to_client))),
            asyncio.create_task(self._pump(link, from_server, to_client, self._from_server(link))),
        ]
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for direction in directions:
                direction.cancel()
            await asyncio.gather(*directions, return_exceptions=True)
            self._links.discard(link)
            link.gone.set()
            for writer in (to_client, to_server):
                writer.close()

    async def _pump(
        self,
        link: Link,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        judged: Callable[[bytes], bytes],
    ) -> None:
        """Passes one direction on until either end closes; `judged` returns what of the data is passed on."""
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(_CHUNK):
                passed = judged(data)
                if self._delay:
                    await asyncio.sleep(self._delay)
                if self._mode is Mode.SWALLOW:
                    link.lost_bytes = True
                    continue
                writer.write(passed)
                await writer.drain()

    def _from_client(self, link: Link, to_client: asyncio.StreamWriter) -> Callable[[bytes], bytes]:
        framing = Framing(startup=True)

        def judged(data: bytes) -> bytes:
            passed = b""
            for message in framing.feed(data):
                if int.from_bytes(message[4:8]) in _ENCRYPTION_REQUESTS and len(message) == 8:
                    to_client.write(_NO)
                elif self._before_commits and is_commit_order(message):
                    self._before_commits -= 1
                    return self._cut_at_commit(link)
                else:
                    passed += message
            return passed

        return judged

    def _from_server(self, link: Link) -> Callable[[bytes], bytes]:
        framing = Framing(startup=False)

        def judged(data: bytes) -> bytes:
            passed = b""
            for message in framing.feed(data):
                if self._after_commits and is_commit_answer(message):
                    self._after_commits -= 1
                    return self._cut_at_commit(link)
                passed += message
            return passed

        return judged

    def _cut_at_commit(self, link: Link) -> bytes:
        self.commits_cut += 1
        link.cut()
        return b""


@asynccontextmanager
async def proxied(host: str, port: int) -> AsyncIterator[PostgresProxy]:
    """Yields a proxy in front of `host:port`."""
    proxy = PostgresProxy(host, port)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
