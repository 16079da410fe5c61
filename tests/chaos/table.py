"""The one table that a series of campaigns ends with."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tests.chaos.report import Kind, Report, Verdict

_HEADINGS = {
    Kind.LOST: "lost",
    Kind.DUPLICATED: "duplicated",
    Kind.FAILED_ALTHOUGH_ACCEPTED: "failed, accepted",
    Kind.REGRESSED: "regressed",
    Kind.UNEXPECTED: "unasked",
    Kind.CROSS_TENANT: "cross tenant",
    Kind.SENT_AFTER_STOPPED: "after stop",
    Kind.RECEIPT_LOST: "receipt lost",
    Kind.IMPOSSIBLE_HISTORY: "impossible",
    Kind.UNEXPLAINED: "unexplained",
}
_COLOURS = {Verdict.VALID: "green", Verdict.INVALID: "red", Verdict.UNKNOWN: "yellow"}


_MOST_LINES = 8
"""Violations of one kind that are listed of one campaign; the records hold the others."""


def show(reports: Sequence[Report], console: Console) -> None:
    """Prints a row for each campaign and their sum; then what was violated or is in doubt, each with its seed."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for heading in ("seed", "messages", "in pages", "faults", *_HEADINGS.values(), "unknown", "late", "verdict"):
        table.add_column(heading, justify="left" if heading in {"seed", "verdict"} else "right")
    for report in reports:
        table.add_row(str(report.seed), *_cells([report]), _verdict(report))
    table.add_row("sum", *_cells(reports), "", style="bold")
    console.print(table)
    console.print()
    console.print(f"faults: {_counted(reports)}")
    for name, why in sorted({pair for report in reports for pair in report.not_run.items()}):
        console.print(f"not run: {name} ({why})", style="yellow")
    for report in reports:
        for line in complaints(report):
            console.print(line, style=_COLOURS[report.verdict], soft_wrap=True)


def complaints(report: Report) -> list[str]:
    """Returns what is wrong with a campaign, in words, each line with its seed."""
    found = [line for kind in Kind for line in _violations(report, kind)]
    found += [f"in doubt: {doubt}" for doubt in report.doubts]
    if found and report.records is not None:
        found.append(f"the records are in {report.records}")
    if found:
        found.append(f"the same again: {report.again}")
    return [f"seed {report.seed}: {line}" for line in found]


def _violations(report: Report, kind: Kind) -> list[str]:
    mine = [f"{kind.value}: {one.subject}: {one.detail}" for one in report.violations if one.kind is kind]
    more = len(mine) - _MOST_LINES
    return mine if more <= 0 else [*mine[:_MOST_LINES], f"{kind.value}: and {more} more"]


def _cells(reports: Sequence[Report]) -> list[str]:
    counts: Counter[str] = Counter()
    for report in reports:
        counts.update(report.counts)
    violated = [str(sum(report.found(kind) for report in reports)) for kind in _HEADINGS]
    happened = sum(sum(report.faults.values()) for report in reports)
    traffic = [str(counts["messages"]), str(counts["paged"]), str(happened)]
    return [*traffic, *violated, str(counts["unknown"]), str(counts["late"])]


def _verdict(report: Report) -> str:
    return f"[{_COLOURS[report.verdict]}]{report.verdict.value}[/]"


def _counted(reports: Sequence[Report]) -> str:
    counts: Counter[str] = Counter()
    for report in reports:
        counts.update(report.faults)
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"
