"""`carillon event-type …`: what the data of events looks like, and how many came."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from stack.asking import asking, print_json
from stack.problems import StackError

event_type = typer.Typer(help="Event types: describe their data, see what came and did not fit.", no_args_is_help=True)

Type = Annotated[str, typer.Argument(help="The type, such as order.placed.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


@event_type.command()
def put(
    type: Type,  # noqa: A002 - the word that people see in the usage
    schema: Annotated[Path | None, typer.Argument(help="A JSON Schema; `-` reads from standard input.")] = None,
    *,
    mode: Annotated[str, typer.Option(help="What becomes of events that do not fit: enforce or warn.")] = "enforce",
    description: Annotated[str, typer.Option(help="What such an event means.")] = "",
    example: Annotated[list[Path] | None, typer.Option(help="A file with data of such an event as JSON.")] = None,
    as_json: AsJson = False,
) -> None:
    """Says what the data of a type looks like; what is not said here is taken back."""
    body = {
        "schema": _read(schema) if schema is not None else None,
        "mode": mode,
        "description": description,
        "examples": [_read(file) for file in example or []],
    }
    with asking() as api:
        found = api.put(f"/v1/event-types/{type}", body)
    if as_json:
        print_json(found)
        return
    typer.echo(f"{found['type']}: version {found['version']}, {_schema_words(found)}.")


@event_type.command()
def show(
    type: Type,  # noqa: A002 - the word that people see in the usage
    *,
    as_json: AsJson = False,
) -> None:
    """Shows a type: its schema, what came, who listens, and what was wrong with the last refused event."""
    with asking() as api:
        found = api.get(f"/v1/event-types/{type}")
    if as_json:
        print_json(found)
        return
    _print_one(found)


@event_type.command("list")
def list_event_types(
    *,
    known: Annotated[str | None, typer.Option(help="true: those described; false: those that only came.")] = None,
    prefix: Annotated[str | None, typer.Option(help="What the type begins with.")] = None,
    faulty: Annotated[bool, typer.Option("--faulty", help="Those of which events did not fit.")] = False,
    most: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Lists types that were described or of which events came, those that were met last first."""
    asked = {"known": known, "prefix": prefix, "faulty": "true" if faulty else None}
    with asking() as api:
        rows = list(api.rows("/v1/event-types", most=most, **asked))
    if as_json:
        print_json(rows)
        return
    _print(rows)


@event_type.command()
def delete(type: Type) -> None:  # noqa: A002 - the word that people see in the usage
    """Takes back what was said of a type; its events are taken whatever they say."""
    with asking() as api:
        api.delete(f"/v1/event-types/{type}")
    typer.echo(f"{type}: nothing is said of it any more.")


def _read(file: Path) -> Any:
    try:
        return json.loads(sys.stdin.read() if str(file) == "-" else file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise StackError(f"{file} cannot be read as JSON: {error}") from error


def _schema_words(found: Mapping[str, Any]) -> str:
    if not found["has_schema"]:
        return "without a schema" if found["known"] else "nobody described it"
    return "events that do not fit are refused" if found["mode"] == "enforce" else "events that do not fit are marked"


def _print_one(found: Mapping[str, Any]) -> None:
    from stack.flow_tables import moment  # noqa: PLC0415 - JSON needs no tables

    typer.echo(f"{found['type']}: {_schema_words(found)}.")
    if found["description"]:
        typer.echo(found["description"])
    last = moment(found["last_at"]) if found["last_at"] else "never"
    typer.echo(
        f"{found['came']:,} came, {found['warned']:,} marked, {found['refused']:,} refused; the last came {last}"
    )
    typer.echo(f"flows: {', '.join(found['flows']) or 'none'}")
    if (refusal := found["last_refusal"]) is not None:
        typer.echo(f"last refused: {refusal['id']} of {refusal['source']} at {moment(found['last_refused_at'])}")
        for fault in refusal["faults"]:
            typer.echo(f"  {fault['pointer']}: {fault['detail']}")
    if found["schema"] is not None:
        print_json(found["schema"])


def _print(rows: Sequence[Mapping[str, Any]]) -> None:
    from rich.text import Text  # noqa: PLC0415 - JSON needs no tables

    from stack.flow_tables import console, moment, table  # noqa: PLC0415 - JSON needs no tables

    if not rows:
        console().print("No event came and no type is described that fits.")
        return
    listed = table("type", "schema", "came", "marked", "refused", "last", "flows")
    for row in rows:
        schema = f"{row['mode']}, version {row['version']}" if row["has_schema"] else "-"
        numbers = (f"{row[name]:,}" for name in ("came", "warned", "refused"))
        last = moment(row["last_at"]) if row["last_at"] else "-"
        listed.add_row(*map(Text, (row["type"], schema, *numbers, last, ", ".join(row["flows"]) or "-")))
    console().print(listed)
