"""`carillon reconcile` and `carillon findings` as they are typed."""

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
import uvicorn
from fastapi import FastAPI
from structlog.testing import capture_logs
from temporalio.client import Client
from typer.testing import CliRunner, Result

from cli import app as commands
from db import findings
from db.findings import NewFinding
from db.session import Database
from db.tables import outbox
from domain.findings import Kind
from sealing import KeyRing
from stack.home import open_home
from stack.problems import StackError
from stack.secret_file import load_or_make
from stack.sides import find_sides
from stack.state import PartState, own_state, write_state
from tests.api.conftest import KeyFactory
from tests.api.conftest import app as app  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import make_key as make_key  # noqa: PLC0414 - a fixture for the tests here
from tests.api.conftest import settings as settings  # noqa: PLC0414 - a fixture for the tests here
from tests.stalled import Yard


@pytest.fixture
async def yard(database: Database, client: Client, tenant_id: UUID, key_ring: KeyRing) -> Yard:
    return await Yard.make(database, client, tenant_id, key_ring)


async def invoke(*arguments: str) -> Result:
    with capture_logs():  # what is logged is not what the command says
        return await asyncio.to_thread(lambda: CliRunner().invoke(commands, arguments))


@pytest.fixture
def both_sides(dsn: str, temporal: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names the database and the server of this test."""
    monkeypatch.setenv("CARILLON_DATABASE_URL", dsn)
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal)
    monkeypatch.setenv("CARILLON_KEY_RING", f"test:{base64.b64encode(b'k' * 32).decode()}")
    monkeypatch.setenv("CARILLON_TASK_QUEUE", "quiet")


@pytest.mark.usefixtures("both_sides")
async def test_a_divergence_is_told_with_what_would_be_done_and_nothing_changes(yard: Yard) -> None:
    made = await yard.notification()
    told = await invoke("reconcile")
    assert told.exit_code == 1
    assert "workflow_lost" in told.output
    assert str(made) in told.output
    assert "would be done" in told.output
    assert (await yard.rows(outbox), await yard.findings()) == ([], [])


@pytest.mark.usefixtures("both_sides")
async def test_repair_does_it_and_afterwards_both_sides_agree(yard: Yard) -> None:
    made = await yard.notification()
    told = await invoke("reconcile", "--repair", "--json")
    assert told.exit_code == 0
    (item,) = [item for item in json.loads(told.output) if item["subject_id"] == str(made)]
    assert (item["kind"], item["repair"], item["done"]) == ("workflow_lost", "started", True)
    assert item["tenant_id"] == str(yard.tenant_id)
    assert len(await yard.rows(outbox)) == 1
    assert "agree" in (await invoke("reconcile")).output


@pytest.mark.usefixtures("both_sides")
async def test_as_a_program_it_prints_nothing_but_its_answer(yard: Yard) -> None:
    made = await yard.notification()
    command = [sys.executable, "-m", "cli", "reconcile", "--repair", "--json"]
    program = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await program.communicate()
    assert program.returncode == 0
    assert str(made) in {item["subject_id"] for item in json.loads(output)}


@pytest.mark.usefixtures("both_sides", "yard")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--restored", "mysql"], "it is postgres, temporal or both"),
        (["--at", "2026-01-31T08:00:00Z"], "goes with --restored"),
        (["--restored", "postgres", "--at", "yesterday"], "write it like"),
        (["--restored", "postgres", "--at", "2026-01-31T08:00:00"], "write it like"),
    ],
    ids=["no such side", "a moment without a side", "no moment", "a moment without a zone"],
)
async def test_what_cannot_be_meant_is_one_sentence(arguments: list[str], said: str) -> None:
    told = await invoke("reconcile", *arguments)
    assert isinstance(told.exception, StackError)
    assert said in str(told.exception)


@pytest.mark.usefixtures("both_sides", "yard")
async def test_a_temporal_that_does_not_answer_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    told = await invoke("reconcile")
    assert isinstance(told.exception, StackError)
    assert "does not answer" in str(told.exception)


def test_without_an_environment_the_running_instance_is_taken(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home")
    parts = [
        PartState(name="postgres", address="127.0.0.1:5555", state="up"),
        PartState(name="temporal", address="127.0.0.1:7777", state="up"),
    ]
    write_state(home, replace(own_state(), ready=True, parts=parts))
    found = find_sides({}, home)
    secrets = load_or_make(home)
    assert found.temporal_address == "127.0.0.1:7777"
    assert found.key_ring.get_secret_value() == secrets.key_ring
    assert "@127.0.0.1:5555/carillon" in found.database_url.get_secret_value()
    assert secrets.postgres_password in found.database_url.get_secret_value()
    assert secrets.postgres_password not in repr(found)


def test_without_anything_it_says_what_to_start(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="--workers 0"):
        find_sides({}, open_home(tmp_path / "home"))


@pytest.fixture
async def beside_the_api(
    app: FastAPI, make_key: KeyFactory, tenant_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    """Serves the API that commands ask."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:
            await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    monkeypatch.setenv("CARILLON_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("CARILLON_KEY", await make_key(tenant_id))
    yield
    server.should_exit = True
    await serving


@pytest.mark.usefixtures("beside_the_api")
async def test_findings_are_listed_by_what_they_are_about(database: Database, tenant_id: UUID) -> None:
    assert "Nothing was found" in (await invoke("findings")).output
    async with database.tenant(tenant_id) as connection:
        for subject in ("n1", "n2"):
            found = NewFinding(kind=Kind.WORKFLOW_LOST, subject_type="notification", subject_id=subject)
            await findings.record(connection, tenant_id, [found])
    table = (await invoke("findings", "--state", "open")).output
    assert [word in table for word in ("notification/n1", "notification/n2", "workflow_lost")] == [True] * 3
    rows = json.loads((await invoke("findings", "--subject", "notification/n2", "--json")).output)
    assert [row["subject_id"] for row in rows] == ["n2"]
    assert json.loads((await invoke("findings", "--most", "1", "--json")).output)[0]["subject_id"] == "n2"
    assert "Nothing was found" in (await invoke("findings", "--kind", "outbox_stalled")).output
