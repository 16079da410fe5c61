"""`carillon explain` and `carillon notifications …`: one notification, asked of the API."""

from typing import Annotated

import typer

from stack.asking import asking, print_json

notifications = typer.Typer(help="One notification: settle a doubt.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(help="The notification.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def explain(id: Id, *, as_json: AsJson = False) -> None:  # noqa: A002 - the word that people see in the usage
    """Says where a notification stands, what it waits for, and why whatever was not sent was not."""
    with asking() as api:
        found = api.get(f"/v1/notifications/{id}/explain")
    if as_json:
        print_json(found)
        return
    from stack.explanation import print_explanation  # noqa: PLC0415 - JSON needs no tables

    print_explanation(found)


@notifications.command()
def settle(
    id: Id,  # noqa: A002 - the word that people see in the usage
    *,
    sent: Annotated[bool, typer.Option("--sent/--not-sent", help="Whether the provider took it.", show_default=False)],
    reason: Annotated[str, typer.Option(help="How that was found out; it is kept.", show_default=False)],
    attempt: Annotated[str | None, typer.Option(help="Id of the attempt, where several are in doubt.")] = None,
    as_json: AsJson = False,
) -> None:
    """Says whether a provider took an attempt of which nobody could say."""
    outcome = "sent" if sent else "not_sent"
    with asking() as api:
        body = {"outcome": outcome, "reason": reason, "attempt": attempt}
        found = api.post(f"/v1/notifications/{id}/settle", body)
    if as_json:
        print_json(found)
        return
    one = found["attempt"]
    already = " That had been said before." if found["repeated"] else ""
    typer.echo(f"Attempt {one['number']} over {one['channel']} by {one['provider']}: {one['state']}.{already}")
    typer.echo(f"The notification is {found['status']}{' (' + found['reason'] + ')' if found['reason'] else ''}.")
