"""Prints schedules, their runs, and what one would do, as tables on a terminal."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from stack.flow_tables import console, moment, table


def print_schedules(rows: Sequence[Mapping[str, Any]]) -> None:
    """Prints schedules with when each runs next."""
    if not rows:
        console().print("There is no schedule that fits.")
        return
    listed = table("schedule", "when", "does", "status", "next (UTC)", "last (UTC)", "runs")
    for row in rows:
        facts = (row["name"], _when(row["spec"]), _what(row["action"]), row["status"])
        listed.add_row(*map(Text, (*facts, moment(row["next_at"]), moment(row["last_run_at"]), str(row["runs"]))))
    console().print(listed)


def print_schedule(found: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> None:
    """Prints what a schedule says, what comes, and what its last runs did."""
    terminal = console()
    terminal.print(Text(f"{found['name']}  {found['status']}", style="bold"))
    for sentence in filter(None, (found["note"], _when(found["spec"]), _what(found["action"]))):
        terminal.print(Text(sentence))
    terminal.print(Text(f"id {found['id']}, overlap {found['overlap']}, catches up {found['catch_up']}"))
    for due in found["next"]:
        terminal.print(Text(f"next {due['local']}"))
    if runs:
        terminal.print()
        print_runs(runs)


def print_runs(rows: Sequence[Mapping[str, Any]]) -> None:
    """Prints runs with what each did."""
    if not rows:
        console().print("There is no run that fits.")
        return
    listed = table("due (UTC)", "cause", "status", "selected", "started", "reused", "refused")
    listed.add_column("in words", overflow="fold")
    for row in rows:
        counts = (str(row[name]) for name in ("seen", "started", "reused", "refused"))
        listed.add_row(*map(Text, (moment(row["scheduled_at"]), row["cause"], row["status"], *counts, _words(row))))
    console().print(listed)


def print_preview(found: Mapping[str, Any]) -> None:
    """Prints when a schedule would run, and what its query would select now."""
    terminal = console()
    for due in found["next"]:
        terminal.print(Text(due["local"]))
    if not found["next"]:
        terminal.print("It would never run.")
    if (selected := found["selected"]) is None:
        return
    more = "" if selected["is_complete"] else " or more"
    terminal.print(f"\nIts query selects {selected['count']:,}{more} now.")
    for one in selected["first"]:
        terminal.print(Text(f"{one['item']}: {one['detail'] or one['key']}"))


def _when(spec: Mapping[str, Any]) -> str:
    if "at" in spec:
        return f"once at {spec['at']}"
    written = spec["cron"] if isinstance(spec["cron"], list) else [spec["cron"]]
    return f"{'; '.join(written)} {spec['zone']}{_left_out(spec.get('except', {}))}"


def _left_out(without: Mapping[str, Any]) -> str:
    """Returns on which days nothing is due, as far as that is short."""
    count = len(without.get("dates", ()))
    dates = f"{count} date{'s' if count > 1 else ''}" if count else ""
    named = [*without.get("weekdays", ()), *(f"days of {name}" for name in without.get("calendars", ())), dates]
    told = ", ".join(filter(None, named))
    return f", not on {told}" if told else ""


def _what(action: Mapping[str, Any]) -> str:
    if "event" in action:
        return f"event {action['event']['type']}"
    if "query" in action:
        return f"{action['start']['flow']} for each of {action['query']['over']}"
    return f"{action['start']['flow']}"


def _words(run: Mapping[str, Any]) -> str:
    return "; ".join(_told(run)) or "-"


def _told(run: Mapping[str, Any]) -> Iterator[str]:
    if run["error"]:
        yield run["error"]
    if run["is_cut"]:
        yield "there was more than it may take up"
    for one in run["refusals"][:3]:
        yield f"{json.dumps(one['item'], ensure_ascii=False)}: {one['detail']}"
