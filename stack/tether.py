"""Turns into another program that dies with its parent: `python tether.py SIGNAL PARENT USER PROGRAM …`.

The kernel's parent-death signal is bound to the calling process and is cleared by a change of user, so it is asked for
here: after the change of user, before the program takes this process over. Where there is no such signal (not Linux)
the guardian does the work. Standard library only: it runs isolated, at every start of every part.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Drops to the named user id (`-`: none), ties this process to its parent and becomes the program."""
    death_signal, parent, user, *program = arguments
    if user != "-":
        os.setgroups([])
        os.setgid(int(user))
        os.setuid(int(user))
    if sys.platform == "linux":
        _die_with_parent(int(death_signal), int(parent))
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(
            number, signal.SIG_DFL
        )  # Python ignores some, a shell's background job others; both are inherited
    os.execv(program[0], program)  # noqa: S606 - becoming the program is the purpose


def _die_with_parent(death_signal: int, parent: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:  # it died before the request, and will not die again
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
