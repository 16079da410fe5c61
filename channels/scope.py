"""What a rendering may use: data, locale, time zone, and a budget of work."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale as BabelLocale
from babel import UnknownLocaleError
from liquid.exceptions import ResourceLimitError

from channels.errors import refused
from channels.values import plain
from domain.locales import DEFAULT, chain

LOOPS = 10_000
"""Iterations that all loops of one rendering may make together."""
NODES = 100_000
"""Pieces of templates (texts, outputs, tags) that one rendering may go through."""
CPU_SECONDS = 1.0
"""Processor time of the rendering thread; a safety net, the counters above catch what is expected."""
_NODES_PER_LOOK = 256


@dataclass(slots=True, kw_only=True)
class Budget:
    """The work that one rendering may still do; all fields of a part share it."""

    loops: int = LOOPS
    nodes: int = NODES
    seconds: float = CPU_SECONDS
    clock: Callable[[], float] = time.thread_time
    _started: float | None = field(default=None, init=False)

    def loop(self, iterations: int) -> None:
        """Takes the iterations of a loop that is about to run."""
        self.loops -= iterations
        if self.loops < 0:
            raise ResourceLimitError(f"the template loops more than {LOOPS:,} times", token=None)

    def step(self) -> None:
        """Takes one piece of a template, and looks at the clock now and then."""
        self.nodes -= 1
        if self.nodes < 0:
            raise ResourceLimitError(f"the template goes through more than {NODES:,} pieces", token=None)
        if self.nodes % _NODES_PER_LOOK == 0:
            self.look()

    def look(self) -> None:
        """Looks at the clock."""
        now = self.clock()
        if self._started is None:
            self._started = now
        elif now - self._started > self.seconds:
            raise ResourceLimitError(f"the template needs more than {self.seconds} s of processor time", token=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a rendering may use."""

    data: Mapping[str, Any] = field(repr=False)
    locale: str
    zone: ZoneInfo
    budget: Budget


def scope(data: Mapping[str, Any], *, locale: str, zone: str, budget: Budget | None = None) -> Scope:
    """Returns the scope of a rendering.

    Raises:
        TemplateError: The data is no JSON, or there is no such locale or zone.
    """
    babel_locale(locale)
    return Scope(data=plain(data), locale=locale, zone=time_zone(zone), budget=budget or Budget())


@lru_cache(maxsize=512)
def babel_locale(locale: str) -> BabelLocale:
    """Returns the conventions of the closest known locale; `default` means English.

    Raises:
        TemplateError: The text is no language tag.
    """
    try:
        tags = chain(locale)
    except ValueError as error:
        raise refused("there is no such locale; use one like 'hi-IN'") from error
    for tag in tags:
        if tag != DEFAULT:
            try:
                return BabelLocale.parse(tag, sep="-")
            except (UnknownLocaleError, ValueError):
                continue
    return BabelLocale("en")


@lru_cache(maxsize=512)
def time_zone(name: str) -> ZoneInfo:
    """Returns the zone with this IANA name.

    Raises:
        TemplateError: There is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError) as error:
        raise refused("there is no such time zone; use a name like 'Asia/Kolkata'") from error
