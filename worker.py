"""The worker: workflows, activities and the outbox dispatcher in one process, composed here and nowhere else."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from typing import Any

import structlog
import uvloop
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from activities.accounts import AccountProviders
from activities.attachments import Attachments
from activities.bulkheads import Bulkheads, FirstOutcomes
from activities.buttons import Buttons
from activities.composing import Composer
from activities.delivery import Delivery
from activities.event_type_counts import EventTypeCounts
from activities.findings_gauge import FindingsGauge
from activities.health import AccountsGauge, HealthMeasurement
from activities.housekeeping import Housekeeping
from activities.ledger import Ledger
from activities.links import Links
from activities.open_operations import OpenOperations
from activities.operations import Operations
from activities.orphans import Orphans
from activities.outages import Outages
from activities.owners import Owners
from activities.pages import Pages
from activities.parking import Parking
from activities.reconciliation import Reconciliation
from activities.records import Records
from activities.repairs import Repairs
from activities.resolution import Resolution
from activities.schedule_care import ScheduleCare
from activities.schedule_runs import ScheduleRuns
from activities.series import SeriesSteps
from activities.series_calls import SeriesCalls
from activities.workflow_facts import WorkflowFacts
from db.ageing import Keeping
from db.session import Database
from garbage import collect_less_often
from outbox import Dispatcher
from providers import PROVIDERS
from providers.downloads import Downloads
from providers.transport import Transport
from providers.web_calls import WebCalls
from sealing import KeyRing
from settings import Settings
from telemetry import configure_logging, serve_metrics
from workflows import schedules
from workflows.client import connect
from workflows.housekeeping import HousekeepingWorkflow
from workflows.notification import NotificationWorkflow
from workflows.operation import OperationWorkflow
from workflows.outage import OutageWorkflow
from workflows.page import PageWorkflow
from workflows.schedule_run import ScheduleRunWorkflow
from workflows.series import SeriesWorkflow

log = structlog.get_logger(__name__)

WORKFLOWS = [
    NotificationWorkflow,
    PageWorkflow,
    SeriesWorkflow,
    ScheduleRunWorkflow,
    OperationWorkflow,
    OutageWorkflow,
    HousekeepingWorkflow,
]
# Above the 8 seconds that one provider call may take, so that a graceful stop leaves no doubt behind.
_GRACE = timedelta(seconds=15)
# Attempts that are planned, claimed or recorded at once: more of them only wait for each other, until the server thinks
# that their workflow tasks were lost and hands them out anew.
_HANDS = 24


@asynccontextmanager
async def compose(
    client: Client,
    database: Database,
    key_ring: KeyRing,
    *,
    task_queue: str,
    allowed_hosts: frozenset[str] = frozenset(),
    bulkheads: Bulkheads | None = None,
    local_activities: int = 110,
    sandboxed: bool = False,
    max_cached_workflows: int = 1000,
    public_url: str = "http://127.0.0.1:8080",
    calls: WebCalls | None = None,
    keeping: Keeping | None = None,
) -> AsyncIterator[Worker]:
    """Yields a worker with everything it needs; its connections are closed afterwards."""
    bulkheads = bulkheads or Bulkheads(local_activities)
    downloads, calls = Downloads(allowed_hosts), calls or WebCalls(allowed_hosts)
    transport, providers = Transport(connections=local_activities), AccountProviders(key_ring)
    composer = Composer(providers, Attachments(database, downloads), Buttons(key_ring), Links(key_ring, public_url))
    delivery = _delivery(database, transport, composer, bulkheads)
    async with aclosing(transport), aclosing(downloads), aclosing(calls):
        yield Worker(
            client,
            task_queue=task_queue,
            workflows=WORKFLOWS,
            activities=[
                *_of_deliveries(database, delivery),
                *_of_accounts(database, providers, allowed_hosts),
                *_of_the_database(database),
                *_of_series(database, calls, key_ring, public_url),
                *_of_housekeeping(client, database, keeping),
            ],
            interceptors=[FirstOutcomes(bulkheads)],
            workflow_runner=SandboxedWorkflowRunner() if sandboxed else UnsandboxedWorkflowRunner(),
            max_concurrent_local_activities=local_activities,  # each of them holds a workflow task
            max_concurrent_workflow_tasks=local_activities,
            max_cached_workflows=max_cached_workflows,
            graceful_shutdown_timeout=_GRACE,
        )


def _of_deliveries(database: Database, delivery: Delivery) -> list[Callable[..., Any]]:
    """Returns the activities that plan and make attempts, alone or in pages."""
    resolution = Resolution(database, {name: provider.quarantine for name, provider in PROVIDERS.items()})
    return [resolution.resolve, delivery.deliver, delivery.record, Pages(database, resolution, delivery).deliver]


def _of_the_database(database: Database) -> list[Callable[..., Any]]:
    """Returns the activities that need nothing but the database."""
    records, parking, many = Records(database), Parking(database), Operations(database)
    return [
        records.end,
        records.statuses,
        parking.park,
        parking.unpark,
        many.step,
        many.resume_capped,
        Orphans(database).resume,
        ScheduleRuns(database).step,
    ]


def _of_series(database: Database, calls: WebCalls, key_ring: KeyRing, public_url: str) -> list[Callable[..., Any]]:
    """Returns the activities of series: their looks, and what asks services of tenants."""
    asking = SeriesCalls(database, calls, key_ring)
    return [SeriesSteps(database, Links(key_ring, public_url)).advance, asking.call, asking.give_up]


def _of_accounts(
    database: Database, providers: AccountProviders, allowed_hosts: frozenset[str]
) -> list[Callable[..., Any]]:
    """Returns the activities that look after accounts."""
    outages = Outages(database, providers, allowed_hosts=allowed_hosts)
    confirming = [name for name, provider in PROVIDERS.items() if provider.confirms]
    return [outages.probe, outages.release, HealthMeasurement(database, confirming).measure]


def _of_housekeeping(client: Client, database: Database, keeping: Keeping | None) -> list[Callable[..., Any]]:
    """Returns the activities that look after what nobody else looks after."""
    repairs = Repairs(database)
    facts = WorkflowFacts(client)
    owners, rows = Owners(database, facts, repairs), Housekeeping(database, repairs, keeping=keeping)
    operations = OpenOperations(database, facts)
    return [
        owners.recognise,
        owners.attempts,
        owners.workflows,
        operations.look,
        operations.look_at_waiting,
        ScheduleCare(database, client, facts).look,
        rows.outbox,
        rows.receipts,
        rows.expire,
        EventTypeCounts(database).count,
        Ledger(database).check,
    ]


def _keeping(settings: Settings) -> Keeping:
    return Keeping(
        early_events=timedelta(days=settings.keep_early_events_days),
        series_tombstones=timedelta(days=settings.keep_series_tombstones_days),
        runs=timedelta(days=settings.keep_runs_days),
    )


def _delivery(database: Database, transport: Transport, composer: Composer, bulkheads: Bulkheads) -> Delivery:
    usual = {name: provider.limits for name, provider in PROVIDERS.items()}
    return Delivery(database, transport, composer, bulkheads=bulkheads, usual_limits=usual)


async def run(settings: Settings) -> None:
    """Runs the worker until SIGTERM or SIGINT; what is being sent is finished first."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    key_ring = KeyRing.parse(settings.key_ring.get_secret_value())
    database = Database.connect(settings.database_url.get_secret_value(), pool_size=settings.database_pool_size)
    client = await connect(settings.temporal_address, namespace=settings.temporal_namespace, key_ring=key_ring)
    bulkheads = Bulkheads(settings.deliveries_at_once, hands=_HANDS)
    page_size = min(settings.page_size, bulkheads.most_of_one)
    dispatcher = Dispatcher(database, client, task_queue=settings.task_queue, bulkheads=bulkheads, page_size=page_size)
    metrics = await serve_metrics(settings.api_host, settings.worker_metrics_port, healthy=lambda: dispatcher.healthy)
    composed = compose(
        client,
        database,
        key_ring,
        task_queue=settings.task_queue,
        allowed_hosts=settings.allowed_provider_hosts,
        bulkheads=bulkheads,
        # Plans and ends beside the attempts: more of them than connections would only wait for those.
        local_activities=settings.deliveries_at_once + settings.database_pool_size,
        sandboxed=settings.sandboxed_workflows,
        public_url=settings.public_url,
        keeping=_keeping(settings),
    )
    async with metrics, composed as worker:
        log.info("worker.started", task_queue=settings.task_queue)
        every = timedelta(seconds=settings.housekeeping_seconds)
        await _until_stopped(
            stop,
            worker,
            dispatcher.run(),
            Reconciliation(database).run(),
            FindingsGauge(database).run(),
            AccountsGauge(database).run(),
            schedules.keep(client, schedules.HOUSEKEEPING, schedules.housekeeping(settings.task_queue, every=every)),
        )
    await database.close()
    log.info("worker.stopped")


async def _until_stopped(stop: asyncio.Event, worker: Worker, *services: Coroutine[None, None, None]) -> None:
    """Runs the worker and services beside it until told to stop; nothing new is started while the last sends finish.

    A part that fails ends the process, which its supervisor starts again.
    """
    working = asyncio.create_task(worker.run())
    beside = [asyncio.create_task(service) for service in services]
    stopping = asyncio.create_task(stop.wait())
    finished, _ = await asyncio.wait([working, stopping, *beside], return_when=asyncio.FIRST_COMPLETED)
    for task in beside:
        task.cancel()
    await asyncio.wait(beside)
    if working not in finished:
        await worker.shutdown()
    await asyncio.wait([working])
    for task in (working, *beside):
        if task in finished:
            task.result()


def main() -> None:
    """Runs the worker of this machine's settings."""
    settings = Settings()
    configure_logging(log_format=settings.log_format, level=settings.log_level)
    collect_less_often()
    uvloop.run(run(settings))
