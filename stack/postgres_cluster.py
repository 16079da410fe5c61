"""The files of a PostgreSQL server: where they may live, how they are made once, who uses them now."""

import os
import shutil
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stack import processes
from stack.child import Child, Program
from stack.logs import PartLog
from stack.postgres_binaries import Binaries, bring_within_reach, locate, make_public, reachable
from stack.postgres_roles import SUPERUSER
from stack.problems import StackError
from stack.secret_file import Secrets

SERVICE_USER = 65534  # "nobody": the server refuses to run as root
_ROOTS_PLACE = Path("/var/lib/carillon")
_PREDECESSOR_ENDS_WITHIN = 10.0
_BUILTIN_COLLATION_SINCE = 17
_PID_LINE, _STATUS_LINE = 0, 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A directory with the files of one server, and the user id that owns them (None: the present user)."""

    directory: Path
    user: int | None

    @property
    def data(self) -> Path:
        """Returns the data directory itself."""
        return self.directory / "data"

    def prepare(self) -> Binaries:
        """Makes the directory and returns the programs that fit its files.

        Raises:
            StackError: the directory or the programs cannot be used by the server's user.
        """
        try:
            make_public(self.directory)
            if self.user is not None:
                os.chown(self.directory, self.user, self.user)
            self.directory.chmod(0o700)
        except OSError as problem:
            message = (
                f"{self.directory} cannot be used ({problem.strerror}); name another place with CARILLON_POSTGRES_DATA."
            )
            raise StackError(message) from problem
        if not reachable(self.data, self.user):
            message = (
                f"User {self.user} may not enter {self.directory}; name a public place with CARILLON_POSTGRES_DATA."
            )
            raise StackError(message)
        return bring_within_reach(locate(self._major()), self.directory.parent, self.user)

    async def make_files(self, binaries: Binaries, password: str, log: PartLog, *, durable: bool) -> None:
        """Makes the database files unless they are there; a half-made set never carries the final name.

        Raises:
            StackError: initdb failed.
        """
        if self._major() is not None:
            return
        fresh, password_file = self.data.with_name("data.new"), self.directory / "password"
        shutil.rmtree(fresh, ignore_errors=True)
        password_file.unlink(missing_ok=True)
        descriptor = os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            if self.user is not None:
                os.fchown(file.fileno(), self.user, self.user)
            file.write(password + "\n")
        command = [binaries.program("initdb"), "-D", str(fresh), "-U", SUPERUSER, f"--pwfile={password_file}"]
        command += ["-A", "scram-sha-256", "-E", "UTF8", "-k", *_collation(binaries), *([] if durable else ["-N"])]
        try:
            child = await Child.start(self.program(command), log.write)
            if await child.wait():
                raise StackError(f"initdb failed ({log.last[-1] if log.last else 'silently'}); {log.file} says more.")
        finally:
            password_file.unlink(missing_ok=True)
        fresh.rename(self.data)

    def program(self, command: list[str]) -> Program:
        """Returns a command of PostgreSQL as it runs over these files."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return Program(
            command=command,
            environment={**environment, "LC_ALL": "C"},
            directory=self.directory,
            death_signal=signal.SIGINT,
            stop_signal=signal.SIGINT,
            user=self.user,
        )

    def end_predecessor(self) -> bool:
        """Ends a server that a killed instance left over these files, and returns whether there was one.

        A left-over `postmaster.pid` whose process is gone, or is another program by now, is removed.
        """
        file = self.data / "postmaster.pid"
        lines = _lines(file)
        if not lines:
            return False
        pid = int(lines[_PID_LINE])
        ended = str(self.data) in processes.command_line(pid) and processes.end(
            pid, processes.identity(pid), politely=signal.SIGINT, within=_PREDECESSOR_ENDS_WITHIN
        )
        file.unlink(missing_ok=True)
        return ended

    def is_ready(self, pid: int) -> bool:
        """Tells whether the server with this process id takes connections."""
        lines = _lines(self.data / "postmaster.pid")
        return len(lines) > _STATUS_LINE and int(lines[_PID_LINE]) == pid and lines[_STATUS_LINE].strip() == "ready"

    def _major(self) -> int | None:
        with suppress(FileNotFoundError):
            return int((self.data / "PG_VERSION").read_text(encoding="ascii"))
        return None


def cluster_of(home: Path, secrets: Secrets) -> Cluster:
    """Returns where the files of an instance live: `CARILLON_POSTGRES_DATA`, or below its data directory.

    Run by root the server becomes `SERVICE_USER`, who may not enter a private directory, so root's live apart.
    """
    user = SERVICE_USER if os.geteuid() == 0 else None
    named = os.environ.get("CARILLON_POSTGRES_DATA")
    if named:
        return Cluster(directory=Path(named).absolute(), user=user)
    return Cluster(directory=home / "postgres" if user is None else _ROOTS_PLACE / secrets.instance, user=user)


def _collation(binaries: Binaries) -> list[str]:
    if binaries.major >= _BUILTIN_COLLATION_SINCE:
        return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return ["--locale=C"]


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
