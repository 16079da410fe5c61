"""The command line: known problems are one sentence, never a traceback."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from stack import processes
from stack.home import Home, open_home
from stack.state import PartState, own_state, read_state, sole_instance, write_state
from stack.up import end_leftovers

_NOBODY = "127.0.0.1:1"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A data directory that commands find."""
    for name in list(os.environ):
        if name.startswith(("CARILLON_", "TEMPORAL_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CARILLON_HOME", str(tmp_path / "home"))
    return open_home(tmp_path / "home")


def _carillon(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        check=False, capture_output=True, text=True, env={**os.environ, **environment}, timeout=60,
    )  # fmt: skip


def test_the_version_is_told() -> None:
    told = _carillon("--version")
    assert (told.returncode, told.stdout) == (0, "carillon 0.1.0\n")


def test_the_command_line_is_there_quickly() -> None:
    code = "import sys, cli; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    heavy = {"alembic", "asyncpg", "fastapi", "httpx", "pydantic", "rich", "sqlalchemy", "temporalio", "uvicorn"}
    assert heavy.intersection(loaded) == set()


def test_a_second_up_names_the_first_and_is_no_failure(home: Home) -> None:
    write_state(home, replace(own_state(), ready=True, urls={"API": "http://127.0.0.1:8080"}))
    with sole_instance(home):
        for arguments in (("up",), ("up", "--detach")):
            told = _carillon(*arguments)
            assert told.returncode == 0
            assert f"process {os.getpid()} (API http://127.0.0.1:8080)" in told.stdout
            assert told.stdout.count("\n") == 1


@pytest.mark.parametrize("arguments", [("up",), ("up", "--detach")])
def test_a_database_that_does_not_answer_is_one_sentence(home: Home, arguments: tuple[str, ...]) -> None:
    database = f"postgresql://u:hidden@{_NOBODY}/d"  # pragma: allowlist secret
    told = _carillon(*arguments, CARILLON_DATABASE_URL=database, TEMPORAL_ADDRESS=_NOBODY)
    said = told.stderr + told.stdout
    assert told.returncode == 1
    assert f"carillon: No database answers at {_NOBODY}; " in told.stderr or f"is at {_NOBODY}; start it" in told.stderr
    assert ("Traceback" in said, "hidden" in said) == (False, False)
    assert read_state(home) is None


@pytest.mark.usefixtures("home")
def test_a_setting_that_cannot_be_is_named_without_its_value() -> None:
    told = _carillon("migrate", CARILLON_DATABASE_POOL_SIZE="secret-looking")
    assert told.returncode == 1
    assert "The setting CARILLON_DATABASE_POOL_SIZE is wrong" in told.stderr
    assert ("Traceback" in told.stderr, "secret-looking" in told.stderr) == (False, False)


def test_status_says_that_nothing_runs(home: Home) -> None:
    told = _carillon("status")
    assert told.returncode == 1
    assert f"does not run in {home.path}" in told.stdout
    as_json = _carillon("status", "--json")
    assert (as_json.returncode, json.loads(as_json.stdout)["running"]) == (1, False)


@pytest.mark.usefixtures("home")
def test_doctor_examines_the_machine_without_an_instance() -> None:
    told = _carillon("doctor", "--json")
    findings = {finding["name"]: finding for finding in json.loads(told.stdout)["findings"]}
    assert told.returncode == 1
    assert findings["python"]["ok"]
    assert findings["data directory"]["ok"]
    assert findings["postgres programs"]["ok"]
    assert (findings["instance"]["ok"], findings["instance"]["remedy"]) == (False, "run 'carillon up'")


def test_a_command_makes_a_public_data_directory_private_again(home: Home) -> None:
    home.path.chmod(0o755)
    _carillon("status")
    assert home.path.stat().st_mode & 0o777 == 0o700


def test_down_without_an_instance_ends_what_was_left_over(home: Home) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as orphan:
        _write_leftover(home, orphan.pid)
        told = _carillon("down")
        assert (told.returncode, told.stdout) == (0, "Carillon does not run.\n")
        assert f"Ended worker-1 (process {orphan.pid})" in told.stderr
        assert orphan.wait(5) != 0
    assert read_state(home) is None


def test_a_stranger_with_a_number_used_again_is_not_ended(home: Home) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as stranger:
        _write_leftover(home, stranger.pid, known_as="the one who had it before")
        end_leftovers(home)
        assert stranger.poll() is None
        stranger.kill()


def test_down_stops_the_supervisor(home: Home) -> None:
    code = "import sys, time; from pathlib import Path; from stack.home import Home; from stack.state import *\n"
    code += (
        "home = Home(path=Path(sys.argv[1]))\nwith sole_instance(home): write_state(home, own_state()); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(home.path)]) as supervisor:
        deadline = time.monotonic() + 10
        while read_state(home) is None:
            assert time.monotonic() < deadline
        assert _carillon("down").stdout == "Carillon is stopped.\n"
        assert supervisor.wait(5) != 0


def _write_leftover(home: Home, pid: int, known_as: str | None = None) -> None:
    part = PartState(name="worker-1", address="", state="ready", pid=pid, known_as=known_as or processes.identity(pid))
    write_state(home, replace(own_state(), known_as="a supervisor that was killed", parts=[part]))
