"""The transport over HTTP, against servers that refuse, hang, break off, babble and dawdle on real sockets."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from domain.errors import DeliveryError, Misconfigured, Unavailable, Uncertain
from providers.transport import Transport

from .conftest import Conversation, Listen

TIMES: dict[str, Any] = {"connect_timeout": 0.3, "total_timeout": 0.6}
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def post(port: int, scheme: str = "http", host: str = "127.0.0.1") -> httpx.Request:
    return httpx.Request("POST", f"{scheme}://{host}:{port}/messages", json={"a": 1}, headers={"x-mark": "1"})


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().splitlines() if line.startswith(b"content-length"))
    return head + await reader.readexactly(int(length.partition(b":")[2]))


def answering(*answers: bytes, seen: list[bytes] | None = None, close: bool = False) -> Conversation:
    """Returns a conversation that answers each request with the next answer, the last one for all further ones."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = list(answers)
        while True:
            request = await read_request(reader)
            if seen is not None:
                seen.append(request)
            writer.write(left.pop(0) if len(left) > 1 else left[0])
            await writer.drain()
            if close:
                return

    return converse


async def hanging(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def dropping(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await read_request(reader)


async def resetting(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def dawdling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    for byte in ANSWER:
        writer.write(bytes([byte]))
        await asyncio.sleep(1)


async def outcome(transport: Transport, request: httpx.Request) -> type[DeliveryError]:
    with pytest.raises(DeliveryError) as error:
        await transport.send(request)
    assert "/messages" not in error.value.detail
    return type(error.value)


async def test_an_answer_comes_back_whole(transport: Transport, listen: Listen) -> None:
    seen: list[bytes] = []
    answer = b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    response = await transport.send(post(await listen(answering(answer, seen=seen))))
    assert isinstance(response, httpx.Response)
    assert (response.status_code, response.content, response.headers["retry-after"]) == (429, b"abc", "7")
    (request,) = seen
    assert request.startswith(b"POST /messages HTTP/1.1\r\n")
    assert request.endswith(b'\r\n\r\n{"a":1}')
    for line in (
        b"x-mark: 1",
        b"content-type: application/json",
        b"accept-encoding: identity",
        b"user-agent: carillon",
    ):
        assert request.lower().count(line) == 1


BROKEN: dict[str, Conversation] = {
    "hangs": hanging,
    "closes after reading": dropping,
    "resets": resetting,
    "one byte a second": dawdling,
    "no HTTP": answering(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "cut off": answering(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{", close=True),
    "broken chunks": answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "too large": answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + b" " * 2_000_000),
    "packed": answering(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"),
    "endless header": answering(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_whatever_happens_after_connecting_is_doubt(transport: Transport, listen: Listen, name: str) -> None:
    requests = 0

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        requests += 1
        await BROKEN[name](reader, writer)

    assert await outcome(transport, post(await listen(counted))) is Uncertain
    assert requests == 1


async def test_nobody_listening_means_that_nothing_was_sent(transport: Transport) -> None:
    assert await outcome(transport, post(1)) is Unavailable
    assert await outcome(transport, post(80, host="nowhere.invalid")) is Unavailable


@pytest.mark.parametrize("conversation", [hanging, answering(ANSWER)], ids=["no handshake", "no TLS"])
async def test_a_failed_handshake_means_that_nothing_was_sent(
    transport: Transport, listen: Listen, conversation: Conversation
) -> None:
    assert await outcome(transport, post(await listen(conversation), "https")) is Unavailable


async def test_a_certificate_of_somebody_unknown_means_that_nothing_was_sent(
    listen: Listen, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    seen: list[bytes] = []
    server, trusting = tls
    tcp = await listen(answering(ANSWER, seen=seen), server)
    distrustful, trustful = Transport(**TIMES), Transport(**TIMES, tls=trusting)
    try:
        assert await outcome(distrustful, post(tcp, "https")) is Unavailable
        assert seen == []
        response = await trustful.send(post(tcp, "https"))
        assert isinstance(response, httpx.Response)
        assert (response.status_code, len(seen)) == (200, 1)
    finally:
        await distrustful.aclose()
        await trustful.aclose()


async def test_no_free_connection_means_that_nothing_was_sent(listen: Listen) -> None:
    transport = Transport(**TIMES, connections=1)
    port = await listen(hanging)
    try:
        outcomes = await asyncio.gather(*(outcome(transport, post(port)) for _ in range(2)))
    finally:
        await transport.aclose()
    assert sorted(kind.__name__ for kind in outcomes) == ["Unavailable", "Uncertain"]


async def test_an_address_that_is_no_http_url_is_a_mistake_of_the_account(transport: Transport) -> None:
    assert await outcome(transport, httpx.Request("POST", "ftp://127.0.0.1/messages")) is Misconfigured


async def test_a_large_refusal_is_read_as_far_as_it_is_needed(transport: Transport, listen: Listen) -> None:
    answer = b"HTTP/1.1 400 Bad\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 2_000_000
    response = await transport.send(post(await listen(answering(answer))))
    assert isinstance(response, httpx.Response)
    assert (response.status_code, len(response.content)) == (400, 1024 * 1024)


async def test_redirects_and_cookies_are_not_followed(transport: Transport, listen: Listen) -> None:
    seen: list[bytes] = []
    answer = b"HTTP/1.1 302 Found\r\nLocation: /other\r\nSet-Cookie: a=1\r\nContent-Length: 0\r\n\r\n"
    port = await listen(answering(answer, seen=seen))
    for _ in range(2):
        response = await transport.send(post(port))
        assert isinstance(response, httpx.Response)
        assert response.status_code == 302
    assert len(seen) == 2
    assert b"cookie" not in seen[1].lower()


async def count_connections(listen: Listen, send: Callable[[int], Any], *, closing: bool = False) -> int:
    """Returns how many connections a server saw while `send` talked to it."""
    connections = 0

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await answering(ANSWER, close=closing)(reader, writer)

    await send(await listen(counted))
    return connections


@pytest.mark.parametrize(
    ("keep_alive", "pause", "expected"),
    [(5.0, 0.0, 1), (0.05, 0.1, 2), (0.0, 0.0, 2)],
    ids=["used again at once", "left alone", "never kept"],
)
async def test_a_connection_is_used_again_only_while_it_is_fresh(
    listen: Listen, keep_alive: float, pause: float, expected: int
) -> None:
    transport = Transport(**TIMES, keep_alive=keep_alive)

    async def twice(port: int) -> None:
        await transport.send(post(port))
        await asyncio.sleep(pause)  # the time that passes is the fact under test
        await transport.send(post(port))

    assert await count_connections(listen, twice) == expected
    await transport.aclose()


async def test_a_peer_that_closes_after_each_answer_makes_no_doubt(transport: Transport, listen: Listen) -> None:
    async def often(port: int) -> None:
        for _ in range(100):
            await transport.send(post(port))

    assert await count_connections(listen, often, closing=True) == 100


async def test_cancelling_is_not_turned_into_an_outcome(transport: Transport, listen: Listen) -> None:
    reached = asyncio.Event()

    async def converse(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        reached.set()
        await reader.read()

    sending = asyncio.create_task(transport.send(post(await listen(converse))))
    await reached.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending


@pytest.mark.parametrize("times", [(8.0, 8.0), (0.0, 8.0)])
def test_times_that_could_not_tell_connecting_from_sending_are_refused(times: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="connect_timeout"):
        Transport(connect_timeout=times[0], total_timeout=times[1])
