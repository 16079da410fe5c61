"""`python -m tests.chaos`: runs campaigns one after the other and prints their table; 0 only if all are valid."""

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tests.chaos import faults, table
from tests.chaos.campaign import Plan, Report, Verdict, run

_SECONDS = 30
_OVERHEAD = 45.0
"""Seconds that a campaign takes besides, as a first guess: start, settling, checks."""
_FIRST_SEED = 1
_NARROWEST = 150
"""Columns of the table, which a terminal may wrap but a file should not."""


def main(arguments: Sequence[str]) -> int:
    """Runs the campaigns that were asked for and returns the exit status."""
    asked = parsed(arguments)
    console = Console(highlight=False, width=max(Console().width, _NARROWEST))
    reports: list[Report] = []
    deadline = time.monotonic() + asked.minutes * 60
    seeds = [asked.seed] if asked.seed is not None else list(range(_FIRST_SEED, _FIRST_SEED + 1000))
    longest = asked.seconds + _OVERHEAD
    for seed in seeds:
        if reports and time.monotonic() + longest > deadline:
            break
        began = time.monotonic()
        report = run(plan_of(asked, seed))
        longest = max(longest, time.monotonic() - began)
        reports.append(report)
        took = time.monotonic() - began
        console.print(f"seed {seed}: {report.verdict.value} after {took:.0f} s", style="dim")
    console.print()
    table.show(reports, console)
    return 0 if all(report.verdict is Verdict.VALID for report in reports) else 1


def plan_of(asked: argparse.Namespace, seed: int) -> Plan:
    """Returns the plan that the command line asks for."""
    names = tuple(asked.faults.split(",")) if asked.faults else None
    records = asked.records / str(seed) if asked.records else None
    return Plan(seed=seed, seconds=asked.seconds, faults=names, planted=asked.planted, rate=asked.rate, records=records)


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Returns what the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description="Loads and strikes the whole stack, and proves what was promised.",
        epilog="faults: " + ", ".join(faults.NAMES),
    )
    parser.add_argument("--seed", type=int, help="run this campaign alone")
    parser.add_argument("--minutes", type=float, default=9.0, help="begin no campaign that would end later (9)")
    parser.add_argument("--seconds", type=int, default=_SECONDS, help=f"length of one campaign ({_SECONDS})")
    parser.add_argument("--rate", type=float, default=10.0, help="requests per second (10)")
    parser.add_argument("--faults", help="names, comma separated; all of them unless given")
    parser.add_argument("--planted", help="start API and workers with this bug, which must be found")
    parser.add_argument("--records", type=Path, help="keep what was recorded in this directory")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # the disk is taken away on the way out
    sys.exit(main(sys.argv[1:]))
