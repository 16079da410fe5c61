"""What Temporal says about workflows: in one question about many, and closely about those that seem to be missing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from temporalio.api.enums.v1 import PendingWorkflowTaskState, TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, DescribeTaskQueueRequest
from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHistoryEventFilterType,
)
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError, RPCStatusCode

from domain import keys
from domain.recovery import GONE, Life, Workflow
from domain.status import Status

_AT_ONCE = 10
_SERVER = "history-service"  # as the server signs what it does by itself (`IdentityHistoryService` in its source)
_LIVES = {
    WorkflowExecutionStatus.RUNNING: Life.RUNNING,
    WorkflowExecutionStatus.CONTINUED_AS_NEW: Life.RUNNING,
    WorkflowExecutionStatus.COMPLETED: Life.COMPLETED,
    WorkflowExecutionStatus.TERMINATED: Life.STOPPED,
    WorkflowExecutionStatus.CANCELED: Life.STOPPED,
    WorkflowExecutionStatus.FAILED: Life.FAILED,
    WorkflowExecutionStatus.TIMED_OUT: Life.FAILED,
}
_NOTIFICATION = keys.notification_workflow("")
_PAGE = keys.page_workflow("")
RUNNING = Workflow(life=Life.RUNNING)
_TENANT = SearchAttributeKey.for_keyword("CarillonTenant")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningWorkflow:
    """A workflow that the server lists as running, and the tenant that it was started for."""

    workflow_id: str
    tenant_id: UUID | None


class WorkflowFacts:
    """Asks Temporal."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def of_many(self, workflow_ids: Sequence[str]) -> dict[str, Workflow]:
        """Returns the facts by workflow id; those that the server lists as running are asked for once, together."""
        running = await self._running(workflow_ids)
        others = [name for name in dict.fromkeys(workflow_ids) if name not in running]
        return dict.fromkeys(running, RUNNING) | await self.of_each(others)

    async def of_each(self, workflow_ids: Sequence[str]) -> dict[str, Workflow]:
        """Returns the facts by workflow id, each asked for by itself."""
        names = list(dict.fromkeys(workflow_ids))
        return dict(zip(names, await asyncio.gather(*(self.of(name) for name in names)), strict=True))

    async def of(self, workflow_id: str) -> Workflow:
        """Returns what the server knows about one workflow, its state and not its index.

        A notification that never had a workflow of its own may have been carried by a page: that is in the index only.
        """
        async with self._places:
            found = await self._describe(workflow_id) or await self._page_of(workflow_id)
            if found is None:
                return GONE
            life = _LIVES.get(found.status or WorkflowExecutionStatus.RUNNING, Life.RUNNING)
            if life is Life.RUNNING and _is_interrupted(found):
                return Workflow(life=Life.INTERRUPTED)
            if found.status is WorkflowExecutionStatus.TERMINATED and await self._ended_by_server(found.id):
                life = Life.FAILED
            shared = found.id.startswith(_PAGE)
            result = await self._result(workflow_id) if life is Life.COMPLETED and not shared else None
            return Workflow(life=life, closed_at=found.close_time, result=result, shared=shared)

    async def _describe(self, workflow_id: str) -> WorkflowExecutionDescription | None:
        try:
            return await self._client.get_workflow_handle(workflow_id).describe()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None

    async def _page_of(self, workflow_id: str) -> WorkflowExecutionDescription | None:
        """Returns the page that carried a notification, where there was one."""
        name = workflow_id.removeprefix(_NOTIFICATION)
        if name == workflow_id or not _is_id(name):
            return None
        query = f"WorkflowType = 'page' AND CarillonNotification = '{name}'"
        async for found in self._client.list_workflows(query, limit=1):
            return await self._describe(found.id)
        return None

    async def remembers_since(self, now: datetime) -> datetime | None:
        """Returns since when no workflow that was started can have been forgotten, None where nobody can say."""
        request = DescribeNamespaceRequest(namespace=self._client.namespace)
        config = (await self._client.workflow_service.describe_namespace(request)).config
        if not config.HasField("workflow_execution_retention_ttl"):
            return None
        return now - config.workflow_execution_retention_ttl.ToTimedelta()

    async def running(self, workflow_type: str) -> AsyncIterator[RunningWorkflow]:
        """Yields all workflows of a type that the server lists as running."""
        query = f"ExecutionStatus = 'Running' AND WorkflowType = '{workflow_type}'"
        async for found in self._client.list_workflows(query, page_size=1000):
            tenant_id = found.typed_search_attributes.get(_TENANT)
            yield RunningWorkflow(workflow_id=found.id, tenant_id=UUID(tenant_id) if tenant_id else None)

    async def pollers(self, task_queue: str, *, since: datetime) -> list[str]:
        """Returns the workers that asked for workflow tasks of a queue after a moment."""
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace,
            task_queue=TaskQueue(name=task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
        found = (await self._client.workflow_service.describe_task_queue(request)).pollers
        return [one.identity for one in found if one.last_access_time.ToDatetime(UTC) > since]

    async def terminate(self, workflow_id: str, *, reason: str) -> None:
        """Ends a workflow at once, unless it has ended."""
        try:
            await self._client.get_workflow_handle(workflow_id).terminate(reason=reason)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

    async def _running(self, workflow_ids: Sequence[str]) -> set[str]:
        if not workflow_ids:
            return set()
        names = ", ".join(f"'{name}'" for name in workflow_ids)
        query = f"ExecutionStatus = 'Running' AND WorkflowId IN ({names})"
        return {found.id async for found in self._client.list_workflows(query, page_size=1000)}

    async def _ended_by_server(self, workflow_id: str) -> bool:
        """Tells whether nobody asked for a termination: the server itself ends what has grown beyond its limits."""
        handle = self._client.get_workflow_handle(workflow_id)
        last = WorkflowHistoryEventFilterType.CLOSE_EVENT
        async for event in handle.fetch_history_events(event_filter_type=last):
            return event.workflow_execution_terminated_event_attributes.identity == _SERVER
        return False

    async def _result(self, workflow_id: str) -> Status | None:
        """Returns the status that a completed workflow ended with, None where it cannot be read."""
        handle = self._client.get_workflow_handle(workflow_id, result_type=str)
        try:
            return Status(await handle.result(follow_runs=False))
        except (WorkflowFailureError, ValueError, TypeError):
            return None


def _is_interrupted(found: WorkflowExecutionDescription) -> bool:
    """Tells whether a worker took a task of the workflow that it did not answer, so that nobody knows what it did."""
    if not found.raw_description.HasField("pending_workflow_task"):
        return False
    pending = found.raw_description.pending_workflow_task
    return pending.attempt > 1 or pending.state == PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED


def _is_id(name: str) -> bool:
    try:
        UUID(name)
    except ValueError:
        return False
    return True
