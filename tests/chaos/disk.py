"""A small disk of its own for PostgreSQL, so that it can be filled without harm to anything else."""

import contextlib
import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_SIZE = "320m"
_PIECE = b"\0" * 1_048_576
_LEFT = 65_536
"""Bytes that a filler leaves free at most, so that the next page of a log finds no room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A directory; `small` tells whether it is a file system of its own, `why_not` why it is not."""

    path: Path
    small: bool
    why_not: str = ""

    def fill(self) -> bool:
        """Writes until nothing more fits, and tells whether that point was reached."""
        if not self.small:
            return False
        piece = _PIECE
        with (self.path / "filler").open("ab", buffering=0) as file:
            while len(piece) >= _LEFT // 16:
                try:
                    if file.write(piece) < len(piece):
                        piece = piece[: len(piece) // 2]
                except OSError as problem:
                    if problem.errno != errno.ENOSPC:
                        raise
                    piece = piece[: len(piece) // 2]
        return True

    def free(self) -> None:
        """Makes room again."""
        with contextlib.suppress(FileNotFoundError):
            (self.path / "filler").unlink()


@contextmanager
def small_disk(path: Path) -> Iterator[Disk]:
    """Yields a small file system mounted at `path`, or the plain directory where none can be had."""
    path.mkdir()
    path.chmod(0o755)
    why_not = _mount(path)
    try:
        yield Disk(path=path, small=not why_not, why_not=why_not)
    finally:
        if not why_not:
            subprocess.run([_program("umount"), "-l", str(path)], check=False)


def _mount(path: Path) -> str:
    """Mounts a small file system and returns the reason where that cannot be."""
    if os.geteuid() != 0:
        return "mounting a small file system needs root"
    command = [_program("mount"), "-t", "tmpfs", "-o", f"size={_SIZE},mode=0755", "carillon-chaos", str(path)]
    try:
        answer = subprocess.run(command, check=False, capture_output=True, text=True)
    except OSError as problem:
        return f"no small file system can be mounted here ({problem.strerror})"
    return "" if answer.returncode == 0 else f"no small file system can be mounted here ({answer.stderr.strip()})"


def _program(name: str) -> str:
    return shutil.which(name) or name
