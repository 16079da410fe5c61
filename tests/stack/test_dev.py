"""The developer's commands: all checks run even when one fails, and a new secret is found."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stack import checks
from stack.checks import Outcome, Step, Told
from stack.scanned import Scanned

_ROOT = Path(__file__).resolve().parent.parent.parent
_PLANTED = 'token = "ghp_' + "a1B2c3D4e5" * 3 + 'F6g7h8"\n'


@pytest.fixture
def tree(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one file, on a machine where nothing was looked through before."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)  # noqa: S607 - the git of the developer
    (tmp_path / "harmless.py").write_text("number = 1\n", encoding="utf-8")
    subprocess.run(["git", "-C", str(tmp_path), "add", "."], check=True)  # noqa: S607 - the git of the developer
    return tmp_path


def test_a_new_secret_is_found_and_an_accepted_one_is_not(tree: Path) -> None:
    assert checks.accept_secrets(tree)
    assert checks._no_new_secrets(tree).passed
    (tree / "harmless.py").write_text(_PLANTED, encoding="utf-8")
    assert not checks._no_new_secrets(tree).passed
    assert checks.accept_secrets(tree)
    assert checks._no_new_secrets(tree).passed


def test_a_secret_that_is_no_longer_accepted_is_found_again(tree: Path) -> None:
    (tree / "harmless.py").write_text(_PLANTED, encoding="utf-8")
    assert checks.accept_secrets(tree)
    accepted = json.loads((tree / ".secrets.baseline").read_text("utf-8"))
    assert checks._no_new_secrets(tree).passed
    (tree / ".secrets.baseline").write_text(json.dumps({**accepted, "results": {}}), encoding="utf-8")
    assert not checks._no_new_secrets(tree).passed


def test_a_clean_file_is_looked_through_once_and_again_when_it_or_the_rules_change(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("number = 1\n", encoding="utf-8")
    (tmp_path / "two.py").write_text("number = 1\n", encoding="utf-8")
    kept = tmp_path / "kept"
    first = Scanned(kept, b"rules").unseen(tmp_path, ["one.py", "two.py"])
    assert list(first) == ["one.py", "two.py"]
    Scanned(kept, b"rules").keep([first["one.py"]])
    assert list(Scanned(kept, b"rules").unseen(tmp_path, ["one.py", "two.py"])) == ["two.py"]
    assert list(Scanned(kept, b"other rules").unseen(tmp_path, ["one.py"])) == ["one.py"]
    (tmp_path / "one.py").write_text("number = 2\n", encoding="utf-8")
    assert list(Scanned(kept, b"rules").unseen(tmp_path, ["one.py"])) == ["one.py"]


def test_a_tree_without_a_list_of_files_does_not_pass(tmp_path: Path) -> None:
    assert not checks._no_new_secrets(tmp_path).passed


def test_every_step_runs_although_an_earlier_one_fails(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []

    def step(name: str, *, passes: bool) -> tuple[str, Step]:
        def run() -> Told:
            ran.append(name)
            return Told(passed=passes, text=f"said by {name}\n")

        return name, run

    def steps(root: Path) -> list[tuple[str, Step]]:
        assert root == tree
        return [step("first", passes=False), step("second", passes=True), step("types", passes=True)]

    monkeypatch.setattr(checks, "_steps", steps)
    assert checks.run_all(tree) == 1
    assert set(ran) == {"first", "second", "types"}
    shown = capsys.readouterr().out
    assert ("failed" in shown, "passed" in shown) == (True, True)
    assert re.findall("said by .*", shown) == ["said by first", "said by second", "said by types"]


def test_a_step_is_timed() -> None:
    outcome = checks._timed("name", lambda: Told(passed=True, text="all is well"))
    assert isinstance(outcome, Outcome)
    assert (outcome.name, outcome.passed, outcome.seconds >= 0) == ("name", True, True)
    assert outcome.text == "all is well"


def test_only_what_exists_is_checked(tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    assert checks.present(tmp_path, ("api", "web")) == ["api"]


def test_every_package_and_module_of_the_product_is_checked() -> None:
    packages = {path.parent.name for path in _ROOT.glob("*/__init__.py")}
    modules = {path.name for path in _ROOT.glob("*.py")} - {"bootstrap.py"}
    assert packages | modules <= set(checks._PACKAGES)


def test_arguments_go_on_to_pytest() -> None:
    command = [sys.executable, "-m", "cli", "dev", "test", "--fast", "--version"]
    told = subprocess.run(command, check=False, capture_output=True, text=True, cwd=_ROOT)
    assert (told.returncode, told.stdout.startswith("pytest 9")) == (0, True)


def test_checkouts_share_nothing_of_what_is_known_of_types(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    assert len({checks.types_directory(root) for root in (one, two, two / ".." / "one")}) == 2
    types = dict(checks._steps(one))["types"]
    told = [cell.cell_contents for cell in getattr(types, "__closure__", ())]
    assert any(f"--cache-dir={checks.types_directory(one)}" in value for value in told if isinstance(value, tuple))
