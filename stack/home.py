"""The data directory of one instance: where everything lives that must survive a restart."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from stack.problems import StackError


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Names the files of a data directory; the directory is private to its user."""

    path: Path

    @property
    def lock(self) -> Path:
        """Returns the file that a running instance holds locked."""
        return self.path / "lock"

    @property
    def state(self) -> Path:
        """Returns the file that says which parts run where."""
        return self.path / "state.json"

    @property
    def secrets(self) -> Path:
        """Returns the file with everything that must stay secret."""
        return self.path / "secrets.json"

    @property
    def ports(self) -> Path:
        """Returns the file that remembers the ports of the last start."""
        return self.path / "ports.json"

    @property
    def logs(self) -> Path:
        """Returns the directory of the log files, one per part."""
        return self.path / "logs"

    @property
    def temporal(self) -> Path:
        """Returns the directory of Temporal's database file."""
        return self.path / "temporal"

    @property
    def journal(self) -> Path:
        """Returns the file in which the sandbox notes what it accepted."""
        return self.path / "sandbox" / "journal.jsonl"


def default_home() -> Path:
    """Returns `CARILLON_HOME`, or `carillon` below the XDG data directory."""
    named = os.environ.get("CARILLON_HOME")
    return Path(named).expanduser().absolute() if named else _xdg("XDG_DATA_HOME", ".local/share") / "carillon"


def cache_directory() -> Path:
    """Returns the directory for what can be fetched or built again."""
    return _xdg("XDG_CACHE_HOME", ".cache") / "carillon"


def open_home(path: Path | None = None) -> Home:
    """Returns the data directory, made private and with its folders in place.

    Raises:
        StackError: it cannot be made or belongs to another user.
    """
    home = Home(path=path or default_home())
    try:
        for directory in (home.path, home.logs, home.temporal, home.journal.parent):
            private_directory(directory)
    except OSError as problem:
        message = (
            f"The data directory {home.path} cannot be used ({problem.strerror}); set CARILLON_HOME to one that can."
        )
        raise StackError(message) from problem
    return home


def private_directory(path: Path) -> Path:
    """Makes a directory that its owner alone may enter, and takes others' rights away from an existing one."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if stat.S_IMODE(path.stat().st_mode) != 0o700:  # noqa: PLR2004 - the mode that this function promises
        path.chmod(0o700)
    return path


def write_private(path: Path, text: str) -> None:
    """Replaces a file at once (readers see the old or the new text) with one that its owner alone may read."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _xdg(variable: str, below_home: str) -> Path:
    named = os.environ.get(variable, "")
    return Path(named) if Path(named).is_absolute() else Path.home() / below_home
