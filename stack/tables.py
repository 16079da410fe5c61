"""Prints what the commands found, as tables on a terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stack.finding import Finding
from stack.status import Status

_COLOURS = {"healthy": "green", "unhealthy": "red", "failed": "red"}


def print_status(status: Status) -> None:
    """Prints all parts with their address, process and health."""
    console = Console()
    if not status.running:
        console.print(
            f"Carillon does not run in {status.home}; start it with 'carillon up'.", highlight=False, soft_wrap=True
        )
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("part", "health", "address", "pid", "version", "restarts", "up"):
        table.add_column(heading, no_wrap=True, justify="right" if heading in {"pid", "restarts", "up"} else "left")
    for part in status.parts:
        colour = _COLOURS.get(part.health, "yellow")
        pid, up = str(part.pid or "-"), _duration(part.uptime_seconds)
        table.add_row(part.name, f"[{colour}]{part.health}[/]", part.address, pid, part.version, str(part.restarts), up)
    console.print(table)
    console.print(f"\ndata in {status.home}, the operator key in its secrets.json", highlight=False, soft_wrap=True)


def print_findings(findings: list[Finding]) -> None:
    """Prints every finding, and under each that is wrong what to do about it."""
    console = Console(highlight=False)
    for finding in findings:
        mark = "[green]ok   [/]" if finding.ok else "[red]wrong[/]"
        console.print(f"{mark}  {finding.name:<18} {escape(finding.found)}", soft_wrap=True)
        if not finding.ok:
            console.print(f"       {'':<18} → {escape(finding.remedy)}", soft_wrap=True)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {rest:02}s" if minutes else f"{rest}s"
