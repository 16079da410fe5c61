"""`carillon replies …`: replies that may mean several series, given to one of them or to none."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from stack.asking import asking, print_json

replies = typer.Typer(help="Replies that may mean several series: see them, give each to one.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(help="The held reply.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


@replies.command("list")
def list_replies(
    *,
    state: Annotated[str, typer.Option(help="open, given, dismissed, or all.")] = "open",
    author: Annotated[str | None, typer.Option(help="Of this address.")] = None,
    most: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Lists replies that wait for somebody, the newest first, each with the series that it may mean."""
    wanted = None if state == "all" else state
    with asking() as api:
        rows = list(api.rows("/v1/held-replies", most=most, state=wanted, author=author))
    if as_json:
        print_json(rows)
        return
    _print(rows)


@replies.command()
def give(
    id: Id,  # noqa: A002 - the word that people see in the usage
    series: Annotated[str, typer.Argument(help="The series that hears it.", show_default=False)],
    *,
    reason: Annotated[str | None, typer.Option(help="Why; it is kept.")] = None,
) -> None:
    """Lets a series hear a reply as if it had said itself whom it means."""
    with asking() as api:
        found = api.post(f"/v1/held-replies/{id}/give", {"series_id": series, "reason": reason})
    typer.echo(f"{found['id']}: given to {found['series_id']}.")


@replies.command()
def dismiss(
    id: Id,  # noqa: A002 - the word that people see in the usage
    *,
    reason: Annotated[str, typer.Option(help="Why it concerns none; it is kept.", show_default=False)],
) -> None:
    """Says that a reply concerns no series."""
    with asking() as api:
        found = api.post(f"/v1/held-replies/{id}/dismiss", {"reason": reason})
    typer.echo(f"{found['id']}: dismissed.")


_WHY = {"forged": "Its button's signature does not fit.", "full": "The series that it means heard too much already."}


def _print(rows: Sequence[Mapping[str, Any]]) -> None:
    from rich.text import Text  # noqa: PLC0415 - JSON needs no tables

    from stack.flow_tables import console, moment, table  # noqa: PLC0415 - JSON needs no tables

    if not rows:
        console().print("No reply waits that fits.")
        return
    for row in rows:
        (author,) = row["author"].values()
        said = row["text"] or row["payload"] or row["kind"]
        console().print(Text(f"{row['id']}  {row['state']}  {moment(row['occurred_at'])}  {author}: {said}", "bold"))
        if row["reason"] in _WHY:
            console().print(_WHY[row["reason"]])
        listed = table("may mean", "flow", "key", "step", "status")
        for one in row["candidates"]:
            listed.add_row(*map(Text, (one["id"], one["flow"], one["key"], one["step"] or "-", one["status"])))
        console().print(listed)
