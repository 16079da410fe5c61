"""A small cache that forgets what was not used for longest, bounded by weight."""

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Cache(Generic[K, V]):
    """Keeps values until they weigh more than the limit together.

    Args:
        heaviest: Sum of the weights that are kept.
    """

    def __init__(self, *, heaviest: int) -> None:
        self._heaviest = heaviest
        self._weight = 0
        self._values: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """Returns the value, which then counts as used just now, or None."""
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            self._values.move_to_end(key)
            return found[0]

    def put(self, key: K, value: V, weight: int) -> None:
        """Keeps a value, and forgets others where that is needed."""
        with self._lock:
            former = self._values.pop(key, None)
            self._weight += weight - (former[1] if former else 0)
            self._values[key] = (value, weight)
            while self._weight > self._heaviest and self._values:
                self._weight -= self._values.popitem(last=False)[1][1]

    def __len__(self) -> int:
        return len(self._values)
