"""`carillon suppressions …`: addresses that nothing may reach."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from stack.asking import asking, print_json
from stack.problems import StackError

suppressions = typer.Typer(help="Addresses that nothing may reach: see, add, lift.", no_args_is_help=True)

Address = Annotated[str, typer.Argument(help="The address, such as +919876543210 or asha@example.com.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


@suppressions.command("list")
def list_suppressions(
    *,
    address: Annotated[str | None, typer.Option(help="Of this address.")] = None,
    channel: Annotated[str | None, typer.Option(help="Of addresses that the channel uses.")] = None,
    cause: Annotated[str | None, typer.Option(help="For this cause, such as hard_bounce.")] = None,
    since: Annotated[str | None, typer.Option(help="Then or later, such as 2026-01-31T08:00:00Z.")] = None,
    most: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Lists addresses that nothing may reach, the newest first."""
    with asking() as api:
        given = {"address": address, "channel": channel, "cause": cause, "since": since}
        rows = list(api.rows("/v1/suppressions", most=most, **given))
    if as_json:
        print_json(rows)
        return
    _print(rows)


@suppressions.command()
def add(
    address: Address,
    *,
    note: Annotated[str, typer.Option(help="Why; it is kept.", show_default=False)],
    kind: Annotated[str | None, typer.Option(help="phone, email or whatsapp_user; told by the address.")] = None,
    cause: Annotated[str, typer.Option(help="Another one for what came to you elsewhere.")] = "by_hand",
) -> None:
    """Lets nothing reach an address any more."""
    kind = kind or ("email" if "@" in address else "phone")
    with asking() as api:
        made = api.post("/v1/suppressions", {"kind": kind, "value": address, "cause": cause, "note": note})
    typer.echo(f"{made['value']}: {made['cause']}, {made['id']}")


@suppressions.command()
def lift(
    address: Address, *, reason: Annotated[str, typer.Option(help="Why; it is kept.", show_default=False)]
) -> None:
    """Lets messages reach an address again."""
    with asking() as api:
        rows = list(api.rows("/v1/suppressions", most=10, address=address))
        if not rows:
            raise StackError(f"nothing keeps messages from {address}")
        for row in rows:
            api.delete(f"/v1/suppressions/{row['id']}?{urlencode({'reason': reason})}")
            typer.echo(f"{row['value']}: {row['cause']} lifted")


def _print(rows: Sequence[Mapping[str, Any]]) -> None:
    from rich.text import Text  # noqa: PLC0415 - JSON needs no tables

    from stack.flow_tables import console, moment, table  # noqa: PLC0415 - JSON needs no tables

    if not rows:
        console().print("Nothing is suppressed that fits.")
        return
    listed = table("address", "kind", "cause", "since", "note")
    for row in rows:
        listed.add_row(*map(Text, (row["value"], row["kind"], row["cause"], moment(row["at"]), row["note"] or "-")))
    console().print(listed)
