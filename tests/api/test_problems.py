"""Problem documents: the parts that no single operation shows."""

import asyncio
from typing import Literal

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from pydantic import Field
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from starlette.exceptions import HTTPException

from api.models import Body
from api.problem_types import TYPES, Kind
from api.problems import Problem
from api.routing import noun_router
from api.services import Background
from db.errors import is_unavailable


class _ByPhone(Body):
    kind: Literal["phone"]
    value: str


class _ByName(Body):
    kind: Literal["name"]
    value: str
    tags: dict[str, int] = Field(default_factory=dict)


class _Wanted(Body):
    to: _ByPhone | _ByName


@pytest.fixture
def extended(app: FastAPI) -> FastAPI:
    """The application with routes that fail in ways of their own."""
    router = noun_router("/trial", "Process")

    @router.post("/union")
    async def union(body: _Wanted) -> str:
        return body.to.kind

    @router.get("/teapot")
    async def teapot() -> None:
        raise HTTPException(418, "short and stout")

    @router.get("/gateway")
    async def gateway() -> None:
        raise HTTPException(502, "upstream 10.0.0.5 is away")

    app.include_router(router)
    return app


@pytest.mark.usefixtures("extended")
async def test_a_pointer_names_a_place_in_the_body_and_no_type(anonymous: httpx.AsyncClient) -> None:
    body = {"to": {"kind": "name", "tags": {"a/b~c": "x"}}}
    errors = (await anonymous.post("/trial/union", json=body)).json()["errors"]
    assert {"/to/kind", "/to/value", "/to/tags", "/to/tags/a~1b~0c"} == {error["pointer"] for error in errors}


@pytest.mark.usefixtures("extended")
async def test_other_errors_of_the_framework_become_problems(anonymous: httpx.AsyncClient) -> None:
    teapot, gateway = await anonymous.get("/trial/teapot"), await anonymous.get("/trial/gateway")
    assert "short and stout" in teapot.json()["detail"]
    assert (gateway.status_code, gateway.json()["type"]) == (500, "urn:carillon:problem:internal-error")
    assert "10.0.0.5" not in gateway.text


def test_a_problem_without_words_says_what_its_kind_says() -> None:
    assert Problem(Kind.NOT_FOUND).detail == TYPES[Kind.NOT_FOUND].remedy


def test_every_kind_has_its_row() -> None:
    assert list(TYPES) == list(Kind)


class _LostError(Exception):
    sqlstate = "08006"


class _WrongError(Exception):
    sqlstate = "42601"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionRefusedError(), True),
        (asyncpg.CannotConnectNowError(), True),
        (PoolExhausted(), True),
        (DBAPIError("SELECT", {}, _LostError()), True),
        (DBAPIError("SELECT", {}, _WrongError(), connection_invalidated=True), True),
        (DBAPIError("SELECT", {}, _WrongError()), False),
        (DBAPIError("SELECT", {}, ValueError()), False),
        (ValueError(), False),
    ],
    ids=["refused", "starting", "pool empty", "connection lost", "invalidated", "bad SQL", "no state", "ours"],
)
def test_a_database_that_is_away_is_told_from_a_defect(error: Exception, *, expected: bool) -> None:
    assert is_unavailable(error) is expected


async def test_work_beside_the_requests_fails_alone() -> None:
    done = asyncio.Event()
    background = Background()

    async def failing() -> None:
        raise RuntimeError("lost")

    async def working() -> None:
        done.set()

    background.start("failing", failing())
    background.start("working", working())
    await background.finish()
    assert done.is_set()
