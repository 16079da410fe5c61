"""`carillon dev …`: what a developer of Carillon runs; the Makefile calls these."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from stack.bytecode import with_cache
from stack.problems import StackError

ROOT = Path(__file__).resolve().parent.parent
_LEAST_COVERAGE = 90
_CHAOS_MINUTES = 9.0
_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}

dev = typer.Typer(help="What a developer of Carillon runs.", no_args_is_help=True)


@dev.command("test", context_settings=_PASS_ON)
def run_tests(
    context: typer.Context,
    *,
    fast: Annotated[bool, typer.Option("--fast", help="Leave out the slow ones, and coverage.")] = False,
) -> None:
    """Runs the tests; further arguments go to pytest."""
    from stack import temporal_binary  # noqa: PLC0415 - needed here alone
    from stack.logs import say  # noqa: PLC0415 - needed here alone

    _need_checkout()
    if not os.environ.get("CARILLON_TEST_TEMPORAL"):
        asyncio.run(temporal_binary.locate(say))  # before the tests, so that none of them waits for a build
    command = [sys.executable, "-m", "pytest", "-n", "2"]
    if fast:
        # Who is through takes tests over from the other; a plugin that only slow tests use is not loaded.
        command += ["-m", "not slow", "--hypothesis-profile=fast", "--dist", "worksteal", "-p", "no:schemathesis"]
    elif not context.args:  # a chosen part of the tests cannot cover everything
        command += ["--cov", "--cov-report=term:skip-covered", f"--cov-fail-under={_LEAST_COVERAGE}", "--decisions"]
    command += context.args
    if fast and not os.environ.get("CARILLON_TEST_POSTGRES"):
        asyncio.run(_beside_postgres(command))
    _run(command)


@dev.command()
def check() -> None:
    """Runs linters, types, layers, secrets, migrations and contracts, all of them, and shows a table."""
    from stack.checks import run_all  # noqa: PLC0415 - a table library, needed here alone

    _need_checkout()
    raise typer.Exit(run_all(ROOT))


@dev.command()
def chaos(
    *,
    seed: Annotated[int | None, typer.Option(help="Run this campaign alone, as often as you like.")] = None,
    minutes: Annotated[float, typer.Option(help="Begin no campaign that would end later.")] = _CHAOS_MINUTES,
) -> None:
    """Loads and strikes the whole stack, campaign after campaign, and prints what was lost or doubled: zeros."""
    _need_checkout()
    one = [] if seed is None else ["--seed", str(seed)]
    _run([sys.executable, "-m", "tests.chaos", "--minutes", str(minutes), *one])


@dev.command()
def bench(
    parts: Annotated[list[str] | None, typer.Argument(help="Only these: rates, peers, http, costs, …")] = None,
) -> None:
    """Measures rates, latency and costs beside what they stand on and beside other queues, and writes the report."""
    _need_checkout()
    _run([sys.executable, "-m", "bench", *(parts or [])])


@dev.command()
def secrets() -> None:
    """Takes what looks like a secret in the tree now as known; look at the difference before you commit it."""
    from stack.checks import accept_secrets  # noqa: PLC0415 - a table library, needed here alone

    _need_checkout()
    raise typer.Exit(0 if accept_secrets(ROOT) else 1)


@dev.command()
def lock() -> None:
    """Resolves the dependencies again and writes requirements.lock, which names no address."""
    _need_checkout()
    uv = str(ROOT / ".boot" / "bin" / "uv")
    _run([uv, "lock", "--upgrade"], keep_going=True)
    _run([uv, "export", "--quiet", "--no-header", "--no-emit-project", "--all-groups", "-o", "requirements.lock"])


async def _beside_postgres(command: list[str]) -> None:
    """Runs tests beside one PostgreSQL, which their processes share."""
    from stack.postgres import throwaway_postgres  # noqa: PLC0415 - needed here alone

    async with throwaway_postgres() as server:
        await asyncio.to_thread(_run, command, CARILLON_TEST_POSTGRES=server.superuser_dsn)


def _run(command: list[str], *, keep_going: bool = False, **given: str) -> None:
    environment = {**with_cache(os.environ), **given}
    environment.pop("VIRTUAL_ENV", None)
    status = subprocess.run(command, check=False, cwd=ROOT, env=environment).returncode
    if status or not keep_going:
        raise typer.Exit(status)


def _need_checkout() -> None:
    if not (ROOT / "pyproject.toml").is_file():
        raise StackError("This command needs a checkout of Carillon; clone it and run 'make setup' there.")
