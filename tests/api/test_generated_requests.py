"""Requests that a machine makes up from the OpenAPI document never break the server or its promises."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as limits
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import create_app
from db.session import Database
from sealing import KeyRing
from settings import Settings

_PROMISES = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
# No key of a tenant opens the operator's paths; callbacks are raw bytes that providers sign.
_LEFT_OUT = "^/(metrics|v1/tenants|api/webhooks)"
_LIMITS = limits(
    max_examples=250,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@contextmanager
def _served(settings: Settings, key_ring: KeyRing) -> Iterator[str]:
    """Serves the application from a thread of its own, for a client that is not asynchronous."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = uvicorn.Config(create_app(settings, key_ring=key_ring), host="127.0.0.1", port=port, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)


@pytest.fixture
async def key(make_key: object, tenant_id: UUID) -> str:
    """A key that may do everything."""
    made: str = await make_key(tenant_id)  # type: ignore[operator]  # a factory of conftest
    return made


@pytest.mark.slow
def test_made_up_requests_are_answered_as_the_document_says(
    settings: Settings, database: Database, key_ring: KeyRing, key: str
) -> None:
    assert database is not None
    with _served(settings, key_ring) as url:
        schema = schemathesis.openapi.from_url(f"{url}/openapi.json").exclude(path_regex=_LEFT_OUT)

        answered: dict[str, set[int]] = {}

        @_LIMITS
        @given(case=schema.as_strategy())
        def ask(case: schemathesis.Case[Any]) -> None:
            answer = case.call_and_validate(checks=_PROMISES, headers={"X-Site-Key": key})
            answered.setdefault(f"{case.method} {case.path}", set()).add(answer.status_code)

        ask()
    assert len(answered) > 20, "too few operations were asked for the run to mean anything"
    assert {200, 201, 404, 422} <= set().union(*answered.values())
