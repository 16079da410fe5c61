"""Prints the explanation of a notification on a terminal."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE = 160
"""Columns where the output is no terminal: nothing is cut that a script may look for."""


def print_explanation(found: Mapping[str, Any]) -> None:
    """Prints where it stands, what it waits for, and every reason with what to do about it."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDE)
    console.print(Text(f"{found['notification_id']}  {found['status']}", style="bold"))
    console.print(Text(found["sentence"]))
    if found["next"]:
        console.print(Text(f"→ {found['next']}"))
    if found["waits_for"]:
        console.print(Text(found["waits_for"]["sentence"]))
    if found["entries"]:
        console.print()
        console.print(_table(found["entries"]))
    if not found["complete"]:
        console.print("There is more; the timeline of the resource has all of it.")


def _table(entries: list[Mapping[str, Any]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("at (UTC)", "what", "code", "where"):
        table.add_column(heading, no_wrap=True)
    table.add_column("in words", ratio=1)
    for entry in entries:
        at = datetime.fromisoformat(entry["at"]).strftime("%Y-%m-%d %H:%M:%S")
        words = Text(entry["sentence"])
        if said := " ".join(filter(None, (entry["provider_code"], entry["detail"]))):
            words.append(f"\n{said}", style="dim")
        if entry["what"] == "doubted" and entry["reference"]:
            words.append(f"\nreference {entry['reference']}, attempt {entry['attempt_id']}", style="dim")
        words.append(f"\n→ {entry['next']}")
        table.add_row(at, entry["what"], entry["code"], Text(_where(entry)), words)
    return table


def _where(entry: Mapping[str, Any]) -> str:
    """Returns channel, account and attempt, each on a line of its own, as far as they are known."""
    number = f"attempt {entry['attempt']}" if entry["attempt"] else None
    return "\n".join(filter(None, (entry["channel"], entry["account"] or entry["provider"], number)))
