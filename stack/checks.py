"""`carillon dev check`: named steps, each timed, all run even when one fails, and a table at the end."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

_PACKAGES = (
    "activities",
    "api",
    "channels",
    "db",
    "domain",
    "migrations",
    "providers",
    "sandbox",
    "stack",
    "testing",
    "web",
    "workflows",
    "cli.py",
    "crashpoints.py",
    "garbage.py",
    "outbox.py",
    "sealing.py",
    "settings.py",
    "telemetry.py",
    "worker.py",
)
_OTHERS = ("tests", "bench", "examples", "bootstrap.py")
_CONTRACTS = ("tests/test_architecture.py", "tests/contracts")
# Counters need no 64 bits, Alembic's own table has a varchar, and what a migration drops it says why.
# An upgrade is one transaction, which gives way when it cannot have its locks soon; no rule is looked at in another.
_SKIPPED_BY_SQUAWK = (
    "ban-drop-constraint,constraint-missing-not-valid,prefer-bigint-over-int,prefer-bigint-over-smallint,"
    "prefer-text-field"
)
_BASELINE = ".secrets.baseline"
# Nothing but hashes; nothing but payloads sealed with the key of the tests.
_NO_SECRETS = re.compile(r"(requirements|uv)\.lock|tests/workflows/histories/.*\.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one step ended."""

    name: str
    passed: bool
    seconds: float


def run_all(root: Path) -> int:
    """Runs every step below `root` and returns the exit status: 0 when all passed."""
    console = Console(highlight=False)
    outcomes = [_timed(console, name, step) for name, step in _steps(root)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("check", "result", "seconds"):
        table.add_column(heading, justify="right" if heading == "seconds" else "left")
    for outcome in outcomes:
        result = "[green]passed[/]" if outcome.passed else "[red]failed[/]"
        table.add_row(outcome.name, result, f"{outcome.seconds:.1f}")
    console.print()
    console.print(table)
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def present(root: Path, names: tuple[str, ...]) -> list[str]:
    """Returns those of the names that exist."""
    return [name for name in names if (root / name).exists()]


def _steps(root: Path) -> Iterator[tuple[str, Callable[[], bool]]]:
    def tool(*command: str) -> Callable[[], bool]:
        return lambda: _run(root, *command)

    packages, everything = present(root, _PACKAGES), present(root, _PACKAGES + _OTHERS)
    yield "lint", tool("ruff", "check", ".")
    yield "format", tool("ruff", "format", "--check", ".")
    yield "types", tool("mypy", *everything)
    yield "layers", tool("lint-imports")
    yield "dependencies", tool("deptry", ".")
    # From medium severity on: the low ones are among ruff's rules (S), where each exception states its reason.
    yield "security", tool("bandit", "-q", "-r", *packages, "-c", "pyproject.toml", "-ll")
    yield "secrets", lambda: _no_new_secrets(root)
    yield "migrations", lambda: _safe_migrations(root)
    # The decisions are pure: every branch of them can be tested, so every branch is.
    covered = ("--cov=domain", "--cov-branch", "--cov-report=term-missing:skip-covered", "--cov-fail-under=100")
    yield "decisions", lambda: _run_python(root, "-m", "pytest", "-q", "tests/domain", *covered)
    contracts = present(root, _CONTRACTS)
    if contracts:
        yield "contracts", lambda: _run_python(root, "-m", "pytest", "-q", *contracts)


def _timed(console: Console, name: str, step: Callable[[], bool]) -> Outcome:
    console.rule(name, align="left")
    began = time.monotonic()
    passed = step()
    return Outcome(name=name, passed=passed, seconds=time.monotonic() - began)


def accept_secrets(root: Path) -> bool:
    """Writes the baseline anew from what stands in the tree now; who commits it vouches for every line of it."""
    scan = [_beside_python("detect-secrets"), "scan", *_listed(root)]
    found = subprocess.run(scan, check=False, cwd=root, env=_environment(), capture_output=True, text=True)
    if found.returncode == 0:
        (root / _BASELINE).write_text(found.stdout, encoding="utf-8")
    return found.returncode == 0


def _no_new_secrets(root: Path) -> bool:
    files = _listed(root)
    return bool(files) and _run(root, "detect-secrets-hook", "--baseline", _BASELINE, *files)


def _listed(root: Path) -> list[str]:
    git = shutil.which("git") or "git"
    listed = subprocess.run([git, "ls-files", "-z"], check=False, cwd=root, capture_output=True, text=True).stdout
    names = [name for name in listed.split("\0") if name and name != _BASELINE and not _NO_SECRETS.fullmatch(name)]
    return [name for name in names if (root / name).is_file()]


def _safe_migrations(root: Path) -> bool:
    from migrations.apply import sql  # noqa: PLC0415 - the database libraries, needed here alone

    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "migrations.sql"
        file.write_text(sql(), encoding="utf-8")
        return _run(root, "squawk", f"--exclude={_SKIPPED_BY_SQUAWK}", "--pg-version=15.0", str(file))


def _run(root: Path, program: str, *arguments: str) -> bool:
    command = [_beside_python(program), *arguments]
    return subprocess.run(command, check=False, cwd=root, env=_environment()).returncode == 0


def _run_python(root: Path, *arguments: str) -> bool:
    return subprocess.run([sys.executable, *arguments], check=False, cwd=root, env=_environment()).returncode == 0


def _beside_python(program: str) -> str:
    return str(Path(sys.executable).parent / program)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
