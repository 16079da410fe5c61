"""Identifies operating system processes across time: a process id alone is reused, id and start time are not."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

_POLL = 0.02


def identity(pid: int) -> str | None:
    """Returns a value that no other process on this machine ever shares, or None when the process is gone.

    A zombie counts as gone: it runs no code and holds no file.
    """
    if sys.platform == "linux":
        return _identity_from_proc(pid)
    started = _ps(pid, "stat=,lstart=")
    return None if not started or started.startswith("Z") else f"{pid}@{started.split(maxsplit=1)[-1]}"


def command_line(pid: int) -> str:
    """Returns the command line of a process, empty when it is gone or hidden."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            return ""
    return _ps(pid, "command=")


def send_signal(pid: int, number: int, *, group: bool = False) -> None:
    """Sends a signal to a process, or to the group that it leads; one that is gone is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        (os.killpg if group else os.kill)(pid, number)


def end(pid: int, known_as: str | None, *, politely: int = signal.SIGTERM, within: float = 5.0) -> bool:
    """Ends exactly the process that carried this identity and returns whether there was one.

    Args:
        pid: its process id.
        known_as: what `identity` returned while it ran; a process with another identity is left alone.
        politely: the signal that asks; SIGKILL follows when it is not heard.
        within: seconds between asking and killing.
    """
    if known_as is None or identity(pid) != known_as:
        return False
    send_signal(pid, politely)
    if not _gone(pid, known_as, within):
        send_signal(pid, signal.SIGKILL)
        _gone(pid, known_as, 2.0)
    return True


def _gone(pid: int, known_as: str, within: float) -> bool:
    deadline = time.monotonic() + within
    while identity(pid) == known_as:
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True


def _identity_from_proc(pid: int) -> str | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    state, ticks_at_start = fields[0], fields[19]
    return None if state in "ZX" else f"{pid}@{boot}:{ticks_at_start}"


def _ps(pid: int, columns: str) -> str:
    command = [shutil.which("ps") or "ps", "-o", columns, "-p", str(pid)]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()
