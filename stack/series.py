"""`carillon series …`: series asked of the API, started, stopped and steered."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from stack.asking import asking, print_json
from stack.problems import StackError

series = typer.Typer(help="Series: find them, see what they did, start and steer them.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(help="The series.", show_default=False)]
Flow = Annotated[str | None, typer.Option(help="Of this flow.")]
Version = Annotated[int | None, typer.Option(min=1, help="That run by this version of their flow.")]
Status = Annotated[str | None, typer.Option(help="running, paused, parked, completed or stopped.")]
Step = Annotated[str | None, typer.Option(help="That stand at this step.")]
Key = Annotated[str | None, typer.Option(help="With this key.")]
To = Annotated[str | None, typer.Option(help="For this recipient: an id, or an address.")]
Resource = Annotated[str | None, typer.Option(help="About this thing: type, or type/id.")]
Cause = Annotated[str | None, typer.Option(help="Parked or ended for this cause, such as template_missing.")]
NextBefore = Annotated[str | None, typer.Option(help="That go on by themselves before, such as 2026-01-31T08:00:00Z.")]
Most = Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")]
Lines = Annotated[int, typer.Option(min=1, max=100_000, help="How many lines of what it did at most, the newest.")]
Reason = Annotated[str | None, typer.Option(help="Why; it is kept.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]

_RECEIVERS = ("recipient", "phone", "email", "whatsapp_user")


@series.command("list")
def list_series(
    *,
    flow: Flow = None,
    version: Version = None,
    status: Status = None,
    step: Step = None,
    key: Key = None,
    to: To = None,
    resource: Resource = None,
    cause: Cause = None,
    next_before: NextBefore = None,
    most: Most = 50,
    as_json: AsJson = False,
) -> None:
    """Lists series, the newest first, with where each stands and when it goes on."""
    kind, _, name = (resource or "").partition("/")
    about = {"resource_type": kind or None, "resource_id": name or None}
    wanted = {"flow": flow, "version": version, "status": status, "step": step, "key": key, "to": to, "cause": cause}
    with asking() as api:
        rows = list(api.rows("/v1/series", most=most, next_before=next_before, **wanted, **about))
    if as_json:
        print_json(rows)
        return
    from stack.series_tables import print_list  # noqa: PLC0415 - JSON needs no tables

    print_list(rows)


@series.command()
def show(id: Id, *, most: Lines = 100, as_json: AsJson = False) -> None:  # noqa: A002 - the word that people see in the usage
    """Shows where a series stands, what it did, the oldest first, and what is still to come if nothing is heard."""
    with asking() as api:
        found = api.get(f"/v1/series/{id}")
        lines = list(api.rows(f"/v1/series/{id}/timeline", most=most))[::-1]
        upcoming = api.get(f"/v1/series/{id}/upcoming")["entries"]
    if as_json:
        print_json({"series": found, "timeline": lines, "upcoming": upcoming})
        return
    from stack.series_tables import print_series  # noqa: PLC0415 - JSON needs no tables

    print_series(found, lines, upcoming)


@series.command()
def start(
    *,
    flow: Annotated[str, typer.Option(help="The flow whose published version it runs by.", show_default=False)],
    to: Annotated[str, typer.Option(help="For whom: recipient=customer-42, phone=+15550100.", show_default=False)],
    key: Annotated[str | None, typer.Option(help="What makes it unique; by the flow's expression otherwise.")] = None,
    data: Annotated[str, typer.Option(help="What templates and conditions see, as JSON.")] = "{}",
    anchor: Annotated[list[str] | None, typer.Option(help="A date of it: due_at=2026-06-20T12:00Z.")] = None,
    as_json: AsJson = False,
) -> None:
    """Starts a series, unless one with its key runs already or was stopped before."""
    body = {"flow": flow, "to": _receiver(to), "key": key, "data": _data(data), "anchors": anchors_of(anchor or [])}
    with asking() as api:
        found = api.post("/v1/series", body)
    if as_json:
        print_json(found)
        return
    typer.echo(_STARTED[found["result"]].format(**found))
    if found["replaced"]:
        typer.echo(f"{found['replaced']} was stopped for it.")


@series.command()
def stop(
    id: Annotated[str | None, typer.Argument(help="The series.", show_default=False)] = None,  # noqa: A002 - the word that people see in the usage
    *,
    flow: Annotated[str | None, typer.Option(help="Instead of the series: its flow, with --key.")] = None,
    key: Annotated[str | None, typer.Option(help="Instead of the series: its key, with --flow.")] = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Stops a series for good, with what it handed over and was not sent yet; one of a key also before it begins."""
    if [one is not None for one in (id, flow, key)] not in ([True, False, False], [False, True, True]):
        raise StackError("Name the series that is to be stopped by its id, or by --flow and --key.")
    path = "/v1/series/stop" if id is None else f"/v1/series/{id}/stop"
    with asking() as api:
        found = api.post(path, {"flow": flow, "key": key, "reason": reason})
    if as_json:
        print_json(found)
        return
    typer.echo(_STOPPED[found["result"]].format(**found))
    for sentence, names in (("Cancelled", found["cancelled"]), ("Under way", found["under_way"])):
        if names:
            typer.echo(f"{sentence}: {', '.join(names)}")


@series.command()
def pause(id: Id, *, reason: Reason = None, as_json: AsJson = False) -> None:  # noqa: A002 - the word that people see in the usage
    """Lets a series do nothing until it is resumed; what it hears meanwhile counts afterwards."""
    _steer(id, "pause", {"reason": reason}, as_json=as_json)


@series.command()
def resume(id: Id, *, reason: Reason = None, as_json: AsJson = False) -> None:  # noqa: A002 - the word that people see in the usage
    """Lets a paused or parked series go on from where it stands; what was due meanwhile comes at once."""
    _steer(id, "resume", {"reason": reason}, as_json=as_json)


@series.command()
def skip(id: Id, *, reason: Reason = None, as_json: AsJson = False) -> None:  # noqa: A002 - the word that people see in the usage
    """Leaves out what a series waits for or is parked at; a wait for something counts as timed out."""
    _steer(id, "skip", {"reason": reason}, as_json=as_json)


@series.command("run-again")
def run_again(
    id: Id,  # noqa: A002 - the word that people see in the usage
    *,
    step: Annotated[str, typer.Option(help="The step; what follows it comes again, too.", show_default=False)],
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Puts a series back, or forward, to a step, as if it came there now."""
    _steer(id, "run-again", {"step": step, "reason": reason}, as_json=as_json)


@series.command()
def move(
    id: Id,  # noqa: A002 - the word that people see in the usage
    *,
    anchor: Annotated[list[str], typer.Option(help="Its new date: due_at=2026-06-20T12:00Z.", show_default=False)],
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Moves dates of a series, and with them every wait that is still to come."""
    with asking() as api:
        found = api.patch(f"/v1/series/{id}", {"anchors": anchors_of(anchor), "reason": reason})
    _print_standing(found, as_json=as_json)


_STARTED = {
    "started": "Started {id}.",
    "reused": "Nothing was started: {id} runs with this key.",
    "ignored": "Nothing was started: {id} had this key, and the flow takes a key only once.",
    "stopped_before_start": "Nothing was started: a stop of this key came before.",
}
_STOPPED = {
    "stopped": "Stopped {id}; nothing of it is sent any more.",
    "too_late": "Stopped {id}; a message was just being handed over.",
    "ended": "{id} was over before.",
    "stopped_before_start": "There is none yet; for a week none begins with this key.",
}


def _steer(series_id: str, order: str, body: Mapping[str, Any], *, as_json: bool) -> None:
    with asking() as api:
        found = api.post(f"/v1/series/{series_id}/{order}", body)
    _print_standing(found, as_json=as_json)


def _print_standing(found: Mapping[str, Any], *, as_json: bool) -> None:
    """Prints where a series stands; when it goes on from there is only known after its next look."""
    if as_json:
        print_json(found)
        return
    at = f" at {found['step']}" if found["step"] else ""
    dates = "".join(f", {name} {instant}" for name, instant in found["anchors"].items())
    typer.echo(f"{found['id']}: {found['status']}{at}{dates}")


def _receiver(text: str) -> dict[str, str]:
    kind, _, value = text.partition("=")
    if kind not in _RECEIVERS or not value:
        known = ", ".join(f"{one}=…" for one in _RECEIVERS)
        raise StackError(f"--to {text!r} names nobody; write one of {known}")
    return {kind: value}


def _data(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
        json.dumps(found, allow_nan=False, ensure_ascii=False).encode()  # what travels is JSON to the letter
    except (ValueError, RecursionError) as error:
        raise StackError(f"--data is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise StackError("--data is no JSON object; write it like '{\"amount\": 5}'")
    return found


def anchors_of(pairs: Sequence[str]) -> dict[str, str]:
    """Returns dates by their names as they were typed; the API reads them again."""
    named = [pair.partition("=") for pair in pairs]
    for pair, (name, _, instant) in zip(pairs, named, strict=True):
        if not name or not _is_instant(instant):
            raise StackError(f"--anchor {pair!r} is no date; write it like due_at=2026-06-20T12:00+05:30")
    return {name: instant for name, _, instant in named}


def _is_instant(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
