"""`carillon reconcile`: compares PostgreSQL and Temporal completely, and repairs what it is told to repair."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stack.problems import StackError

if TYPE_CHECKING:
    from activities.comparison import Divergence

DoIt = Annotated[bool, typer.Option("--repair", help="Do what the table says; without it nothing changes.")]
Side = Annotated[str, typer.Option(help="Which side is older since a restore: postgres, temporal or both.")]
At = Annotated[
    str | None, typer.Option(help="When it was restored, such as 2026-01-31T08:00:00Z; what came later is ordinary.")
]
Resend = Annotated[
    bool,
    typer.Option("--resend", help="Start what may have been sent already or is long overdue; people may get it twice."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def reconcile(
    *,
    restored: Side = "nothing",
    at: At = None,
    repair: DoIt = False,
    resend: Resend = False,
    as_json: AsJson = False,
) -> None:
    """Compares PostgreSQL and Temporal; exit status 0 only when they agree, or were made to."""
    import asyncio  # noqa: PLC0415 - a command must not wait for the libraries of the others

    from domain.recovery import Restored  # noqa: PLC0415 - the same
    from stack.comparing import Wish, compare  # noqa: PLC0415 - the same
    from stack.sides import find_sides  # noqa: PLC0415 - the same

    if restored not in set(Restored):
        raise StackError(f"--restored is {restored!r}; it is postgres, temporal or both.")
    wish = Wish(restored=Restored(restored), at=_moment(at), repair=repair, resend=resend)
    with _logging_beside_the_answer():
        found = asyncio.run(compare(find_sides(), wish))
    time.sleep(0.1)  # the client's threads end a moment later; a process that is quicker may crash at its end
    if as_json:
        sys.stdout.write(json.dumps([_document(item) for item in found], indent=2) + "\n")
    else:
        _print(found, repair=repair)
    # What may mend itself is shown and counts for nothing.
    raise typer.Exit(1 if any(not (item.done or item.waits) for item in found) else 0)


@contextmanager
def _logging_beside_the_answer() -> Iterator[None]:
    """Keeps what is logged out of the standard output, where scripts read the answer."""
    import structlog  # noqa: PLC0415 - a command must not wait for the libraries of the others

    before = structlog.get_config()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr), cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.configure(**before)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise StackError(f"--at is {text!r}; write it like 2026-01-31T08:00:00Z.")
    return moment


def _document(item: "Divergence") -> dict[str, Any]:
    found = item.found
    return {
        "kind": found.kind.value,
        "tenant_id": str(item.tenant_id) if item.tenant_id else None,
        "subject_type": found.subject_type,
        "subject_id": found.subject_id,
        "repair": found.repair.value if found.repair else None,
        "done": item.done,
        "waits": item.waits,
        "detail": dict(found.detail),
    }


def _print(found: "list[Divergence]", *, repair: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - needed here alone
    from rich.table import Table  # noqa: PLC0415 - needed here alone
    from rich.text import Text  # noqa: PLC0415 - needed here alone

    from domain.findings import SENTENCES  # noqa: PLC0415 - needed here alone

    # Where the output is no terminal, nothing is cut that a script may look for.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    if not found:
        console.print("PostgreSQL and Temporal agree.")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("found", "about", "workflow", "done" if repair else "would be done"):
        table.add_column(heading, no_wrap=True)
    for item in found:
        about = f"{item.found.subject_type}/{item.found.subject_id}"
        facts = (item.found.kind.value, about, str(item.found.detail.get("workflow", "-")), _repair(item))
        table.add_row(*map(Text, facts))
    console.print(table)
    for kind in sorted({item.found.kind for item in found}):
        console.print(Text(f"{kind.value}: {SENTENCES[kind]}"))


def _repair(item: "Divergence") -> str:
    if item.waits:
        return "nothing, it may mend itself"
    if item.found.repair is None:
        return "nothing, a person decides"
    status = item.found.detail.get("status")
    return f"{item.found.repair.value} as {status}" if status else item.found.repair.value
