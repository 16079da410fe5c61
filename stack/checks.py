"""`carillon dev check`: named steps, some at once, each timed, all run even when one fails, and a table at the end."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from stack.bytecode import with_cache
from stack.home import cache_directory
from stack.scanned import Scanned

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
_AT_ONCE = 2  # nearly every step is one process with one thread
_DEAREST = ("secrets", "types")
_BASELINE = ".secrets.baseline"
# Nothing but hashes; nothing but payloads sealed with the key of the tests.
_NO_SECRETS = re.compile(r"(requirements|uv)\.lock|tests/workflows/histories/.*\.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a step came to, and what its tools said."""

    passed: bool
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one step ended."""

    name: str
    passed: bool
    seconds: float
    text: str


Step = Callable[[], Told]


def run_all(root: Path) -> int:
    """Runs every step below `root` and returns the exit status: 0 when all passed."""
    console = Console(highlight=False)
    steps = dict(_steps(root))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        # The dearest begin first, so that none of them is left over at the end; they are shown in their order.
        order = sorted(steps, key=lambda name: name not in _DEAREST)
        running = {name: pool.submit(_timed, name, steps[name]) for name in order}
        outcomes = [_shown(console, running[name].result()) for name in steps]
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


def types_directory(root: Path) -> Path:
    """Returns where what is known of a checkout's types is kept.

    Each has its own: a file counts as known there by its path below the root, its size and the second of its change.
    """
    return cache_directory() / "mypy" / hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]


def _steps(root: Path) -> Iterator[tuple[str, Step]]:
    def tool(*command: str) -> Step:
        return lambda: _run(root, *command)

    packages, everything = present(root, _PACKAGES), present(root, _PACKAGES + _OTHERS)
    yield "lint", tool("ruff", "check", ".")
    yield "format", tool("ruff", "format", "--check", ".")
    yield "types", tool("mypy", f"--cache-dir={types_directory(root)}", *everything)
    yield "layers", tool("lint-imports")
    yield "dependencies", tool("deptry", ".")
    # From medium severity on: the low ones are among ruff's rules (S), where each exception states its reason.
    yield "security", tool("bandit", "-q", "-r", *packages, "-c", "pyproject.toml", "-ll")
    yield "secrets", lambda: _no_new_secrets(root)
    yield "migrations", lambda: _safe_migrations(root)
    contracts = present(root, _CONTRACTS)
    if contracts:
        yield "contracts", lambda: _run_python(root, "-m", "pytest", "-q", *contracts)


def _timed(name: str, step: Step) -> Outcome:
    began = time.monotonic()
    told = step()
    return Outcome(name=name, passed=told.passed, seconds=time.monotonic() - began, text=told.text)


def _shown(console: Console, outcome: Outcome) -> Outcome:
    console.rule(outcome.name, align="left")
    console.out(outcome.text, end="")
    return outcome


def accept_secrets(root: Path) -> bool:
    """Writes the baseline anew from what stands in the tree now; who commits it vouches for every line of it."""
    scan = [_beside_python("detect-secrets"), "scan", *_listed(root)]
    found = subprocess.run(scan, check=False, cwd=root, env=_environment(), capture_output=True, text=True)
    if found.returncode == 0:
        (root / _BASELINE).write_text(found.stdout, encoding="utf-8")
    return found.returncode == 0


def _no_new_secrets(root: Path) -> Told:
    files = _listed(root)
    if not files:
        return Told(passed=False, text="There is no list of files to look through; is this a checkout?\n")
    baseline = json.loads((root / _BASELINE).read_bytes())
    rules = {name: baseline[name] for name in ("version", "plugins_used", "filters_used")}
    scanned = Scanned(cache_directory() / "secrets", json.dumps(rules, sort_keys=True).encode())
    unseen = scanned.unseen(root, files)
    told = _run(root, "detect-secrets-hook", "--baseline", _BASELINE, *unseen)
    if told.passed:  # what stands in the baseline is known, not clean, and is looked at each time
        scanned.keep(content for name, content in unseen.items() if name not in baseline["results"])
    return told


def _listed(root: Path) -> list[str]:
    git = shutil.which("git") or "git"
    listed = subprocess.run([git, "ls-files", "-z"], check=False, cwd=root, capture_output=True, text=True).stdout
    names = [name for name in listed.split("\0") if name and name != _BASELINE and not _NO_SECRETS.fullmatch(name)]
    return [name for name in names if (root / name).is_file()]


def _safe_migrations(root: Path) -> Told:
    from migrations.apply import sql  # noqa: PLC0415 - the database libraries, needed here alone

    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "migrations.sql"
        file.write_text(sql(), encoding="utf-8")
        return _run(root, "squawk", f"--exclude={_SKIPPED_BY_SQUAWK}", "--pg-version=15.0", str(file))


def _run(root: Path, program: str, *arguments: str) -> Told:
    return _told(root, _beside_python(program), *arguments)


def _run_python(root: Path, *arguments: str) -> Told:
    return _told(root, sys.executable, *arguments)


def _told(root: Path, *command: str) -> Told:
    ended = subprocess.run(
        command, check=False, cwd=root, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return Told(passed=ended.returncode == 0, text=ended.stdout)


def _beside_python(program: str) -> str:
    return str(Path(sys.executable).parent / program)


def _environment() -> dict[str, str]:
    return {name: value for name, value in with_cache(os.environ).items() if name != "VIRTUAL_ENV"}
