"""`carillon operations …`: what is done with many notifications or series, how far it is, and stopping it."""

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stack.asking import asking, print_json

if TYPE_CHECKING:
    from stack.api_client import ApiClient

operations = typer.Typer(help="What is done with many at once: how far it is, stopping it.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(help="The operation.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]

_PAUSE = 0.5
_OVER = frozenset({"done", "stopped"})
_INTERRUPTED = 130


@operations.command("list")
def list_operations(
    *,
    state: Annotated[list[str] | None, typer.Option(help="pending, running, done or stopped; several times.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Such as pause or drop; several times.")] = None,
    subject: Annotated[str | None, typer.Option(help="Over these only: notification or series.")] = None,
    most: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Lists operations over parked notifications and series, the newest first, with how far each is."""
    with asking() as api:
        rows = list(api.rows("/v1/operations", most=most, state=state, kind=kind, subject=subject))
    if as_json:
        print_json(rows)
        return
    from stack.operation_tables import print_list  # noqa: PLC0415 - JSON needs no tables

    print_list(rows)


@operations.command()
def show(
    id: Id,  # noqa: A002 - the word that people see in the usage
    *,
    most: Annotated[int, typer.Option(min=0, max=100_000, help="How many of the refused series at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Shows what an operation does, how far it is, and which series it could do nothing with, and why."""
    with asking() as api:
        found = api.get(f"/v1/operations/{id}")
        path = f"/v1/operations/{id}/series"
        refused = list(api.rows(path, most=most, state="refused")) if found["refused"] else []
    if as_json:
        print_json({"operation": found, "refused": refused})
        return
    from stack.operation_tables import print_operation  # noqa: PLC0415 - JSON needs no tables

    print_operation(found, refused, said(found))


@operations.command()
def stop(id: Id, *, as_json: AsJson = False) -> None:  # noqa: A002 - the word that people see in the usage
    """Stops an operation: it takes up nothing more; what it took up stays as it is."""
    with asking() as api:
        found = api.post(f"/v1/operations/{id}/stop")
    if as_json:
        print_json(found)
        return
    typer.echo(said(found))


def said(operation: Mapping[str, Any]) -> str:
    """Returns how far an operation is, in words."""
    refused = f", {operation['refused']:,} refused" if operation["refused"] else ""
    return f"{operation['state']}: {operation['done']:,} of {operation['total']:,} taken up{refused}"


def watch(api: "ApiClient", operation_id: str) -> Mapping[str, Any]:
    """Tells how far an operation is until it is over, and returns it; interrupted, it leaves the operation alone."""
    try:
        return _watched(api, operation_id)
    except KeyboardInterrupt:
        typer.echo(f"\nIt goes on. See it: carillon operations show {operation_id}")
        typer.echo(f"Stop it: carillon operations stop {operation_id}")
        raise typer.Exit(_INTERRUPTED) from None


def _watched(api: "ApiClient", operation_id: str) -> Mapping[str, Any]:
    last = ""
    while True:
        operation = api.get(f"/v1/operations/{operation_id}")
        now = said(operation)
        if now != last and sys.stdout.isatty():
            typer.echo(f"\r\033[K{now}", nl=False)
        last = now
        if operation["state"] in _OVER:
            typer.echo("\r\033[K" * sys.stdout.isatty() + now)
            return operation
        time.sleep(_PAUSE)
