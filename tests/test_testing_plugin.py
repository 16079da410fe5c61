"""The pytest plugin as somebody uses it who has flows of their own: in a project of theirs, by its words alone."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stack.home import cache_directory
from stack.ports import any_free, is_free
from testing import opening, skipping_server
from tests.instance import until

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "how-to" / "test-your-flows.md").read_text("utf-8")
CACHE = cache_directory().parent
TEST = """
from pathlib import Path


def test_it(carillon_flows, carillon_write):
    flows = carillon_flows
    flows.template("hello", email=("Hello", "Hello {{{{ name }}}}"))
    flows.publish("{{name: short, steps: [{{send: hello}}, {{wait: 1d}}]}}")
    flows.start("short", to={{"email": "asha@example.com"}}, data={{"name": "Asha"}})
    assert {0}
"""


@pytest.fixture
def theirs(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project that has Carillon installed."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("XDG_CACHE_HOME", str(CACHE))  # they are at another home, whose programs were fetched long ago
    return pytester


def outcome(theirs: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Runs their tests in a process of their own, with servers of its own."""
    return theirs.runpytest_subprocess("-p", "testing.plugin", "-p", "no:schemathesis", *arguments, timeout=100)


@pytest.fixture
def told(theirs: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, postgres: str) -> Callable[..., pytest.RunResult]:
    """Runs their tests here, where all is loaded and PostgreSQL runs: for what one run says after the other."""
    assert opening.__name__ in sys.modules  # what is first loaded in a run is unloaded after it, and cannot be twice
    monkeypatch.setenv("CARILLON_TEST_POSTGRES", postgres)
    plugins = ("-p", "testing.plugin", "-p", "no:schemathesis", "-p", "no:cov", "-p", "no:asyncio")
    return lambda *arguments: theirs.runpytest_inprocess(*plugins, *arguments)


@pytest.mark.parametrize("stage", ["auto", "jumping"])
def test_the_example_of_the_guide_runs_as_it_stands_there(theirs: pytest.Pytester, stage: str) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    theirs.makepyfile(example)
    outcome(theirs, f"--carillon-stage={stage}").assert_outcomes(passed=2)


def test_what_differs_is_shown_as_a_difference(theirs: pytest.Pytester, told: Callable[..., pytest.RunResult]) -> None:
    expected = ["2040-06-04 04:30 sends send_1 hello", "2040-06-04 04:30 ends completed"]
    theirs.makepyfile(TEST.format(f"flows.run().only('sends', 'ends') == {expected}"))
    result = told()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the play says otherwise*", "*-2040-06-04 04:30 ends*", "*+2040-06-05 04:30 ends*"])


def test_a_transcript_is_kept_in_a_file_when_that_is_asked_for(
    theirs: pytest.Pytester, told: Callable[..., pytest.RunResult]
) -> None:
    theirs.makepyfile(TEST.format("flows.run().matches(Path('kept.txt'), write=carillon_write)"))
    result = told()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*kept.txt says otherwise*"])
    told("--carillon-write").assert_outcomes(passed=1)
    assert "email send_1 to asha@example.com: Hello / Hello Asha" in (theirs.path / "kept.txt").read_text("utf-8")
    told().assert_outcomes(passed=1)


def test_without_java_there_is_no_server_that_skips(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert skipping_server.locate() is None


def test_without_maven_the_server_has_to_be_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\n", encoding="utf-8")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(java.parent))
    assert skipping_server.locate(cache=tmp_path) is None
    kept = tmp_path / "temporal" / f"test-server-{skipping_server.VERSION}" / "test-server"
    kept.parent.mkdir(parents=True)
    kept.write_text("#!/bin/sh\n", encoding="utf-8")
    kept.chmod(0o755)
    assert skipping_server.locate(cache=tmp_path) == kept


@pytest.mark.skipif(skipping_server.locate() is None, reason="needs Temporal's test server")
def test_the_first_server_on_a_machine_leaves_its_classes_to_the_next_though_it_is_killed(tmp_path: Path) -> None:
    program = skipping_server.locate()
    assert program is not None
    for file in (*program.parent.glob("*.jar"), program):
        shutil.copy(file, tmp_path)
    port = any_free()
    server = subprocess.Popen([tmp_path / program.name, str(port), "--enable-time-skipping"])
    until(lambda: not is_free(port))
    server.kill()
    server.wait()
    (kept,) = until(lambda: list(tmp_path.glob("classes-*.jsa")))
    assert kept.stat().st_size > 1_000_000
    assert is_free(port)
    assert sorted(one.suffix for one in tmp_path.iterdir() if one.suffix != ".jar") == ["", ".jsa"]
