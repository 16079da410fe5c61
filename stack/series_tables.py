"""Prints series, what they did and what they will do, as tables on a terminal."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from stack.flow_tables import console, moment, table

_MOST_UPCOMING = 30
_ID = 36
"""Characters of an id, which is not cut on a narrow terminal either: the other commands take it."""


def print_list(rows: Sequence[Mapping[str, Any]]) -> None:
    """Prints series with where each stands and when it goes on."""
    if not rows:
        console().print("There is no series that fits.")
        return
    listed = table("series", "flow", "version", "key", "to", "status", "step", "goes on (UTC)")
    listed.columns[0].min_width = _ID
    for row in rows:
        status = f"{row['status']} ({row['reason']})" if row["reason"] else row["status"]
        standing = (status, row["step"] or "-", moment(row["next_at"]))
        listed.add_row(*map(Text, (row["id"], row["flow"], str(row["version"]), row["key"], row["to"], *standing)))
    console().print(listed)


def print_series(
    found: Mapping[str, Any], lines: Sequence[Mapping[str, Any]], upcoming: Sequence[Mapping[str, Any]]
) -> None:
    """Prints where a series stands, what it did, and what is still to come."""
    terminal = console()
    terminal.print(Text(f"{found['id']}  {found['status']}", style="bold"))
    for sentence in _standing(found):
        terminal.print(Text(sentence))
    if lines and lines[0]["number"] > 1:
        terminal.print(f"\n{lines[0]['number'] - 1:,} earlier lines are left out; --most shows more.")
    _print_lines(terminal, lines)
    if upcoming:
        terminal.print("\nStill to come, if nothing more is heard:")
        _print_lines(terminal, upcoming[:_MOST_UPCOMING])
    if (more := len(upcoming) - _MOST_UPCOMING) > 0:
        terminal.print(f"and {more:,} more.")


def _standing(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"flow {found['flow']}, version {found['version']}, key {found['key']}, to {found['to']}"
    if found["resource_type"]:
        yield f"about {found['resource_type']}/{found['resource_id']}"
    if found["reason"]:
        yield f"{found['reason']}: {found['detail']}" if found["detail"] else found["reason"]
    if not found["ended_at"]:
        yield ", ".join(filter(None, _expected(found))) or "before its first step"
    for name, instant in found["anchors"].items():
        yield f"{name} {moment(instant)} UTC"
    if found["unheard"]:
        yield f"{found['unheard']:,} not heard: it had heard too much"


def _expected(found: Mapping[str, Any]) -> Iterator[str]:
    if found["step"]:
        yield f"at {found['step']}"
    if found["next_at"]:
        yield f"goes on {moment(found['next_at'])} UTC"
    if found["awaits"]:
        yield f"woken by {', '.join(found['awaits'])}"


def _print_lines(terminal: Console, lines: Sequence[Mapping[str, Any]]) -> None:
    if lines:
        terminal.print()
        terminal.print(_lines(lines), soft_wrap=False)


def _lines(lines: Sequence[Mapping[str, Any]]) -> Table:
    listed = table("at (UTC)", "what", "step")
    listed.add_column("in words", overflow="fold")
    for line in lines:
        listed.add_row(moment(line["at"]), line["kind"], line["step"] or "-", Text(_words(line["detail"])))
    return listed


def _words(detail: Mapping[str, Any]) -> str:
    """Returns what a line tells besides, without what is empty."""
    told = {name: value for name, value in detail.items() if value not in (None, "", [], {})}
    return ", ".join(f"{name} {value if isinstance(value, str) else _json(value)}" for name, value in told.items())


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
