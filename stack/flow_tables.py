"""Prints flows, what waits at their steps, and what an event would do, as tables on a terminal."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE = 200
"""Columns where the output is no terminal: nothing is cut that a script may look for."""
_NUMBERS = frozenset({"count", "version", "published", "newest"})


def print_flows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Prints flows with their state and their versions."""
    if not rows:
        console().print("There is no flow that fits.")
        return
    listed = table("flow", "status", "published", "newest", "changed (UTC)", "title")
    for row in rows:
        numbers = (str(row["published_version"] or "-"), str(row["newest_version"]))
        facts = (row["name"], row["status"], *numbers, moment(row["updated_at"]), row["title"] or "-")
        listed.add_row(*map(Text, facts))
    console().print(listed)


def print_flow(found: Mapping[str, Any]) -> None:
    """Prints a flow and its versions."""
    terminal = console()
    terminal.print(Text(f"{found['name']}  {found['status']}", style="bold"))
    if found["title"]:
        terminal.print(Text(found["title"]))
    listed = table("version", "pushed (UTC)", "new series")
    for version in found["versions"]:
        taken = "take it" if version["number"] == found["published_version"] else "-"
        listed.add_row(str(version["number"]), moment(version["created_at"]), taken)
    terminal.print(listed)
    if (left := found["newest_version"] - len(found["versions"])) > 0:
        terminal.print(f"and {left:,} more.")


def print_waiting(waiting: Sequence[Mapping[str, Any]]) -> None:
    """Prints how many running series stand at which step of which version."""
    if not waiting:
        console().print("No series of it runs.")
        return
    listed = table("version", "step", "count")
    for one in waiting:
        listed.add_row(str(one["version"]), Text(one["step"] or "(between steps)"), f"{one['count']:,}")
    console().print(listed)


def print_meetings(meetings: Sequence[Mapping[str, Any]]) -> None:
    """Prints what each flow that has to do with an event would make of it."""
    if not meetings:
        console().print("No flow has to do with it.")
        return
    listed = table("flow", "starts one", "heard", "key", "pattern", "why it starts none")
    for one in meetings:
        marks = ["yes" if one[name] else "no" for name in ("starts", "hears")]
        listed.add_row(*map(Text, (one["flow"], *marks, one["key"] or "-", one["pattern"] or "-", _why_not(one))))
    console().print(listed)


def _why_not(one: Mapping[str, Any]) -> str:
    if one["starts"]:
        return "-"
    return str(one["detail"] or "nothing in its `on` fits, or it is paused")


def console() -> Console:
    """Returns the terminal, or what stands in for it where the output goes elsewhere."""
    found = Console(highlight=False, soft_wrap=True)
    return found if found.is_terminal else Console(highlight=False, soft_wrap=True, width=_WIDE)


def table(*headings: str) -> Table:
    """Returns an empty table with these headings; numbers stand to the right."""
    made = Table(box=None, header_style="bold", pad_edge=False)
    for heading in headings:
        made.add_column(heading, no_wrap=True, justify="right" if heading in _NUMBERS else "left")
    return made


def moment(instant: str | None) -> str:
    """Returns an instant of the API as tables show it, in UTC."""
    if instant is None:
        return "-"
    return datetime.fromisoformat(instant).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
