"""`carillon schedule …`: schedules asked of the API, made from files, paused, triggered and deleted."""

import json
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from stack.asking import asking, print_json
from stack.problems import StackError

if TYPE_CHECKING:
    from stack.api_client import ApiClient

schedule = typer.Typer(help="Schedules: make, find, pause and trigger them, see their runs.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The schedule: its name or its id.", show_default=False)]
File = Annotated[Path, typer.Argument(help="A schedule in YAML or JSON; `-` reads from standard input.")]
Status = Annotated[str | None, typer.Option(help="active, paused or ended.")]
Flow = Annotated[str | None, typer.Option(help="That start series of this flow.")]
RunStatus = Annotated[str | None, typer.Option(help="waiting, running, done, failed or missed.")]
Most = Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")]
Replace = Annotated[bool, typer.Option("--replace", help="Replace the one of this name, if there is one.")]
TriggerKey = Annotated[str | None, typer.Option(help="Names this request: repeated, it runs nothing again.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


@schedule.command("list")
def list_schedules(*, status: Status = None, flow: Flow = None, most: Most = 50, as_json: AsJson = False) -> None:
    """Lists schedules, the newest first, with when each runs next."""
    with asking() as api:
        rows = list(api.rows("/v1/schedules", most=most, status=status, flow=flow))
    if as_json:
        print_json(rows)
        return
    from stack.schedule_tables import print_schedules  # noqa: PLC0415 - JSON needs no tables

    print_schedules(rows)


@schedule.command()
def show(name: Name, *, as_json: AsJson = False) -> None:
    """Shows what a schedule says, its next instants, and its last runs."""
    with asking() as api:
        found = api.get(_path(api, name))
        runs = list(api.rows(f"/v1/schedules/{found['id']}/runs", most=10))
    if as_json:
        print_json({"schedule": found, "runs": runs})
        return
    from stack.schedule_tables import print_schedule  # noqa: PLC0415 - JSON needs no tables

    print_schedule(found, runs)


@schedule.command()
def runs(name: Name, *, status: RunStatus = None, most: Most = 50, as_json: AsJson = False) -> None:
    """Lists the runs of a schedule, the latest first, also those that were missed and why."""
    with asking() as api:
        rows = list(api.rows(f"{_path(api, name)}/runs", most=most, status=status))
    if as_json:
        print_json(rows)
        return
    from stack.schedule_tables import print_runs  # noqa: PLC0415 - JSON needs no tables

    print_runs(rows)


@schedule.command()
def create(file: File, *, replace: Replace = False, as_json: AsJson = False) -> None:
    """Makes the schedule that a file describes; it is active at once."""
    body = _body(file)
    with asking() as api:
        known = list(api.rows("/v1/schedules", most=1, name=body.get("name"))) if replace else []
        path = f"/v1/schedules/{known[0]['id']}" if known else "/v1/schedules"
        found = api.put(path, body) if known else api.post(path, body)
    _print_standing(found, as_json=as_json)


@schedule.command()
def preview(file: File, *, as_json: AsJson = False) -> None:
    """Shows when the schedule of a file would run, and what its query would select now; nothing is made."""
    body = _body(file)
    asked: dict[str, Any] = {name: body[name] for name in ("spec", "action") if name in body}
    with asking() as api:
        found = api.post("/v1/schedules/preview", asked)
    if as_json:
        print_json(found)
        return
    from stack.schedule_tables import print_preview  # noqa: PLC0415 - JSON needs no tables

    print_preview(found)


@schedule.command()
def pause(name: Name, *, as_json: AsJson = False) -> None:
    """Lets no run begin until it is resumed; a run under way is finished."""
    _order(name, "pause", as_json=as_json)


@schedule.command()
def resume(name: Name, *, as_json: AsJson = False) -> None:
    """Lets it run again from now on; what was due meanwhile is not made up for."""
    _order(name, "resume", as_json=as_json)


@schedule.command()
def trigger(name: Name, *, key: TriggerKey = None, as_json: AsJson = False) -> None:
    """Runs a schedule now, also a paused one."""
    with asking() as api:
        found = api.post_once(f"{_path(api, name)}/trigger", key)
    if as_json:
        print_json(found)
        return
    typer.echo(f"Run {found['id']} of {found['scheduled_at']}: {found['status']}.")


@schedule.command()
def delete(name: Name, *, yes: Yes = False) -> None:
    """Removes a schedule with what it told of its runs; series that it started go on."""
    if not yes:
        typer.confirm(f"Delete the schedule {name} and its runs?", abort=True)
    with asking() as api:
        api.delete(_path(api, name))
    typer.echo(f"Deleted {name}.")


def _order(name: str, order: str, *, as_json: bool) -> None:
    with asking() as api:
        found = api.post(f"{_path(api, name)}/{order}")
    _print_standing(found, as_json=as_json)


def _print_standing(found: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    following = f", next {found['next'][0]['local']}" if found["next"] else ""
    typer.echo(f"{found['name']} ({found['id']}): {found['status']}{following}")


def _path(api: "ApiClient", name: str) -> str:
    """Returns where a schedule stands that was named by its name or its id."""
    try:
        return f"/v1/schedules/{UUID(name)}"
    except ValueError:
        found = list(api.rows("/v1/schedules", most=1, name=name))
    if not found:
        raise StackError(f"There is no schedule called {name!r}; `carillon schedule list` lists them.")
    return f"/v1/schedules/{found[0]['id']}"


def _body(file: Path) -> dict[str, Any]:
    import yaml  # noqa: PLC0415 - the other commands read no files

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
        found = yaml.safe_load(text)
        body = json.loads(json.dumps(found, default=_spelt))
    except (OSError, UnicodeDecodeError) as error:
        raise StackError(f"{file} cannot be read: {error}") from error
    except (yaml.YAMLError, TypeError, ValueError) as error:
        raise StackError(f"{file} is no schedule: {error}") from error
    if not isinstance(body, dict):
        raise StackError(f"{file} is no schedule; write its name, its spec and its action")
    return body


def _spelt(value: Any) -> str:
    """Returns a date or an instant, which YAML reads by itself, as it is written."""
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{value!r} has no JSON form")
