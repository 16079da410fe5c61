"""Crash points: each stands in the product once, does nothing unless armed, and then kills for real."""

import ast
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import crashpoints

ROOT = Path(__file__).parents[1]
PRODUCT = [*(ROOT / name for name in ("outbox.py", "worker.py")), *ROOT.glob("activities/*.py"), *ROOT.glob("api/*.py")]
_PASS_THREE_TIMES = """
import crashpoints
for _ in range(3):
    crashpoints.crash_here("after_lease")
    print("passed", flush=True)
"""


def _used(path: Path) -> list[str]:
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    return [ast.literal_eval(call.args[0]) for call in calls if ast.unparse(call.func) == "crash_here"]


def _run(armed: str | None) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if name != crashpoints.VARIABLE}
    if armed is not None:
        environment[crashpoints.VARIABLE] = armed
    command = [sys.executable, "-c", _PASS_THREE_TIMES]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment, cwd=ROOT)


def test_every_crash_point_stands_in_the_product_exactly_once() -> None:
    used = Counter(name for path in PRODUCT for name in _used(path))
    assert used == Counter(crashpoints.NAMES.keys())
    assert len(used) >= 15


@pytest.mark.parametrize("name", crashpoints.NAMES)
def test_a_crash_point_does_nothing_unless_armed(name: str) -> None:
    crashpoints.crash_here(name)


@pytest.mark.parametrize(
    ("armed", "passages"),
    [
        pytest.param("after_lease", 0, id="the first passage"),
        pytest.param("after_lease:3", 2, id="the third passage"),
        pytest.param("during_record:1, after_lease:2", 1, id="among others"),
    ],
)
def test_an_armed_crash_point_kills_the_process_at_its_passage(armed: str, passages: int) -> None:
    ended = _run(armed)
    assert ended.returncode == -signal.SIGKILL
    assert ended.stdout == "passed\n" * passages
    assert ended.stderr == "crash point after_lease reached\n"


@pytest.mark.parametrize("armed", [None, "", "during_record", "after_lease:4"])
def test_a_process_that_reaches_no_armed_passage_lives(armed: str | None) -> None:
    ended = _run(armed)
    assert (ended.returncode, ended.stdout) == (0, "passed\n" * 3)


@pytest.mark.parametrize(
    ("armed", "complaint"),
    [
        pytest.param("after_lunch", "'after_lunch', which is no crash point", id="unknown name"),
        pytest.param("after_lease,after_lunch:2", "'after_lunch', which is no crash point", id="among known names"),
        pytest.param("after_lease:0", "counted from 1", id="passage zero"),
        pytest.param("after_lease:x", "counted from 1", id="no number"),
    ],
)
def test_what_cannot_be_armed_stops_the_process_at_its_start(armed: str, complaint: str) -> None:
    ended = _run(armed)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert complaint in ended.stderr
