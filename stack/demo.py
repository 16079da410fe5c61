"""`carillon demo`: sends five real notifications, shows their timelines, and plays a series and an example."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from stack import control
from stack.home import Home, open_home
from stack.problems import StackError
from stack.state import read_state

_PATIENCE = 60.0
_TEMPLATE = "order.shipped"
_CHECKOUT = Path(__file__).resolve().parent.parent / "examples"
_EXAMPLES = (
    ("Two days of a reminder series, on a clock that jumps", "two_days.py"),
    ("Production runs: partners, photos and a shop, over HTTP", "production_run/play.py"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One notification of the demo: what is sent, what it shows, and the status that ends it."""

    title: str
    body: dict[str, Any]
    ends: str
    by: str
    twice: bool = False
    recipient: dict[str, Any] = field(default_factory=dict)


def stories(run: str) -> list[Story]:
    """Returns the five stories; `run` keeps the recipients of one demo apart from the next one's."""
    refused, silent = f"demo-refused-{run}", f"demo-silent-{run}"
    hasty = {"whatsapp": {"success": "delivered", "within": "PT3S"}}
    return [
        Story(
            title="A WhatsApp template, delivered and read",
            body=_about(to={"phone": "+15550101100"}, channels=["whatsapp"]),
            ends="read",
            by="whatsapp",
        ),
        Story(
            title="An e-mail",
            body=_about(to={"email": "asha@example.com"}, channels=["email"]),
            ends="accepted",
            by="email",
        ),
        Story(
            title="WhatsApp refuses for good, e-mail takes over",
            body=_about(to={"recipient": refused}),
            recipient={"id": refused, "phone": "+15550100001"},
            ends="accepted",
            by="email",
        ),
        Story(
            title="No delivery within three seconds, e-mail takes over",
            body=_about(to={"recipient": silent}, fallback=hasty),
            recipient={"id": silent, "phone": "+15550100002"},
            ends="sent",
            by="email",
        ),
        Story(
            title="The same idempotency key twice: one notification",
            body=_about(to={"phone": "+15550101101"}, channels=["whatsapp"]),
            ends="read",
            by="whatsapp",
            twice=True,
        ),
    ]


def _about(**asked: Any) -> dict[str, Any]:
    return {"template": _TEMPLATE, "data": {"name": "Asha", "order": "A-1001"}, "trigger": "order.shipped", **asked}


def main() -> None:
    """Runs the demo on this machine's instance, starting one for its time where none runs.

    Raises:
        StackError: A notification did not end as the demo promises.
    """
    console = Console()
    home = open_home()
    with _running(home) as urls:
        _tell(console, home, urls["API"])
        for example in _EXAMPLES:
            _play(console, home, *example)
        console.print("\n[bold]Look around[/bold] (the same stack, left running: [bold]make up[/bold])")
        for name, url in urls.items():
            console.print(f"  {name:<16} {url}", highlight=False)


@contextmanager
def _running(home: Home) -> Iterator[dict[str, str]]:
    """Yields the addresses of the instance; one that was started for the demo is stopped after it."""
    state = read_state(home)
    ours = state is None or not state.is_running()
    if ours:
        control.detach(home, workers=1)
        state = read_state(home)
    if state is None:
        raise StackError("The instance is not running; start it with 'carillon up'.")
    try:
        yield dict(state.urls)
    finally:
        if ours:
            control.down(home)


def _tell(console: Console, home: Home, api_url: str) -> None:
    key = json.loads((home.path / "demo.json").read_text("utf-8"))["key"]
    with httpx.Client(
        base_url=api_url, headers={"Authorization": f"Bearer {key}"}, timeout=20, trust_env=False
    ) as http:
        told = [(story, _send(http, story)) for story in stories(uuid.uuid4().hex[:6])]
        for number, (story, notification_id) in enumerate(told, start=1):
            found = _await_end(http, story, notification_id)
            timeline = _checked(http.get(f"/v1/notifications/{notification_id}/timeline"))["entries"]
            console.print(_table(number, story, found, timeline))


def _play(console: Console, home: Home, title: str, script: str) -> None:
    """Plays an example of the checkout as somebody at a terminal would; where there is no checkout, there is none.

    Raises:
        StackError: It did not come to its end.
    """
    place = _CHECKOUT / script
    if not place.is_file():
        return
    console.print(f"\n[bold]{title}[/bold] (examples/{script})\n", highlight=False)
    environment = {**os.environ, "CARILLON_HOME": str(home.path)}
    played = subprocess.run([sys.executable, str(place)], check=False, cwd=_CHECKOUT.parent, env=environment)
    if played.returncode:
        raise StackError(f"examples/{script} did not come to its end; 'carillon doctor' looks for the cause.")


def _send(http: httpx.Client, story: Story) -> str:
    if story.recipient:
        addresses = [
            {"kind": "phone", "value": story.recipient["phone"]},
            {"kind": "email", "value": f"{story.recipient['id']}@example.com"},
        ]
        body = {"name": "Asha Rao", "zone": "Asia/Kolkata", "addresses": addresses}
        _checked(http.put(f"/v1/recipients/{story.recipient['id']}", json=body))
    headers = {"Idempotency-Key": f"demo-{uuid.uuid4()}"}
    ids = {
        _checked(http.post("/v1/notifications", json=story.body, headers=headers))["id"]
        for _ in range(2 if story.twice else 1)
    }
    if len(ids) != 1:
        raise StackError("The same idempotency key made two notifications; this is a defect, please report it.")
    return str(ids.pop())


def _await_end(http: httpx.Client, story: Story, notification_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + _PATIENCE
    while True:
        found = _checked(http.get(f"/v1/notifications/{notification_id}"))
        if found["status"] == story.ends and found["channel"] == story.by:
            return found
        if time.monotonic() > deadline:
            raise StackError(
                f"{story.title!r} is {found['status']!r} by {found['channel']!r} after {_PATIENCE:.0f} s, not "
                f"{story.ends!r} by {story.by!r}; 'carillon doctor' looks for the cause."
            )
        time.sleep(0.1)


def _checked(answer: httpx.Response) -> dict[str, Any]:
    if answer.is_error:
        raise StackError(f"{answer.request.method} {answer.request.url.path} was refused: {answer.text[:500]}")
    found: dict[str, Any] = answer.json()
    return found


def _table(number: int, story: Story, found: dict[str, Any], timeline: list[dict[str, Any]]) -> Table:
    caption = f"{found['id']} · {found['status']} by {found['channel']}"
    table = Table(title=f"\n{number}. {story.title}", caption=caption, title_justify="left", expand=True)
    table.add_column("at", no_wrap=True, style="dim")
    table.add_column("what", no_wrap=True, style="bold")
    table.add_column("in words", ratio=1)
    for entry in timeline:
        moment = datetime.fromisoformat(entry["at"]).strftime("%H:%M:%S.%f")[:-3]
        table.add_row(moment, entry["kind"], entry["summary"])
    return table
