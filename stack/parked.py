"""`carillon parked …`: what is parked, counted first, then resumed or dropped."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stack.asking import asking, print_json
from stack.operations import said, watch
from stack.problems import StackError

if TYPE_CHECKING:
    from stack.api_client import ApiClient

parked = typer.Typer(help="What cannot go on by itself: see it, resume it, drop it.", no_args_is_help=True)

Cause = Annotated[str | None, typer.Option(help="Parked for this cause, such as misconfigured.")]
Account = Annotated[str | None, typer.Option(help="Because of this account: its id or name.")]
Template = Annotated[str | None, typer.Option(help="Of this template.")]
Resource = Annotated[str | None, typer.Option(help="About this thing: type, or type/id.")]
Trigger = Annotated[str | None, typer.Option(help="Sent for this reason of yours; a * at the end stands for any rest.")]
Since = Annotated[str | None, typer.Option(help="Parked then or later, such as 2026-01-31T08:00:00Z.")]
Before = Annotated[str | None, typer.Option(help="Parked before then.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Rate = Annotated[int, typer.Option(min=1, max=500, help="How many in a second.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Return at once; the operation goes on.")]


@parked.command("list")
def list_groups(*, as_json: AsJson = False) -> None:
    """Counts what is parked by cause, account and template."""
    with asking() as api:
        counts = api.get("/v1/parked")
    if as_json:
        print_json(counts)
        return
    from stack.parked_tables import print_groups  # noqa: PLC0415 - the others need no tables

    print_groups(counts)


@parked.command()
def show(
    *,
    cause: Cause = None,
    account: Account = None,
    template: Template = None,
    resource: Resource = None,
    trigger: Trigger = None,
    since: Since = None,
    before: Before = None,
    most: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Lists parked notifications, the newest first."""
    given = _given(cause, account, template, resource, trigger, since, before)
    with asking() as api:
        rows = list(api.rows("/v1/parked/notifications", most=most, **_meant(api, given)))
    if as_json:
        print_json(rows)
        return
    from stack.parked_tables import print_notifications  # noqa: PLC0415 - the others need no tables

    print_notifications(rows)


@parked.command()
def resume(
    *,
    cause: Cause = None,
    account: Account = None,
    template: Template = None,
    resource: Resource = None,
    trigger: Trigger = None,
    since: Since = None,
    before: Before = None,
    rate: Rate = 50,
    reason: Annotated[str | None, typer.Option(help="Why; it is kept.")] = None,
    yes: Yes = False,
    no_wait: NoWait = False,
) -> None:
    """Lets parked notifications go on, after telling how many and asking."""
    given = _given(cause, account, template, resource, trigger, since, before)
    _operate("resume", given, {"rate": rate, "reason": reason}, yes=yes, wait=not no_wait)


@parked.command()
def drop(
    *,
    reason: Annotated[str, typer.Option(help="Why; it is kept.")],
    cause: Cause = None,
    account: Account = None,
    template: Template = None,
    resource: Resource = None,
    trigger: Trigger = None,
    since: Since = None,
    before: Before = None,
    rate: Rate = 50,
    yes: Yes = False,
    no_wait: NoWait = False,
) -> None:
    """Ends parked notifications without sending them, after telling how many and asking."""
    given = _given(cause, account, template, resource, trigger, since, before)
    _operate("drop", given, {"rate": rate, "reason": reason}, yes=yes, wait=not no_wait)


@parked.command()
def stop(operation: Annotated[str, typer.Argument(help="The operation's id.")]) -> None:
    """Stops an operation: it takes up nothing more."""
    with asking() as api:
        typer.echo(said(api.post(f"/v1/operations/{operation}/stop")))


def _operate(kind: str, given: Mapping[str, str], order: Mapping[str, Any], *, yes: bool, wait: bool) -> None:
    with asking() as api:
        change = {"filter": _meant(api, given), **order}
        preview = api.post(f"/v1/parked/{kind}", change, dry_run="true")
        if not preview["count"]:
            typer.echo("Nothing is parked that fits.")
            return
        _confirm(kind, preview, order, yes=yes)
        operation = api.post(f"/v1/parked/{kind}", {**change, "expected": preview["count"]})
        typer.echo(f"Operation {operation['id']}; stop it with: carillon parked stop {operation['id']}")
        if wait:
            watch(api, operation["id"])


def _confirm(kind: str, preview: Mapping[str, Any], order: Mapping[str, Any], *, yes: bool) -> None:
    from stack.parked_tables import print_notifications  # noqa: PLC0415 - the others need no tables

    print_notifications(preview["sample"], more=preview["count"] - len(preview["sample"]))
    seconds = -(-preview["count"] // order["rate"])
    question = f"{kind.capitalize()} {preview['count']:,} notifications, {order['rate']} in a second ({seconds:,} s)?"
    if not yes and not typer.confirm(question):
        raise StackError("Nothing was done.")


def _given(
    cause: str | None,
    account: str | None,
    template: str | None,
    resource: str | None,
    trigger: str | None,
    since: str | None,
    before: str | None,
) -> dict[str, str]:
    """Returns the filter as it was typed, with the API's names and without what was not given."""
    kind, _, name = (resource or "").partition("/")
    filled = {
        "cause": cause,
        "account": account,
        "template": template,
        "resource_type": kind,
        "resource_id": name,
        "trigger": trigger,
        "parked_after": since,
        "parked_before": before,
    }
    return {key: value for key, value in filled.items() if value}


def _meant(api: "ApiClient", given: Mapping[str, str]) -> dict[str, str]:
    """Returns the filter with the account's id in place of its name."""
    wanted = given.get("account")
    if wanted is None:
        return dict(given)
    accounts = [group["account"] for group in api.get("/v1/parked")["groups"] if group["account"]]
    found = {one["id"] for one in accounts if wanted in {one["id"], one["name"]}}
    if not found:
        names = ", ".join(sorted({one["name"] or one["id"] for one in accounts})) or "none"
        raise StackError(f"Nothing is parked because of the account {wanted!r}; accounts with parked ones: {names}.")
    return {**given, "account": found.pop()}
