"""Requests that nobody sends by accident, and the plain answers to them."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.json_body import parse
from api.problems import Problem
from db.session import Database
from sealing import KeyRing
from settings import Settings

JSON = {"Content-Type": "application/json"}


def _nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(b"{", "Expecting property name", id="cut off"),
        pytest.param(b'{"name": "x",}', "Illegal trailing comma|Expecting property name", id="trailing comma"),
        pytest.param(b'{"name": "a", "name": "b"}', "'name' stands twice", id="duplicate key"),
        pytest.param(b'{"x": {"y": 1, "\\u0079": 2}}', "'y' stands twice", id="duplicate key behind an escape"),
        pytest.param(b'{"name": NaN}', "NaN", id="NaN"),
        pytest.param(b'{"name": -Infinity}', "Infinity", id="minus infinity"),
        pytest.param(b'{"name": 1e400}', "double", id="number beyond a double"),
        pytest.param(b'{"name": 1e-400}', "double", id="number below a double"),
        pytest.param(b'{"name": 0.' + b"1" * 100 + b"}", "double", id="number with a hundred digits"),
        pytest.param(b'{"name": ' + b"9" * 5000 + b"}", "64 bits", id="endless integer"),
        pytest.param(b'{"name": 9223372036854775808}', "64 bits", id="integer of 65 bits"),
        pytest.param(_nested(65), "64 levels", id="65 levels"),
        pytest.param(b'{"a":' * 65 + b"1" + b"}" * 65, "64 levels", id="65 objects"),
        pytest.param(b"[" * 500_000, "64 levels", id="half a million brackets"),
        pytest.param(b'{"name": "\xff"}', "UTF-8", id="not UTF-8"),
        pytest.param(b'{"name": "\xed\xa0\x80"}', "UTF-8", id="surrogate in UTF-8"),
        pytest.param('{"name": "x"}'.encode("utf-16"), "UTF-8", id="UTF-16"),
        pytest.param(b'{"name": "\\ud800"}', "surrogate", id="lone surrogate"),
        pytest.param(b'{"\\udc00": 1}', "surrogate", id="lone surrogate as key"),
        pytest.param(b'{"name": "a\\u0000b"}', "NUL", id="escaped NUL"),
        pytest.param(b'{"name": "a\x00b"}', "control character", id="raw NUL"),
        pytest.param(b'"' + b'\\"' * 400_000, "Unterminated", id="string without end"),
    ],
)
async def test_what_not_every_reader_reads_alike_is_refused(client: httpx.AsyncClient, body: bytes, said: str) -> None:
    answer = await client.post("/v1/keys", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:carillon:problem:malformed-json")
    assert any(part in answer.json()["detail"] for part in said.split("|")), answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": "\\ud83d\\ude00"}', {"a": "😀"}),
        (b'{"a": "[[[[{{{{"}', {"a": "[[[[{{{{"}),
        (_nested(64), None),
        (b'"' + b"[" * 100 + b'"', "[" * 100),
        (b'["\\\\", ' + b"[" * 63 + b"]" * 63 + b"]", None),
        (b"9223372036854775807", 2**63 - 1),
    ],
    ids=["surrogate pair", "brackets in a string", "64 levels", "only a string", "backslash", "64 bits"],
)
def test_what_is_only_unusual_is_taken(body: bytes, value: Any) -> None:
    parsed = parse(body)
    assert value is None or parsed == value


def test_fractions_keep_all_their_digits() -> None:
    assert str(parse(b'{"price": 0.10}')["price"]) == "0.10"


def test_a_refused_key_is_cut_short() -> None:
    with pytest.raises(Problem) as raised:
        parse(b'{"%s": 1, "%s": 2}' % (b"k" * 5000, b"k" * 5000))
    assert len(str(raised.value.detail)) < 200


@pytest.mark.parametrize(
    "headers", [{}, {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}], ids=str
)
async def test_a_body_of_another_media_type_is_refused(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await client.post("/v1/keys", content=b'{"name": "x", "scopes": ["*"]}', headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (415, "urn:carillon:problem:unsupported-media-type")


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "application/vnd.acme+json"])
async def test_json_by_any_of_its_names_is_taken(client: httpx.AsyncClient, media_type: str) -> None:
    answer = await client.post(
        "/v1/keys", content=b'{"name": "x", "scopes": ["*"]}', headers={"Content-Type": media_type}
    )
    assert answer.status_code == 201


async def test_a_body_that_declares_too_much_is_refused_unread(client: httpx.AsyncClient) -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""  # makes this a generator

    headers = JSON | {"Content-Length": str(1024 * 1024 + 1)}
    answer = await client.post("/v1/keys", content=never(), headers=headers)
    assert (answer.status_code, answer.json()["limit"]) == (413, 1024 * 1024)


async def test_a_body_that_declares_nothing_is_counted(client: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 64 * 1024
            yield b" " * 64 * 1024

    answer = await client.post("/v1/keys", content=endless(), headers=JSON)
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:carillon:problem:body-too-large")
    assert sent <= 1024 * 1024 + 128 * 1024


async def test_a_body_of_exactly_the_limit_is_read(client: httpx.AsyncClient) -> None:
    body = b'{"name": "x", "scopes": ["*"]}'
    answer = await client.post("/v1/keys", content=body.ljust(1024 * 1024), headers=JSON)
    assert answer.status_code == 201


@pytest.mark.parametrize("path", ["/v1/recipients/a%00b", "/v1/recipients?external_id=%00", "/%00"])
async def test_a_nul_in_the_url_is_refused(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:carillon:problem:bad-request")


@pytest.mark.parametrize("path", ["/v1/recipients?address=%ff%fe", "/v1/audit?actor=%ed%a0%80", "/v1/recipients/%ff"])
async def test_bytes_that_are_no_text_find_nothing_and_break_nothing(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code in {200, 404, 422}


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/v1/nowhere", 404, "not-found"),
        ("DELETE", "/v1/keys", 405, "method-not-allowed"),
        ("GET", "/v1/keys/not-a-uuid", 422, "validation-failed"),
        ("GET", "/v1/keys?limit=0", 422, "validation-failed"),
        ("GET", "/v1/keys?limit=many", 422, "validation-failed"),
        ("GET", "/v1/audit?since=yesterday", 422, "validation-failed"),
        ("GET", "/v1/audit?since=2026-01-01T00:00:00", 422, "validation-failed"),
    ],
)
async def test_every_error_of_the_framework_is_a_problem(
    client: httpx.AsyncClient, method: str, path: str, status: int, kind: str
) -> None:
    answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:carillon:problem:{kind}")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["instance"].endswith(answer.headers["X-Request-Id"])


async def test_an_error_in_the_query_names_the_parameter(client: httpx.AsyncClient) -> None:
    errors = (await client.get("/v1/keys?limit=0")).json()["errors"]
    assert [(error["in"], error["parameter"]) for error in errors] == [("query", "limit")]


async def test_a_defect_of_ours_tells_nothing(settings: Settings, database: Database, key_ring: KeyRing) -> None:
    app = create_app(settings, database=database, key_ring=key_ring)

    @app.get("/defect")
    async def defect() -> None:
        raise RuntimeError("the password is swordfish")

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://test"
    ) as anonymous:
        answer = await anonymous.get("/defect")
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:carillon:problem:internal-error")
    assert "swordfish" not in answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("given", ["abc-123", "x" * 65, "two words", ""])
async def test_a_request_keeps_its_id_when_it_is_harmless(anonymous: httpx.AsyncClient, given: str) -> None:
    answer = await anonymous.get("/healthz", headers={"X-Request-Id": given})
    assert (answer.headers["X-Request-Id"] == given) == (given == "abc-123")
