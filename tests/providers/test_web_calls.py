"""Calls of tenants' services on real sockets: signed, bounded, and never into our own network."""

import base64
import hmac
import json

import pytest

from domain.errors import DeliveryError, Rejected, Throttled, Unavailable
from providers.public_links import is_public
from providers.web_calls import LARGEST_ANSWER, Answer, WebCalls, shown_secret
from tests.providers.conftest import Listen
from tests.providers.test_transport import answering, resetting

SECRETS = (b"a" * 32, b"b" * 32)


def http(status: str, body: bytes = b"{}") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


async def post(port: int, *, allowed: bool = True, url: str | None = None) -> Answer:
    calls = WebCalls(frozenset({f"127.0.0.1:{port}"}) if allowed else frozenset())
    try:
        return await calls.post(
            url or f"http://127.0.0.1:{port}/check?x=1", b'{"a":1}', call_id="c-1", at=1_780_000_000, secrets=SECRETS
        )
    finally:
        await calls.aclose()


async def test_a_call_is_signed_with_every_secret(listen: Listen) -> None:
    seen: list[bytes] = []
    port = await listen(answering(http("200 OK", b'{"free": 3}'), seen=seen, close=True))
    assert await post(port) == Answer(status=200, body={"free": 3})
    head, _, body = seen[0].partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "post /check?x=1 http/1.1"
    assert json.loads(body) == {"a": 1}
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    found = {name.lower(): value for name, value in headers.items()}
    assert (found["webhook-id"], found["webhook-timestamp"]) == ("c-1", "1780000000")
    expected = [hmac.digest(secret, b'c-1.1780000000.{"a":1}', "sha256") for secret in SECRETS]
    assert found["webhook-signature"] == " ".join(f"v1,{base64.b64encode(one).decode()}" for one in expected)


def test_a_secret_is_shown_as_libraries_take_it() -> None:
    assert shown_secret(b"a" * 32) == "whsec_" + base64.b64encode(b"a" * 32).decode()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (http("204 No Content", b""), None),
        (http("200 OK", b"hello"), None),
        (http("200 OK", b'{"x": NaN}'), None),
        (http("200 OK", b'{"x": "\\u0000"}'), None),
        (http("200 OK", b"[" * 300 + b"]" * 300), None),
        (http("200 OK", b"123456789012345678901234567890"), None),
        (http("201 Created", b"[1, 2]"), [1, 2]),
    ],
    ids=["nothing", "a text", "a number that is none", "what cannot be stored", "too deep", "too large", "a list"],
)
async def test_what_is_seen_of_an_answer_is_json(listen: Listen, answer: bytes, expected: object) -> None:
    assert (await post(await listen(answering(answer, close=True)))).body == expected


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (http("404 Not Found"), Rejected),
        (http("301 Moved Permanently"), Rejected),
        (http("200 OK", b"1" * (LARGEST_ANSWER + 1)), Rejected),
        (http("429 Too Many Requests"), Throttled),
        (http("503 Service Unavailable"), Unavailable),
    ],
    ids=["a refusal", "a redirect", "too large", "too many", "away"],
)
async def test_what_an_answer_means(listen: Listen, answer: bytes, kind: type[DeliveryError]) -> None:
    with pytest.raises(kind):
        await post(await listen(answering(answer, close=True)))


async def test_a_service_that_breaks_off_is_away(listen: Listen) -> None:
    with pytest.raises(Unavailable):
        await post(await listen(resetting))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://127.0.0.1:1/", "must be an https URL"),
        ("https://127.0.0.1:1/", "private network"),
        ("https://[::1]:1/", "private network"),
        ("https://localhost/", "private network"),
        ("https://", "must be an https URL"),
        ("https://example.com:port/", "is not a URL"),
    ],
)
async def test_an_address_that_is_not_public_is_never_asked(url: str, message: str) -> None:
    with pytest.raises(Rejected, match=message):
        await post(1, allowed=False, url=url)


async def test_a_host_that_does_not_resolve_is_away() -> None:
    with pytest.raises(Unavailable, match="does not resolve"):
        await post(1, allowed=False, url="https://nobody.invalid/")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("10.0.0.1", False),
        ("169.254.169.254", False),
        ("::1", False),
        ("::ffff:10.0.0.1", False),
        ("::127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::5db8:d70e", True),
        ("2002:7f00:1::", False),
        ("fec0::1", False),
        ("fd00::1", False),
    ],
)
def test_only_addresses_of_the_internet_are_public(address: str, expected: bool) -> None:  # noqa: FBT001 - what is expected
    assert is_public(address) is expected


async def test_what_one_service_sets_no_other_gets(listen: Listen) -> None:
    seen: list[bytes] = []
    cookie = b"HTTP/1.1 200 OK\r\nSet-Cookie: sid=secret\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    port = await listen(answering(cookie, seen=seen, close=True))
    calls = WebCalls(frozenset({f"127.0.0.1:{port}"}))
    for _ in range(2):
        await calls.post(f"http://127.0.0.1:{port}/", b"{}", call_id="c", at=1, secrets=SECRETS)
    await calls.aclose()
    assert len(seen) == 2
    assert b"secret" not in seen[1]
