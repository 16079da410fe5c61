"""The `carillon` command: one thin function per subcommand, which loads what it needs when it runs."""
# ruff: noqa: PLC0415 - a command must not wait for the libraries of the others

import sys
from typing import Annotated

import typer

from stack.dev import dev
from stack.event_type import event_type
from stack.findings import findings
from stack.flow import flow
from stack.notifications import explain, notifications
from stack.operations import operations
from stack.parked import parked
from stack.problems import StackError
from stack.reconcile import reconcile
from stack.replies import replies
from stack.schedule import schedule
from stack.series_operate import series
from stack.suppressions import suppressions

app = typer.Typer(
    name="carillon",
    help="Durable notifications and reminder series.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(dev, name="dev", hidden=True)
app.add_typer(parked, name="parked")
app.add_typer(flow, name="flow")
app.add_typer(event_type, name="event-type")
app.add_typer(series, name="series")
app.add_typer(operations, name="operations")
app.add_typer(replies, name="replies")
app.add_typer(suppressions, name="suppressions")
app.add_typer(schedule, name="schedule")
app.add_typer(notifications, name="notifications")
app.command()(explain)
app.command()(findings)
app.command()(reconcile)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def main() -> None:
    """Runs the command line; what goes wrong for a known reason is one sentence."""
    try:
        app()
    except StackError as problem:
        sys.stderr.write(f"carillon: {problem}\n")
        sys.exit(1)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - the signature of an option's callback
    if wanted:
        from importlib.metadata import version

        typer.echo(f"carillon {version('carillon')}")
        raise typer.Exit


@app.callback()
def carillon(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Durable notifications and reminder series."""


@app.command()
def up(
    *,
    workers: Annotated[int, typer.Option(min=0, max=64, help="How many worker processes.")] = 1,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Run in the background; return when ready.")] = False,
) -> None:
    """Runs the whole stack until Ctrl-C: PostgreSQL, Temporal, migrations, API, workers, sandbox."""
    from stack import control, up
    from stack.home import open_home

    home = open_home()
    if detach:
        typer.echo(control.detach(home, workers=workers))
        return
    report = control.reporter()
    if report is None:
        up.run(home, workers=workers, terminal=sys.stdout, tell=typer.echo)
        return
    try:
        up.run(home, workers=workers, terminal=None, tell=lambda words: report("words", words))
    except StackError as problem:
        report("problem", str(problem))
        raise


@app.command()
def down() -> None:
    """Stops the running stack."""
    from stack import control
    from stack.home import open_home

    typer.echo(control.down(open_home()))


@app.command()
def demo() -> None:
    """Sets everything up, sends five notifications, shows their timelines."""
    from stack import demo

    demo.main()


@app.command()
def status(*, as_json: AsJson = False) -> None:
    """Shows every part with its address, process and health; exit status 0 only when all are healthy."""
    import asyncio

    from stack import status
    from stack.home import open_home

    found = asyncio.run(status.look(open_home()))
    if as_json:
        typer.echo(found.as_json())
    else:
        from stack.tables import print_status

        print_status(found)
    raise typer.Exit(0 if found.healthy else 1)


@app.command()
def doctor(*, as_json: AsJson = False) -> None:
    """Checks everything that the stack needs and says what to do about what is wrong."""
    import asyncio

    from stack import doctor
    from stack.home import open_home
    from stack.tables import print_findings

    findings = asyncio.run(doctor.examine(open_home()))
    if as_json:
        typer.echo(doctor.as_json(findings))
    else:
        print_findings(findings)
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


@app.command()
def migrate() -> None:
    """Brings the database of CARILLON_DATABASE_URL to the newest schema."""
    from migrations.apply import newest, upgrade
    from stack.entry import settings

    upgrade(settings().database_url.get_secret_value())
    typer.echo(f"The database is at revision {newest()}.")


@app.command()
def api() -> None:
    """Runs the HTTP service."""
    from stack.server import serve_api

    serve_api()


@app.command()
def worker() -> None:
    """Runs a worker process: workflows, activities and the outbox."""
    import worker
    from stack.entry import settings

    settings()  # what is wrong with them is told here
    worker.main()


@app.command()
def sandbox() -> None:
    """Runs the stand-ins of the providers."""
    from sandbox import serve

    serve.main()


if __name__ == "__main__":
    main()
