"""Ends the children of a killed process where the kernel does not: a dead parent closes the guardian's input.

Linux needs no guardian (see `tether`). Each line of its input is a process id, the signal to send, and the identity.
"""

import subprocess
import sys

from stack import processes


class Guardian:
    """Keeps one helper process that outlives this one just long enough to end its children."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "stack.guardian"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, start_new_session=True)

    def watch(self, pid: int, death_signal: int) -> None:
        """Has a child ended with this signal when the present process dies."""
        if self._process.stdin is not None:
            self._process.stdin.write(f"{pid} {death_signal} {processes.identity(pid)}\n")
            self._process.stdin.flush()

    def close(self) -> None:
        """Lets go of the helper, which ends what it watches and then itself, and waits for it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


def watch(pid: int, death_signal: int) -> None:
    """Has a child ended with this process where the kernel does not see to it."""
    if sys.platform != "linux":
        if not _GUARDIANS:
            _GUARDIANS.append(Guardian())
        _GUARDIANS[0].watch(pid, death_signal)


def main() -> None:
    """Reads until the parent dies, then ends what it was told of and is still the same process."""
    watched = [line.rstrip("\n").split(" ", 2) for line in sys.stdin]
    for pid, death_signal, known_as in watched:
        if processes.identity(int(pid)) == known_as:
            processes.send_signal(int(pid), int(death_signal))


_GUARDIANS: list[Guardian] = []

if __name__ == "__main__":
    main()
