"""The report of all measurements: a table, a file of results, a plot."""

import json
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import psutil
import pygal
from rich.console import Console
from rich.table import Table

from bench.figures import Figure

RESULTS = Path(__file__).parent / "results"


def show(figures: Sequence[Figure], *, notes: Sequence[str] = ()) -> None:
    """Prints every figure under its part, with its ratio to what it is compared with."""
    console, values = Console(width=150), {figure.name: figure.value for figure in figures}
    for group, part in groupby(figures, key=lambda figure: figure.group):
        table = Table(title=group, title_justify="left", title_style="bold")
        for name in ("what", "median", "unit", "ratio", "beside", "aim", "rounds"):
            table.add_column(name, justify="right" if name in {"median", "ratio"} else "left")
        for figure in part:
            rounds = " ".join(_number(value) for value in figure.rounds)
            table.add_row(
                figure.name,
                _number(figure.value),
                figure.unit,
                _ratio(figure, values),
                figure.beside or "",
                figure.aim or "",
                rounds,
            )
        console.print(table)
    for note in notes:
        console.print(note)


def write(figures: Sequence[Figure], *, name: str, notes: Sequence[str] = ()) -> Path:
    """Writes the figures with the machine that gave them, and returns the file."""
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{name}.json"
    found = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": _machine(),
        "figures": [figure.as_json() for figure in figures],
        "notes": list(notes),
    }
    file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return file


def plot(figures: Sequence[Figure], *, group: str, name: str) -> Path:
    """Draws the figures of a part as bars, and returns the file."""
    chosen = [figure for figure in figures if figure.group == group]
    chart = pygal.HorizontalBar(
        title=group, show_legend=False, print_values=True, disable_xml_declaration=True, js=(), width=900, height=420
    )
    chart.x_labels = [figure.name for figure in chosen]
    chart.add(chosen[0].unit, [round(figure.value, 1) for figure in chosen])
    file = RESULTS / f"{name}.svg"
    file.write_text(chart.render(), encoding="utf-8")
    return file


def _ratio(figure: Figure, values: Mapping[str, float]) -> str:
    if figure.beside is None or not values.get(figure.beside):
        return ""
    return f"{figure.value / values[figure.beside]:.2f}×"


def _number(value: float) -> str:
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2  # noqa: PLR2004 - three figures are enough
    return f"{value:,.{digits}f}"


def _machine() -> dict[str, Any]:
    return {
        "cores": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
