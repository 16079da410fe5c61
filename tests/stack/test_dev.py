"""The developer's commands: all checks run even when one fails, and a new secret is found."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from stack import checks
from stack.checks import Outcome

_ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout with one file."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)  # noqa: S607 - the git of the developer
    (tmp_path / "harmless.py").write_text("number = 1\n", encoding="utf-8")
    subprocess.run(["git", "-C", str(tmp_path), "add", "."], check=True)  # noqa: S607 - the git of the developer
    return tmp_path


def test_a_new_secret_is_found_and_an_accepted_one_is_not(tree: Path) -> None:
    assert checks.accept_secrets(tree)
    assert checks._no_new_secrets(tree)
    planted = 'token = "ghp_' + "a1B2c3D4e5" * 3 + 'F6g7h8"\n'
    (tree / "harmless.py").write_text(planted, encoding="utf-8")
    assert not checks._no_new_secrets(tree)
    assert checks.accept_secrets(tree)
    assert checks._no_new_secrets(tree)


def test_a_tree_without_a_list_of_files_does_not_pass(tmp_path: Path) -> None:
    assert not checks._no_new_secrets(tmp_path)


def test_every_step_runs_although_an_earlier_one_fails(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []

    def step(name: str, *, passes: bool) -> tuple[str, Callable[[], bool]]:
        def run() -> bool:
            ran.append(name)
            return passes

        return name, run

    def steps(root: Path) -> list[tuple[str, Callable[[], bool]]]:
        assert root == tree
        return [step("first", passes=False), step("second", passes=True)]

    monkeypatch.setattr(checks, "_steps", steps)
    assert checks.run_all(tree) == 1
    assert ran == ["first", "second"]
    table = capsys.readouterr().out
    assert ("failed" in table, "passed" in table) == (True, True)


def test_a_step_is_timed() -> None:
    outcome = checks._timed(Console(quiet=True), "name", lambda: True)
    assert isinstance(outcome, Outcome)
    assert (outcome.name, outcome.passed, outcome.seconds >= 0) == ("name", True, True)


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
