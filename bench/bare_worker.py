"""A worker of the bare workflow, as a process: `python -m bench.bare_worker ADDRESS PROVIDER_PORT`.

One workflow, one regular activity that posts to the stand-in provider and waits for its answer: the least that Temporal
itself costs. It runs as ours does: no sandbox, uvloop, as many at once.
"""

import asyncio
import signal
import sys
from datetime import timedelta

import aiohttp
import uvloop
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

QUEUE = "bare"
AT_ONCE = 110


@workflow.defn(name="bare")
class BareWorkflow:
    """The least a workflow with one activity can be."""

    @workflow.run
    async def run(self, to: str) -> str:
        """Runs the activity."""
        return str(await workflow.execute_activity("bare.send", to, start_to_close_timeout=timedelta(seconds=30)))


class Sending:
    """The one activity."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http, self._url = http, url

    @activity.defn(name="bare.send")
    async def send(self, to: str) -> str:
        """Sends a message and returns its id."""
        async with self._http.post(self._url, json={"to": to, "name": "Asha"}) as answer:
            return str((await answer.json())["messages"][0]["id"])


async def run(address: str, port: int) -> None:
    """Works until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    client = await Client.connect(address)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as http:
        worker = Worker(
            client,
            task_queue=QUEUE,
            workflows=[BareWorkflow],
            activities=[Sending(http, f"http://127.0.0.1:{port}/send").send],
            workflow_runner=UnsandboxedWorkflowRunner(),
            max_concurrent_activities=AT_ONCE,
            max_concurrent_workflow_tasks=AT_ONCE,
        )
        async with worker:
            await stop.wait()


if __name__ == "__main__":
    uvloop.run(run(sys.argv[1], int(sys.argv[2])))
