"""`carillon series operate`: what one series may be told, told to many; counted and asked first."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from stack.asking import asking
from stack.operations import watch
from stack.problems import StackError
from stack.series import Cause, Flow, Key, NextBefore, Reason, Resource, Step, To, Version, anchors_of, series

__all__ = ["series"]

_KINDS = ("pause", "resume", "stop", "skip", "run-again", "move")
Kind = Annotated[str, typer.Argument(help=f"{', '.join(_KINDS[:-1])} or {_KINDS[-1]}.", show_default=False)]


@series.command()
def operate(
    kind: Kind,
    *,
    flow: Flow = None,
    version: Version = None,
    status: Annotated[str | None, typer.Option(help="running, paused or parked.")] = None,
    step: Step = None,
    key: Key = None,
    to: To = None,
    resource: Resource = None,
    cause: Cause = None,
    next_before: NextBefore = None,
    again: Annotated[str | None, typer.Option(help="With run-again: the step.")] = None,
    shift: Annotated[list[str] | None, typer.Option(help="With move: by how much, such as due_at=+2d.")] = None,
    anchor: Annotated[
        list[str] | None, typer.Option(help="With move: to when, such as due_at=2026-06-20T12:00Z.")
    ] = None,
    rate: Annotated[int, typer.Option(min=1, max=500, help="How many in a second.")] = 50,
    reason: Reason = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Return at once; the operation goes on.")] = False,
) -> None:
    """Steers all series that fit, after telling how many and asking; then tells how far it is until it is over."""
    if kind not in _KINDS:
        raise StackError(f"{kind!r} is nothing that series are told; write {', '.join(_KINDS)}")
    about, _, name = (resource or "").partition("/")
    wanted = {"flow": flow, "version": version, "status": status, "step": step, "key": key, "to": to, "cause": cause}
    wanted |= {"resource_type": about or None, "resource_id": name or None, "next_before": next_before}
    given = {field: value for field, value in wanted.items() if value is not None}
    if kind == "stop" and not reason:
        raise StackError("Say why they are stopped, with --reason; it is kept.")
    order: dict[str, Any] = {
        "step": again,
        "anchors": {**anchors_of(anchor or []), **_shifts(shift or [])},
        "rate": rate,
    }
    order |= {"kind": kind.replace("-", "_"), "filter": given, "reason": reason}
    _operate(kind, order, yes=yes, wait=not no_wait)


def _operate(kind: str, order: Mapping[str, Any], *, yes: bool, wait: bool) -> None:
    with asking() as api:
        preview = api.post("/v1/series/operations", order, dry_run="true")
        if not preview["count"]:
            typer.echo("There is no series that fits.")
            return
        _confirm(kind, preview, order["rate"], yes=yes)
        made = api.post("/v1/series/operations", {**order, "expected": preview["count"]})
        typer.echo(f"Operation {made['id']}; stop it with: carillon operations stop {made['id']}")
        if wait and watch(api, made["id"])["refused"]:
            typer.echo(f"Which were refused, and why: carillon operations show {made['id']}")


def _confirm(kind: str, preview: Mapping[str, Any], rate: int, *, yes: bool) -> None:
    from stack.series_tables import print_list  # noqa: PLC0415 - the help needs no tables

    print_list(preview["sample"])
    if (more := preview["count"] - len(preview["sample"])) > 0:
        typer.echo(f"and {more:,} more.")
    seconds = -(-preview["count"] // rate)
    question = f"{kind.capitalize()}: {preview['count']:,} series, {rate} in a second ({seconds:,} s)?"
    if not yes and not typer.confirm(question):
        raise StackError("Nothing was done.")


def _shifts(pairs: Sequence[str]) -> dict[str, dict[str, str]]:
    named = [pair.partition("=") for pair in pairs]
    for pair, (name, _, length) in zip(pairs, named, strict=True):
        if not name or not length:
            raise StackError(f"--shift {pair!r} is no length of time; write it like due_at=+2d")
    return {name: {"shift": length} for name, _, length in named}
