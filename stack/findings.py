"""`carillon findings`: what housekeeping found in the tenant's rows, and what it did about it."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

Kind = Annotated[str | None, typer.Option(help="Of this kind, such as workflow_lost.")]
State = Annotated[str | None, typer.Option(help="open or repaired.")]
Subject = Annotated[str | None, typer.Option(help="About this thing: type, or type/id.")]
Since = Annotated[str | None, typer.Option(help="Found then or later, such as 2026-01-31T08:00:00Z.")]
Most = Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def findings(
    *,
    kind: Kind = None,
    state: State = None,
    subject: Subject = None,
    since: Since = None,
    most: Most = 50,
    as_json: AsJson = False,
) -> None:
    """Lists what housekeeping found, the latest first, and what it did about it."""
    from stack.api_client import connect  # noqa: PLC0415 - a command must not wait for the libraries of the others

    subject_type, _, subject_id = (subject or "").partition("/")
    query = {"kind": kind, "state": state, "since": since}
    about = {"subject_type": subject_type or None, "subject_id": subject_id or None}
    with connect() as api:
        rows = list(api.rows("/v1/findings", most=most, **query, **about))
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return
    _print(rows)


def _print(rows: Sequence[Mapping[str, Any]]) -> None:
    from rich.console import Console  # noqa: PLC0415 - needed here alone
    from rich.table import Table  # noqa: PLC0415 - needed here alone
    from rich.text import Text  # noqa: PLC0415 - needed here alone

    # Where the output is no terminal, nothing is cut that a script may look for.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    if not rows:
        console.print("Nothing was found that fits.")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("kind", "subject", "state", "repair", "times", "last found"):
        table.add_column(heading, no_wrap=True, justify="right" if heading == "times" else "left")
    for row in rows:
        subject, last = f"{row['subject_type']}/{row['subject_id']}", row["last_found_at"][:19].replace("T", " ")
        facts = (row["kind"], subject, row["state"], row["repair"] or "-", str(row["times"]), last)
        table.add_row(*map(Text, facts))
    console.print(table)
    for kind, sentence in sorted({row["kind"]: row["sentence"] for row in rows}.items()):
        console.print(Text(f"{kind}: {sentence}"))
