"""`carillon flow push …`: flows as the API keeps them, pushed from files, compared, published and paused."""
# ruff: noqa: PLC0415 - the other commands must not wait for what reads files and asks the API

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stack.asking import asking, print_json
from stack.flow_warnings import listed
from stack.problems import StackError

if TYPE_CHECKING:
    from stack.api_client import ApiClient

stored = typer.Typer()

Files = Annotated[list[Path], typer.Argument(help="Flow files in YAML or JSON; `-` reads from standard input.")]
File = Annotated[Path, typer.Argument(help="A flow file in YAML or JSON; `-` reads from standard input.")]
EventFile = Annotated[Path, typer.Argument(help="A CloudEvent as JSON; `-` reads from standard input.")]
Name = Annotated[str, typer.Argument(help="The flow.", show_default=False)]
AtOnce = Annotated[bool, typer.Option("--publish", help="Publish it at once; running series stay with their version.")]
Number = Annotated[int | None, typer.Option("--version", min=1, help="The version; the published one by default.")]
Status = Annotated[str | None, typer.Option(help="draft, active or paused.")]
Most = Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]

_SENTENCES = {
    "pin": "running series stay with their version",
    "migrate": "{count:,} series go over to it",
    "stop": "{count:,} series of other versions are stopped",
}


@stored.command()
def push(files: Files, *, at_once: AtOnce = False, as_json: AsJson = False) -> None:
    """Checks flow files, then keeps each as the next version of its flow; nothing is pushed if one is wrong."""
    definitions = _definitions(files)
    pushed = []
    with asking() as api:
        for file, (name, definition) in zip(files, definitions, strict=True):
            found = api.put(f"/v1/flows/{name}", {"definition": definition})
            if at_once:
                api.post(f"/v1/flows/{name}/publish", {"version": found["version"], "mode": "pin"})
            pushed.append({**found, "published": at_once})
            if not as_json:
                typer.echo("\n".join([_pushed(pushed[-1]), *listed(found["warnings"], str(file))]))
    if as_json:
        print_json(pushed)


@stored.command()
def pull(name: Name, *, number: Number = None) -> None:
    """Prints the text of a version as it was pushed; of a draft, that of the newest one."""
    with asking() as api:
        sys.stdout.write(_version(api, name, number)["source"])


@stored.command()
def diff(file: File, *, number: Number = None) -> None:
    """Compares a file with the version that is published; exit status 1 where they differ, 0 where not."""
    ((name, definition),) = _definitions([file])
    with asking() as api:
        version = _version(api, name, number)
    lines = list(_differences(version["source"], definition, f"{name}, version {version['number']}", str(file)))
    sys.stdout.write("".join(lines))
    raise typer.Exit(1 if lines else 0)


@stored.command()
def publish(
    name: Name,
    *,
    number: Annotated[int, typer.Option("--version", min=1, help="The version.", show_default=False)],
    mode: Annotated[str, typer.Option(help="What becomes of running series: pin, migrate or stop.")] = "pin",
    step: Annotated[list[str] | None, typer.Option(help="To migrate: a step's old name and its new: a=b.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many series wait at which step.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Says how many series wait at which step, then makes a version the one that new series take."""
    path, body = f"/v1/flows/{name}/publish", {"version": number, "mode": mode, "steps": _steps(step or [], mode)}
    with asking() as api:
        found = api.post(path, body, dry_run="true")
        if not as_json:
            _print_waiting(found["waiting"])
        if not dry_run:
            _confirm(name, found, yes=yes, as_json=as_json)
            found = api.post(path, body if yes else {**body, "expected": found["changed"]})
    if as_json:
        print_json(found)
        return
    typer.echo(f"{_published(name, found)}{' Nothing was done yet.' if dry_run else ''}")


@stored.command("list")
def list_flows(*, status: Status = None, most: Most = 50, as_json: AsJson = False) -> None:
    """Lists flows, the newest first."""
    with asking() as api:
        rows = list(api.rows("/v1/flows", most=most, status=status))
    if as_json:
        print_json(rows)
        return
    from stack.flow_tables import print_flows

    print_flows(rows)


@stored.command()
def show(name: Name, *, most: Most = 50, as_json: AsJson = False) -> None:
    """Shows a flow and its versions, the newest first."""
    with asking() as api:
        found = api.get(f"/v1/flows/{name}")
        found["versions"] = list(api.rows(f"/v1/flows/{name}/versions", most=most))
    if as_json:
        print_json(found)
        return
    from stack.flow_tables import print_flow

    print_flow(found)


@stored.command()
def pause(name: Name, *, as_json: AsJson = False) -> None:
    """Lets a flow start nothing and send nothing until it is activated, from the moment that this returns."""
    _switch(name, "paused", as_json=as_json)


@stored.command()
def activate(name: Name, *, as_json: AsJson = False) -> None:
    """Lets a paused flow go on; what was due meanwhile comes at once."""
    _switch(name, "active", as_json=as_json)


@stored.command()
def which(event_file: EventFile, *, as_json: AsJson = False) -> None:
    """Says which flows an event would start a series of, which would hear it, and why not; nothing is changed."""
    event = _source(event_file)
    with asking() as api:
        found = api.post_event("/v1/events/test", event)
    if as_json:
        print_json(found)
        return
    from stack.flow_tables import print_meetings

    for fault in found["type"]["faults"]:
        typer.echo(f"{fault['pointer']}: {fault['detail']}")
    if not found["type"]["fits"]:
        does = "is refused" if found["type"]["mode"] == "enforce" else "is taken all the same"
        typer.echo(f"It does not fit the schema of {found['type']['type']}, and {does}.")
    print_meetings(found["flows"])


def _definitions(files: Sequence[Path]) -> list[tuple[str, str]]:
    """Returns the name and the text of each file, or tells all that is wrong with them."""
    from api import flow_files

    found, wrong = [], []
    for file in files:
        text = _source(file)
        flow, misprints = flow_files.read(text)
        wrong += flow_files.listed(misprints, str(file))
        if flow is not None:
            found.append((flow.name, text))
    if wrong:
        typer.echo("\n".join(wrong))
        raise StackError("Nothing was done; mend what is listed above, and repeat.")
    if twice := [name for name, count in Counter(name for name, _ in found).items() if count > 1]:
        raise StackError(f"Several of the files are the flow {twice[0]!r}; push one of them at a time.")
    return found


def _source(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StackError(f"{file} cannot be read: {error}") from error


def _pushed(one: Mapping[str, Any]) -> str:
    new = "" if one["created"] else ", nothing new"
    return f"{one['name']}: version {one['version']}{new}{', published' if one['published'] else ''}"


def _version(api: "ApiClient", name: str, number: int | None) -> dict[str, Any]:
    if number is None:
        flow = api.get(f"/v1/flows/{name}")
        number = flow["published_version"] or flow["newest_version"]
    return api.get(f"/v1/flows/{name}/versions/{number}")


def _differences(old: str, new: str, old_name: str, new_name: str) -> Iterator[str]:
    """Yields the lines of a unified diff; a last line without its end is told as other programs tell it."""
    from difflib import unified_diff
    from io import StringIO

    for line in unified_diff(list(StringIO(old)), list(StringIO(new)), old_name, new_name):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _steps(pairs: Sequence[str], mode: str) -> dict[str, str]:
    named = [pair.partition("=") for pair in pairs]
    for pair, (old, _, new) in zip(pairs, named, strict=True):
        if not old or not new:
            raise StackError(f"{pair!r} does not name two steps; write it like old_name=new_name.")
    if named and mode != "migrate":
        raise StackError("--step counts with --mode migrate only; add that, or leave --step out.")
    return {old: new for old, _, new in named}


def _print_waiting(waiting: Sequence[Mapping[str, Any]]) -> None:
    from stack.flow_tables import print_waiting

    print_waiting(waiting)


def _confirm(name: str, preview: Mapping[str, Any], *, yes: bool, as_json: bool) -> None:
    """Asks, unless running series stay as they are."""
    if yes or preview["mode"] == "pin":
        return
    if not typer.confirm(f"{_published(name, preview)} Publish it?", err=as_json):
        raise StackError("Nothing was done.")


def _published(name: str, found: Mapping[str, Any]) -> str:
    running = _SENTENCES[found["mode"]].format(count=found["changed"])
    return f"{name}: new series take version {found['version']}, {running}."


def _switch(name: str, status: str, *, as_json: bool) -> None:
    with asking() as api:
        found = api.patch(f"/v1/flows/{name}", {"status": status})
    if as_json:
        print_json(found)
        return
    typer.echo(f"{name} is {found['status']}.")
