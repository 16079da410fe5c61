"""Prints what is parked, as tables on a terminal."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE = 160
"""Columns where the output is no terminal: nothing is cut that a script may look for."""


def print_groups(counts: Mapping[str, Any]) -> None:
    """Prints how many are parked by cause, account and template, and what to do about each cause."""
    console = _console()
    if not counts["groups"]:
        console.print("Nothing is parked.")
        return
    table = _table("count", "cause", "account", "template", "oldest", "newest")
    for group in counts["groups"]:
        account = group["account"] or {}
        name = account.get("name") or account.get("id") or "-"
        since = (_ago(group["oldest"]), _ago(group["newest"]))
        table.add_row(*map(Text, (f"{group['count']:,}", group["cause"], name, group["template"], *since)))
    console.print(table)
    console.print(f"\n{counts['total']:,} in all." + ("" if counts["complete"] else " There are more groups."))
    sentences = {group["cause"]: group["sentence"] for group in counts["groups"] if group["sentence"]}
    for cause, sentence in sentences.items():
        console.print(Text(f"{cause}: {sentence}"))


def print_notifications(rows: Sequence[Mapping[str, Any]], *, more: int = 0) -> None:
    """Prints notifications with what keeps them."""
    console = _console()
    if not rows:
        console.print("Nothing is parked that fits.")
        return
    table = _table("notification", "template", "to", "about", "cause", "parked")
    for row in rows:
        about = f"{row['resource']['type']}/{row['resource']['id']}" if row["resource"] else "-"
        parked = row["parked"] or {"cause": "-", "at": None}
        to = next(iter(row["to"].values()), "-")
        table.add_row(*map(Text, (row["id"], row["template"], to, about, parked["cause"], _ago(parked["at"]))))
    console.print(table)
    if more:
        console.print(f"and {more:,} more.")


def _console() -> Console:
    found = Console(highlight=False, soft_wrap=True)
    return found if found.is_terminal else Console(highlight=False, soft_wrap=True, width=_WIDE)


def _table(*headings: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in headings:
        table.add_column(heading, no_wrap=True, justify="right" if heading == "count" else "left")
    return table


def _ago(moment: str | None) -> str:
    if moment is None:
        return "-"
    passed = max(datetime.now(UTC) - datetime.fromisoformat(moment), timedelta(0))
    hours, rest = divmod(int(passed.total_seconds()), 3600)
    if hours >= 48:  # noqa: PLR2004 - two days are better told in days
        return f"{hours // 24} d ago"
    return f"{hours} h {rest // 60:02} min ago" if hours else f"{rest // 60} min {rest % 60:02} s ago"
