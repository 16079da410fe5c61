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
    """Hands out ports, each once, the wanted one or the next free one."""

    def __init__(self) -> None:
        self._taken: set[int] = set()
        self.moved: dict[str, tuple[int, int]] = {}

    def claim(self, name: str, wanted: int) -> int:
        """Returns `wanted` or the next free port after it, and remembers in `moved` that it is another one."""
        for port in [*range(wanted, min(wanted + _TRIES, 65536)), any_free()]:
            if port not in self._taken and is_free(port):
                self._taken.add(port)
                if port != wanted:
                    self.moved[name] = (wanted, port)
                return port
        raise OSError(f"no free port near {wanted} for {name}")
