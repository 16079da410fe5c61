"""Examines what must be right before anything is started: Python, packages, directories, programs."""

import os
import shutil
import stat
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from stack import postgres_binaries, temporal_binary
from stack.finding import Finding
from stack.home import Home
from stack.postgres_cluster import cluster_of
from stack.probes import plain
from stack.problems import StackError
from stack.secret_file import load_or_make

_OLDEST_PYTHON = (3, 11)
_LEAST_SPACE = 1_000_000_000
_LOCK = Path(__file__).resolve().parent.parent / "requirements.lock"
_PRIVATE = 0o700


def examine(home: Home) -> list[Finding]:
    """Returns what was found on this machine."""
    return [_python(), _packages(), _directory(home), _space(home), _postgres(home), _temporal()]


async def skew(dsn: str | None) -> float:
    """Returns by how many seconds the database's clock is ahead of this machine's.

    Raises:
        StackError: the database cannot be asked.
    """
    import asyncpg  # noqa: PLC0415 - loaded here, so that commands that need no database start fast

    if dsn is None:
        raise StackError("the database's address is unknown here")
    try:
        connection = await asyncpg.connect(plain(dsn), timeout=5)
    except asyncpg.PostgresError as problem:
        raise StackError(f"the database refuses the connection ({problem})") from problem
    try:
        theirs: datetime = await connection.fetchval("SELECT clock_timestamp()")
        return (theirs - datetime.now(UTC)).total_seconds()
    finally:
        await connection.close()


def _python() -> Finding:
    found = f"{sys.version.split()[0]} in {sys.prefix}"
    ok = sys.version_info >= _OLDEST_PYTHON and sys.prefix != sys.base_prefix
    return Finding(name="python", ok=ok, found=found, remedy="run 'make setup' and use .venv/bin/carillon")


def _packages() -> Finding:
    if not _LOCK.is_file():
        return Finding(name="packages", ok=True, found="no lock file beside this installation to compare with")
    wrong = [name for name, locked in _locked().items() if _installed(name) not in {locked, None}]
    found = f"other versions than locked: {', '.join(wrong)}" if wrong else "as locked"
    return Finding(name="packages", ok=not wrong, found=found, remedy="run 'make setup'")


def _locked() -> dict[str, str]:
    lines = (line.split(";")[0].strip(" \\\n") for line in _LOCK.read_text(encoding="utf-8").splitlines())
    pairs = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {name.strip(): locked.strip() for name, locked in pairs}


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None  # for another system, or of a group that is not installed


def _directory(home: Home) -> Finding:
    facts = home.path.stat()
    mode = stat.S_IMODE(facts.st_mode)
    ok = mode == _PRIVATE and facts.st_uid == os.geteuid() and os.access(home.path, os.W_OK)
    found = f"{home.path}, mode {mode:o}, owner {facts.st_uid}"
    remedy = f"run 'chown -R {os.geteuid()} {home.path} && chmod 700 {home.path}'"
    return Finding(name="data directory", ok=ok, found=found, remedy=remedy)


def _space(home: Home) -> Finding:
    free = shutil.disk_usage(home.path).free
    remedy = f"free at least 1 GB on the disk of {home.path}, or set CARILLON_HOME to another disk"
    return Finding(name="disk space", ok=free >= _LEAST_SPACE, found=f"{free / 1e9:.1f} GB free", remedy=remedy)


def _postgres(home: Home) -> Finding:
    name = "postgres programs"
    if os.environ.get("CARILLON_DATABASE_URL"):
        return Finding(name=name, ok=True, found="not needed, CARILLON_DATABASE_URL is set")
    try:
        binaries = postgres_binaries.locate()
    except StackError as problem:
        return Finding(name=name, ok=False, found="none", remedy=str(problem))
    where = cluster_of(home.path, load_or_make(home)).directory
    return Finding(name=name, ok=True, found=f"{binaries.version} in {binaries.directory}; its files are in {where}")


def _temporal() -> Finding:
    name = "temporal program"
    if os.environ.get("TEMPORAL_ADDRESS"):
        return Finding(name=name, ok=True, found="not needed, TEMPORAL_ADDRESS is set")
    program = temporal_binary.find()
    if program is not None:
        return Finding(name=name, ok=True, found=f"server {temporal_binary.version_of(program)} in {program}")
    builds = shutil.which("go") is not None
    found = "not here yet; 'carillon up' downloads it" + (", or builds it with Go" if builds else "")
    return Finding(name=name, ok=True, found=found)
