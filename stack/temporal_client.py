"""Asks a Temporal server how it is, and gives it what we need: namespace and search attributes."""

from dataclasses import dataclass

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, GetSystemInfoRequest
from temporalio.client import Client
from temporalio.service import RPCError

from stack import search_attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a reachable server says about itself and about those who poll it."""

    version: str
    missing_search_attributes: list[str]
    pollers: list[str]


async def prepare(address: str, namespace: str) -> bool:
    """Registers our search attributes and returns True, or False when the server does not answer (yet)."""
    try:
        client = await Client.connect(address, namespace=namespace)
        await search_attributes.register(client)
    except (RPCError, RuntimeError):
        return False
    return True


async def answers(address: str) -> bool:
    """Tells whether a Temporal server answers at this address now."""
    try:
        client = await Client.connect(address)
        return await client.service_client.check_health()
    except (RPCError, RuntimeError):
        return False


async def ask(address: str, namespace: str, task_queue: str) -> Facts | None:
    """Returns what the server says, None when it does not answer or has no such namespace."""
    try:
        client = await Client.connect(address, namespace=namespace)
        system = await client.workflow_service.get_system_info(GetSystemInfoRequest())
        lacking = await search_attributes.missing(client)
        request = DescribeTaskQueueRequest(
            namespace=namespace,
            task_queue=TaskQueue(name=task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
        queue = await client.workflow_service.describe_task_queue(request)
    except (RPCError, RuntimeError):
        return None
    pollers = [poller.identity for poller in queue.pollers]
    return Facts(version=system.server_version, missing_search_attributes=lacking, pollers=pollers)
