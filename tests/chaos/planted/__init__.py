"""Bugs that are planted on purpose, outside the product: whoever finds them is known to be awake.

`python -m tests.chaos.planted <bug> worker|api` starts a process of the product with one of them.
"""

from tests.chaos.planted import accepting, callbacks, claiming, handing_over, judging, sending, storing
from tests.chaos.planted.registry import API, BUGS, WORKER, Bug, take_out

__all__ = [
    "API",
    "BUGS",
    "WORKER",
    "Bug",
    "accepting",
    "callbacks",
    "claiming",
    "handing_over",
    "judging",
    "sending",
    "storing",
    "take_out",
]
