"""Finds loopback ports that nobody listens on."""

import socket

LOOPBACK = "127.0.0.1"
_TRIES = 200


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Tells whether a server could listen on this port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def any_free() -> int:
    """Returns a port that the operating system picks."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        address: tuple[str, int] = probe.getsockname()
    return address[1]


class Ports:
    """Hands out ports, each once: the one of last time, the usual one, or the next free one.

    Args:
        remembered: the ports of last time by name.
    """

    def __init__(self, remembered: dict[str, int] | None = None) -> None:
        self.given: dict[str, int] = {}
        self.moved: dict[str, tuple[int, int]] = {}
        self._remembered = remembered or {}

    def claim(self, name: str, usual: int) -> int:
        """Returns a free port, and notes both in `moved` when it is not the usual one.

        Raises:
            OSError: a whole range is taken.
        """
        candidates: list[int] = [*range(usual, min(usual + _TRIES, 65536)), any_free()]
        if name in self._remembered:
            candidates.insert(0, self._remembered[name])
        for port in candidates:
            if port not in self.given.values() and is_free(port):
                self.given[name] = port
                if port != usual:
                    self.moved[name] = (usual, port)
                return port
        raise OSError(f"no free port near {usual} for {name}")
