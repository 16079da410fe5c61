"""How fast is one notification per workflow, beside the least that Temporal itself can do? Run `python bench/floor.py`.

One Temporal development server, one PostgreSQL, one worker process, one stand-in provider that answers after 10 ms.
Printed in one run: notifications per second end to end (accepted over HTTP, claimed, sent, recorded) beside bare
workflows with one activity that waits 10 ms; history events per notification; accept → provider latency at a light,
steady rate. The development server keeps its state in SQLite: the ratio counts here, not the absolute numbers.
"""

import asyncio
import base64
import json
import os
import secrets
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from migrations.apply import upgrade_async
from sealing import KeyRing
from stack.ports import any_free
from stack.postgres import throwaway_postgres
from stack.temporal import TemporalServer
from workflows.client import connect

COUNT = int(os.environ.get("FLOOR_COUNT", "400"))
RATE = float(os.environ.get("FLOOR_RATE", "10"))
SECONDS = float(os.environ.get("FLOOR_SECONDS", "15"))
ANSWER_AFTER = 0.010
LONGEST = 120.0
NUMBER_ID = "106540352242922"


@activity.defn(name="bare.wait")
async def bare_wait(_: str) -> str:
    """Waits as long as the provider takes to answer."""
    await asyncio.sleep(ANSWER_AFTER)
    return "done"


@workflow.defn(name="bare")
class BareWorkflow:
    """The least a workflow with one activity can be."""

    @workflow.run
    async def run(self, name: str) -> str:
        """Runs the activity."""
        return await workflow.execute_activity(bare_wait, name, start_to_close_timeout=timedelta(seconds=10))


@dataclass
class Provider:
    """A stand-in for the Graph API that does nothing but accept, 10 ms after it was asked."""

    port: int
    seen: dict[str, float] = field(default_factory=dict)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers the requests of one connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.lower().split(b"\r\n")
                length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
                body = json.loads(await reader.readexactly(length)) if length else {"id": NUMBER_ID}
                if to := body.get("to"):
                    self.seen[to] = time.perf_counter()
                    await asyncio.sleep(ANSWER_AFTER)
                writer.write(_answer(_accepted(to) if to else body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def wait(self, count: int) -> None:
        """Waits until so many messages arrived."""
        async with asyncio.timeout(LONGEST):
            while len(self.seen) < count:
                await asyncio.sleep(0.002)


def _accepted(to: str) -> dict[str, Any]:
    contacts = [{"input": to, "wa_id": to.lstrip("+")}]
    return {"messaging_product": "whatsapp", "contacts": contacts, "messages": [{"id": f"wamid.{uuid.uuid4()}"}]}


def _answer(found: dict[str, Any]) -> bytes:
    body = json.dumps(found).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@dataclass
class Ground:
    """Everything that runs, and the API key to use it."""

    client: Client
    api: httpx.AsyncClient
    provider: Provider
    run: str = field(default_factory=lambda: f"{secrets.randbelow(900) + 100}")

    def body(self, number: int) -> dict[str, Any]:
        """Returns a notification to a recipient of its own."""
        return {"to": {"phone": f"+1555{number:07d}"}, "template": "hello", "data": {"name": "Asha"}}


@asynccontextmanager
async def ground() -> AsyncIterator[Ground]:
    """Starts everything and stops it afterwards."""
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres = await stack.enter_async_context(throwaway_postgres())
        await upgrade_async(postgres.dsn)
        temporal = TemporalServer(directory)
        address = await temporal.start()
        stack.push_async_callback(temporal.stop)
        provider = Provider(any_free())
        await stack.enter_async_context(await asyncio.start_server(provider.serve, "127.0.0.1", provider.port))
        key, ring, port = secrets.token_urlsafe(32), f"k:{base64.b64encode(os.urandom(32)).decode()}", any_free()
        environment = {
            **os.environ,
            "CARILLON_DATABASE_URL": postgres.dsn,
            "TEMPORAL_ADDRESS": address,
            "CARILLON_KEY_RING": ring,
            "CARILLON_OPERATOR_KEY": key,
            "CARILLON_API_PORT": str(port),
            "CARILLON_WORKER_METRICS_PORT": str(any_free()),
            "CARILLON_PROVIDER_HOSTS": f"127.0.0.1:{provider.port}",
            "CARILLON_LOG_LEVEL": "WARNING",
        }
        for part in ("api", "worker"):
            process = await asyncio.create_subprocess_exec(sys.executable, "-m", "cli", part, env=environment)
            stack.push_async_callback(_stop, process)
        api = await stack.enter_async_context(httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60))
        await _seed(api, key, provider)
        client = await connect(address, namespace="default", key_ring=KeyRing.parse(ring))
        yield Ground(client, api, provider)


async def _stop(process: asyncio.subprocess.Process) -> None:
    process.terminate()
    await process.wait()


async def _seed(api: httpx.AsyncClient, operator_key: str, provider: Provider) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                if (await api.get("/readyz")).status_code == httpx.codes.OK:
                    break
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)
    made = await _post(api, "/v1/tenants", {"name": "bench"}, operator_key)
    key = made["key"]["secret"]
    api.headers["Authorization"] = f"Bearer {key}"
    config = {
        "phone_number_id": NUMBER_ID,
        "waba_id": "102290129340398",
        "access_token": "t" * 20,
        "app_secret": "s" * 20,
        "verify_token": "v" * 20,
        "base_url": f"http://127.0.0.1:{provider.port}",
    }
    limits = {"rate": 100_000, "pair_seconds": 0.001}  # what is measured is the machine, not Meta's own limits
    body = {"name": "bench", "provider": "meta", "config": config, "limits": limits}
    account = await _post(api, "/v1/accounts", body, key)
    await _post(api, f"/v1/accounts/{account['id']}/verify", None, key)
    content = {"kind": "template", "name": "hello_v1", "language": "en", "body": ["{{ name }}"]}
    await _post(api, "/v1/templates", {"name": "hello", "channels": ["whatsapp"]}, key)
    version = {
        "parts": [{"channel": "whatsapp", "locale": "default", "content": content}],
        "variables": [{"name": "name"}],
    }
    made = await _post(api, "/v1/templates/hello/versions", version, key)
    await _post(api, f"/v1/templates/hello/versions/{made['number']}/publish", None, key)


async def _post(api: httpx.AsyncClient, path: str, body: Any, key: str) -> Any:
    answer = await api.post(path, json=body, headers={"Authorization": f"Bearer {key}"})
    if answer.is_error:
        raise SystemExit(f"{path} answered {answer.status_code}: {answer.text}")
    return answer.json()


async def bare(place: Ground, count: int) -> float:
    """Returns bare workflows per second, started and finished."""
    queue, done = f"bare-{uuid.uuid4()}", 0

    @activity.defn(name="bare.wait")
    async def counted(name: str) -> str:
        nonlocal done
        answer = await bare_wait(name)
        done += 1
        return answer

    runner = UnsandboxedWorkflowRunner()
    worker = Worker(
        place.client, task_queue=queue, workflows=[BareWorkflow], activities=[counted], workflow_runner=runner
    )
    async with worker:
        gate, began = asyncio.Semaphore(20), time.perf_counter()

        async def start() -> None:
            async with gate:
                await place.client.start_workflow("bare", "x", id=f"bare/{uuid.uuid4()}", task_queue=queue)

        await asyncio.gather(*(start() for _ in range(count)))
        async with asyncio.timeout(LONGEST):
            while done < count:
                await asyncio.sleep(0.002)
        return count / (time.perf_counter() - began)


async def ours(place: Ground, first: int, count: int) -> float:
    """Returns notifications per second from the request that accepts them to the provider's door."""
    place.provider.seen.clear()
    began = time.perf_counter()
    for start in range(first, first + count, 500):
        many = range(start, min(start + 500, first + count))
        items = [{**place.body(number), "idempotency_key": f"{place.run}-{number}"} for number in many]
        answer = (await place.api.post("/v1/notifications/bulk", json={"items": items})).raise_for_status().json()
        if answer["rejected"]:
            raise SystemExit(f"notifications were rejected: {answer['results'][0]}")
    await place.provider.wait(count)
    return count / (time.perf_counter() - began)


async def latency(place: Ground, first: int) -> list[float]:
    """Returns the milliseconds from the POST to the provider's door, at a steady rate (open loop)."""
    place.provider.seen.clear()
    sent: dict[str, float] = {}

    async def one(number: int) -> None:
        body = place.body(number)
        sent[body["to"]["phone"]] = time.perf_counter()
        headers = {"Idempotency-Key": f"{place.run}-{number}"}
        (await place.api.post("/v1/notifications", json=body, headers=headers)).raise_for_status()

    running, began = [], time.perf_counter()
    for index in range(int(RATE * SECONDS)):
        await asyncio.sleep(max(0.0, began + index / RATE - time.perf_counter()))
        running.append(asyncio.create_task(one(first + index)))
    await asyncio.gather(*running)
    await place.provider.wait(len(sent))
    return sorted((place.provider.seen[to] - at) * 1000 for to, at in sent.items())


async def events(place: Ground) -> float:
    """Returns the mean number of history events of closed notification workflows."""
    closed = place.client.list_workflows("WorkflowType = 'notification'", limit=50)
    return statistics.mean([execution.history_length async for execution in closed])


async def main() -> None:
    """Runs the comparison and prints it."""
    async with ground() as place:
        await bare(place, 40)
        await ours(place, 0, 40)
        rounds = [(await bare(place, COUNT), await ours(place, 10_000 * (index + 1), COUNT)) for index in range(3)]
        waits = await latency(place, 90_000)
        length = await events(place)
    bare_rate, our_rate = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(mine / theirs for theirs, mine in rounds)
    print(f"\n{COUNT} each, median of {len(rounds)} rounds, 2 workers' cores shared with everything else")
    print(f"  bare workflow with one activity   {bare_rate:7.0f} /s   1.00")
    print(f"  notification, end to end          {our_rate:7.0f} /s   {ratio:.2f}")
    print(f"  history events per notification   {length:7.1f}")
    p50, p99 = statistics.median(waits), waits[int(len(waits) * 0.99) - 1]
    print(f"  accept to provider at {RATE:.0f}/s        p50 {p50:.0f} ms, p99 {p99:.0f} ms ({len(waits)} sends)")


if __name__ == "__main__":
    asyncio.run(main())
