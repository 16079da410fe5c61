"""Prints operations, and the series that they could do nothing with, as tables on a terminal."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from stack.flow_tables import console, moment, table

_ID = 36


def print_list(rows: Sequence[Mapping[str, Any]]) -> None:
    """Prints operations with how far each is."""
    if not rows:
        console().print("There is no operation that fits.")
        return
    listed = table("operation", "over", "kind", "state", "done", "refused", "of", "by", "created (UTC)")
    listed.columns[0].min_width = _ID
    for row in rows:
        counts = (f"{row[name]:,}" for name in ("done", "refused", "total"))
        facts = (row["id"], row["subject"], row["kind"], row["state"], *counts, row["actor"], moment(row["created_at"]))
        listed.add_row(*map(Text, facts))
    console().print(listed)


def print_operation(found: Mapping[str, Any], refused: Sequence[Mapping[str, Any]], said: str) -> None:
    """Prints what an operation does, how far it is, and what it could not do."""
    terminal = console()
    terminal.print(Text(f"{found['id']}  {found['kind']} {found['subject']}", style="bold"))
    terminal.print(Text(said))
    meant = {name: value for name, value in found["filter"].items() if value is not None}
    for name, value in (("meant", meant), ("order", found["order"])):
        if value:
            terminal.print(Text(f"{name} {json.dumps(value, ensure_ascii=False)}"))
    terminal.print(Text(f"by {found['actor']}, {found['rate']} in a second, created {moment(found['created_at'])} UTC"))
    if found["reason"]:
        terminal.print(Text(f"because {found['reason']}"))
    if refused:
        print_refused(refused, more=found["refused"] - len(refused))


def print_refused(rows: Sequence[Mapping[str, Any]], *, more: int = 0) -> None:
    """Prints series that could not do what an operation wanted, and why."""
    terminal = console()
    listed = table("series", "flow", "key", "at (UTC)", "why not")
    listed.columns[0].min_width = _ID
    for row in rows:
        listed.add_row(*map(Text, (row["id"], row["flow"], row["key"], moment(row["at"]), row["sentence"])))
    terminal.print()
    terminal.print(listed)
    if more > 0:
        terminal.print(f"and {more:,} more.")
