"""`carillon flow …`: flow files, checked and played through without a server."""
# ruff: noqa: PLC0415 - the other commands must not wait for what reads files

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stack.flow_store import stored
from stack.problems import StackError

if TYPE_CHECKING:
    from api.flow_files import Misprint
    from domain.flow_preview import Entry
    from domain.flow_state import Heard
    from domain.flow_steps import Flow
    from domain.holidays import Holidays

flow = typer.Typer(help="Flows: check files, see what a series would do, push and publish.", no_args_is_help=True)
flow.add_typer(stored)

Files = Annotated[list[Path], typer.Argument(help="Flow files in YAML or JSON; `-` reads from standard input.")]
File = Annotated[Path, typer.Argument(help="A flow file in YAML or JSON; `-` reads from standard input.")]
_KINDS = ("reply", "tap", "reaction", "delivered", "read", "event")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Ask = Annotated[
    bool, typer.Option("--ask", help="Ask the installation, too, whether events have what expressions name.")
]


@flow.command()
def check(files: Files, *, ask: Ask = False, as_json: AsJson = False) -> None:
    """Checks flow files and prints what is wrong with its line; 0 only if nothing is, whatever is warned of."""
    from api.flow_files import listed, read
    from stack import flow_warnings

    texts = {str(file): _text(file) for file in files}
    found = {name: read(text)[1] for name, text in texts.items()}
    warnings = flow_warnings.asked({name: text for name, text in texts.items() if not found[name]}) if ask else {}
    if as_json:
        typer.echo(json.dumps(_in_json(found, warnings), ensure_ascii=False, indent=2))
    else:
        for name, misprints in found.items():
            lines = listed(misprints, name) or [f"{name}: nothing is wrong"]
            typer.echo("\n".join([*lines, *flow_warnings.listed(warnings.get(name, ()), name)]))
    raise typer.Exit(1 if any(found.values()) else 0)


@flow.command()
def schema() -> None:
    """Prints the JSON Schema of flow files, for editors."""
    from api.flow_schema import flow_schema

    typer.echo(json.dumps(flow_schema(), indent=2))


@flow.command()
def plan(
    file: File,
    *,
    start: Annotated[str | None, typer.Option(help="When the series begins, such as 2026-06-01T09:00+05:30.")] = None,
    zone: Annotated[str, typer.Option(help="The recipient's IANA time zone.")] = "UTC",
    anchor: Annotated[list[str] | None, typer.Option(help="A date of the series: due_at=2026-06-20T12:00Z.")] = None,
    hear: Annotated[list[str] | None, typer.Option(help="What happens, and how long after: reply@2h.")] = None,
    data: Annotated[str, typer.Option(help="The series' data as JSON.")] = "{}",
    calendar: Annotated[list[str] | None, typer.Option(help="The days of a calendar: india=2026-11-08,08-15.")] = None,
    consent: Annotated[
        list[str] | None, typer.Option(help="What the recipient chose already: news=granted, or =denied.")
    ] = None,
    ask: Ask = False,
    as_json: AsJson = False,
) -> None:
    """Shows what a series of a flow would do, when and why; nothing is sent."""
    from domain.calendar import zone_of
    from domain.conditions import holds
    from domain.flow_needs import standing_by_topic
    from domain.flow_preview import simulate
    from domain.flow_program import compiled
    from domain.flow_state import SeriesState

    text = _text(file)
    definition = _flow(text, str(file))
    if ask:
        _warn(text, str(file))
    began = _instant(start) if start else datetime.now(UTC).replace(microsecond=0)
    try:
        clock = zone_of(zone)
        state = SeriesState(
            started_at=began, entered_at=began, zone=zone, anchors=_anchors(anchor or []), facts=_facts(data),
            calendars=_calendars(calendar or []), consents=standing_by_topic(definition, _chosen(consent or [])),
        )  # fmt: skip
        entries = simulate(compiled(definition), state, holds, [_heard(one, began, zone) for one in hear or []])
        lines = [_line(entry, clock, as_json=as_json) for entry in entries]
    except (ValueError, OverflowError) as error:
        raise StackError(str(error)) from error
    typer.echo("\n".join(lines))


def _warn(text: str, name: str) -> None:
    """Prints what the installation says against a file beside what else is printed."""
    from stack import flow_warnings

    for line in flow_warnings.listed(flow_warnings.asked({name: text})[name], name):
        typer.echo(line, err=True)


def _in_json(
    found: Mapping[str, Sequence["Misprint"]], warnings: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, list[dict[str, Any]]]:
    fields = ("line", "column", "pointer", "message")
    shown: dict[str, list[dict[str, Any]]] = {
        name: [{one: getattr(item, one) for one in fields} for item in many] for name, many in found.items()
    }
    for name, many in warnings.items():
        shown[name] += [{**one, "severity": "warning"} for one in many]
    return shown


def _text(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StackError(f"{file} cannot be read: {error}") from error


def _flow(text: str, name: str) -> "Flow":
    from api.flow_files import listed, read

    found, misprints = read(text)
    if found is None:
        raise StackError("\n".join(listed(misprints, name)))
    return found


def _instant(text: str) -> datetime:
    from domain.calendar import is_in_reach

    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise StackError(f"{text!r} is no instant; write it like 2026-06-01T09:00+05:30") from error
    if found.tzinfo is None:
        raise StackError(f"{text!r} lacks its offset; write it like 2026-06-01T09:00+05:30")
    if not is_in_reach(found):
        raise StackError(f"{text!r} is before 1971 or after 2199")
    return found.astimezone(UTC)


def _anchors(pairs: list[str]) -> dict[str, datetime]:
    named = [pair.partition("=") for pair in pairs]
    return {name: _instant(value) for name, _, value in named}


def _calendars(pairs: list[str]) -> dict[str, "Holidays"]:
    from domain.holidays import read

    named = [pair.partition("=") for pair in pairs]
    return {name: read([day for day in days.split(",") if day]) for name, _, days in named}


def _chosen(pairs: list[str]) -> dict[str, str]:
    named = [pair.partition("=") for pair in pairs]
    for topic, _, state in named:
        if state not in {"granted", "denied"}:
            raise StackError(f"{topic}={state} is no choice; write it like news=granted or news=denied")
    return {topic: state for topic, _, state in named}


def _facts(data: str) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise StackError(f"--data is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise StackError("--data is no JSON object; write it like '{\"amount\": 5}'")
    return {"event": {}, "recipient": {}, "series": {}, "data": found}


def _heard(text: str, began: datetime, zone: str) -> "Heard":
    from domain.calendar import shift, zone_of
    from domain.durations import parse
    from domain.flow_state import Heard

    what, _, after = text.rpartition("@")
    kind, _, name = what.partition(":")
    if kind not in _KINDS:
        raise StackError(f"{text!r} is nothing to hear; write it like reply@2h, tap:accept@1d, event:invoice.paid@3d")
    return Heard(kind=kind, name=name or None, at=shift(began, parse(after), zone_of(zone)))


def _line(entry: "Entry", clock: tzinfo, *, as_json: bool) -> str:
    at = entry.at.astimezone(clock).isoformat()
    detail = {
        name: value.astimezone(clock).isoformat() if isinstance(value, datetime) else value
        for name, value in (entry.detail or {}).items()
    }
    if as_json:
        return json.dumps({"at": at, "kind": entry.kind, "step": entry.step_id, "detail": detail})
    told = ", ".join(f"{name} {value}" for name, value in detail.items() if value is not None)
    return f"{at}  {entry.kind:<8} {' '.join(filter(None, (entry.step_id, told)))}"
