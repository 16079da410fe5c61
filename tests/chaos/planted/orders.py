"""Lets a running process change its bug: starting it anew for each of them would take most of the time.

Orders stand in a file, numbered. A process that starts takes the bug that stands there; one that runs also arms the
crash points of every new order, once. Where an order says so, it only stops there, as by SIGSTOP, until it is told to
go on.
"""

import json
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace

import crashpoints
from tests.chaos.planted.registry import BUGS, swap, take_out

_POLL = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a process is to be from now on."""

    number: int = 0
    bug: str | None = None
    armed: str = ""
    stops: bool = False


def give(path: Path, order: Order) -> None:
    """Writes an order for the process that follows `path`."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(order)), encoding="utf-8")
    fresh.replace(path)


def followed(path: Path) -> int:
    """Returns the number of the last order that was followed.

    Raises:
        RuntimeError: It could not be.
    """
    try:
        answer = path.with_suffix(".followed").read_text(encoding="utf-8")
    except OSError:
        return -1
    if answer.startswith("could not"):
        raise RuntimeError(answer)
    return int(answer or -1)


def follow(path: Path, role: str) -> None:
    """Becomes what the file says now, and whatever it will say, as long as this process lives."""
    order = _read(path)
    _answer(path, order, role)
    threading.Thread(target=_watch, args=(path, role, order), daemon=True, name="orders").start()


def _watch(path: Path, role: str, last: Order) -> None:
    while True:
        time.sleep(_POLL)
        order = _read(path)
        if order.number != last.number:
            _answer(path, order, role, armed=order.armed)
            last = order


def _answer(path: Path, order: Order, role: str, *, armed: str = "") -> None:
    crashpoints._armed.clear()
    take_out()
    answer = str(order.number)
    try:
        if order.bug is not None and role in BUGS[order.bug].processes:
            BUGS[order.bug].plant()
    except Exception as problem:  # noqa: BLE001 - whatever it is, who gave the order has to know
        answer = f"could not plant {order.bug}: {problem!r}"
    if order.stops:
        swap(crashpoints, "signal", lambda real: SimpleNamespace(SIGKILL=real.SIGSTOP))
    crashpoints._armed.update(crashpoints.parse(armed))
    path.with_suffix(".followed").write_text(answer, encoding="utf-8")


def _read(path: Path) -> Order:
    return Order(**json.loads(path.read_text(encoding="utf-8")))
