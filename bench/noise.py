"""How steady the machine itself is: a fixed loop and a forced write, measured beside everything else."""

import os
import statistics
import tempfile
import time
from pathlib import Path

from bench.figures import Figure, median_of

_LOOPS, _WRITES, _ROUNDS = 2_000_000, 100, 5


def measure(when: str) -> list[Figure]:
    """Returns how long a fixed loop and one forced write of 4 KiB take, in milliseconds."""
    loops, writes = [], []
    for _ in range(_ROUNDS):
        loops.append(_loop())
        writes.append(_forced_write())
    return [
        median_of("the machine itself", f"a fixed loop, {when}", "ms", loops),
        median_of("the machine itself", f"one fdatasync, {when}", "ms", writes),
    ]


def _loop() -> float:
    began, total = time.perf_counter(), 0
    for number in range(_LOOPS):
        total += number
    return 1000 * (time.perf_counter() - began)


def _forced_write() -> float:
    took = []
    with tempfile.NamedTemporaryFile(dir=Path(tempfile.gettempdir())) as file:
        for _ in range(_WRITES):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(1000 * (time.perf_counter() - began))
    return statistics.median(took)
