"""What one notification costs: events of its history, billable actions, and processor time of each process."""

import asyncio
import re
import time
from collections.abc import Mapping

import httpx

from bench import crew
from bench.figures import Figure
from bench.ground import Ground
from bench.rates import Drained, Journal

_ACTION = re.compile(r"^action(?:_total)?\{[^}]*\} ([0-9.e+]+)$", re.MULTILINE)
GROUP = "what a notification costs"


async def per_notification(place: Ground, *, first: int, count: int, rate: float) -> list[Figure]:
    """Sends one-shot notifications one by one, slowly, and asks the server what each has cost it."""
    journal = Journal(place.provider.port)
    await journal.forget()
    async with crew.workers(place, 1):
        await asyncio.sleep(5)
        before = await _actions(place.temporal.metrics_url)
        idle_began = time.monotonic()
        await asyncio.sleep(10)  # what the server counts without any notification: the schedule of housekeeping
        idle = (await _actions(place.temporal.metrics_url) - before) / (time.monotonic() - idle_began)
        before, began = await _actions(place.temporal.metrics_url), time.monotonic()
        ids = []
        for number in range(first, first + count):
            answer = await place.api.post(
                "/v1/notifications", json=place.body(number), headers={"Idempotency-Key": f"{place.run}-{number}"}
            )
            ids.append(answer.raise_for_status().json()["id"])
            await asyncio.sleep(1 / rate)
        while await journal.count() < count:
            await asyncio.sleep(0.1)
        await asyncio.sleep(2)
        spent = await _actions(place.temporal.metrics_url) - before - idle * (time.monotonic() - began)
        lengths = [await _events(place, name) for name in ids]
    return [
        Figure(group=GROUP, name="history events", unit="", value=sum(lengths) / count, aim="≤ 8"),
        Figure(group=GROUP, name="billable actions", unit="", value=spent / count, aim="≤ 2"),
    ]


def of_processor(name: str, drained: Drained) -> list[Figure]:
    """Returns the processor time per message of each process, out of a measured backlog."""
    return [
        Figure(group=GROUP, name=f"{process}, {name}", unit="CPU-ms", value=milliseconds)
        for process, milliseconds in _summed(drained.cpu).items()
    ]


def _summed(cpu: Mapping[str, float]) -> dict[str, float]:
    """Returns the costs with all workers as one."""
    found = {"workers": sum(value for name, value in cpu.items() if name.startswith("worker"))}
    return found | {name: value for name, value in cpu.items() if not name.startswith("worker")}


async def _events(place: Ground, notification_id: str) -> int:
    described = await place.client.get_workflow_handle(f"notification/{notification_id}").describe()
    return described.history_length


async def _actions(url: str) -> float:
    async with httpx.AsyncClient(timeout=30) as http:
        text = (await http.get(url)).text
    return sum(float(value) for value in _ACTION.findall(text))
