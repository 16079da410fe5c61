"""The codec endpoint opens payloads for operators who signed in, and for nobody else."""

import base64

import httpx
import pytest
from temporalio.api.common.v1 import Payload

from sealing import KeyRing
from tests.api.conftest import OPERATOR_KEY
from workflows.codec import SealingCodec

UI = "http://127.0.0.1:8233"


@pytest.fixture
async def sealed(key_ring: KeyRing) -> dict[str, object]:
    plain = Payload(metadata={"encoding": b"json/plain"}, data=b'"Asha"')
    payload = (await SealingCodec(key_ring).encode([plain]))[0]
    metadata = {name: base64.b64encode(value).decode() for name, value in payload.metadata.items()}
    return {"payloads": [{"metadata": metadata, "data": base64.b64encode(payload.data).decode()}]}


async def test_nobody_reads_without_signing_in(anonymous: httpx.AsyncClient, sealed: dict[str, object]) -> None:
    answer = await anonymous.post("/codec/decode", json=sealed, headers={"Origin": UI})
    assert answer.status_code == 401


async def test_an_operator_who_signed_in_reads(anonymous: httpx.AsyncClient, sealed: dict[str, object]) -> None:
    session = await anonymous.post("/codec/session", data={"key": OPERATOR_KEY})
    assert session.status_code == 303
    answer = await anonymous.post("/codec/decode", json=sealed, headers={"Origin": UI})
    assert answer.status_code == 200
    assert base64.b64decode(answer.json()["payloads"][0]["data"]) == b'"Asha"'
    assert answer.headers["access-control-allow-origin"] == UI
    assert "signed in" in (await anonymous.get("/codec")).text


async def test_a_wrong_key_starts_no_session(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.post("/codec/session", data={"key": "guess"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("cookie", ["", "9999999999.", "9999999999.AAAA", "1.x", "abc", "9" * 5000 + ".x"])
async def test_a_forged_session_is_none(anonymous: httpx.AsyncClient, sealed: dict[str, object], cookie: str) -> None:
    anonymous.cookies.set("carillon_codec", cookie)
    assert (await anonymous.post("/codec/decode", json=sealed)).status_code == 401


async def test_other_pages_may_not_ask(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.options("/codec/decode", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers


async def test_a_damaged_payload_is_a_plain_problem(operator: httpx.AsyncClient) -> None:
    metadata = {"encoding": base64.b64encode(b"binary/carillon-aes256gcm").decode()}
    damaged = {"payloads": [{"metadata": metadata, "data": base64.b64encode(b"x").decode()}]}
    answer = await operator.post("/codec/decode", json=damaged)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
