"""Asks a Temporal server how it is, and gives one that somebody else runs the search attributes that we need."""

from dataclasses import dataclass

from temporalio.api.enums.v1 import IndexedValueType, TaskQueueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, GetSystemInfoRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from stack.problems import StackError
from stack.search_attributes import SEARCH_ATTRIBUTES

_TYPES = {
    "Keyword": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "KeywordList": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a reachable server says about itself and about those who poll it."""

    version: str
    missing_search_attributes: list[str]
    pollers: list[str]


async def prepare(address: str, namespace: str) -> bool:
    """Registers our search attributes and returns True, or False when server or namespace do not answer.

    Raises:
        StackError: the server has an attribute of that name with another type.
    """
    try:
        client = await Client.connect(address, namespace=namespace)
        await register_search_attributes(client)
    except (RPCError, RuntimeError):
        return False
    return True


async def register_search_attributes(client: Client) -> list[str]:
    """Adds the search attributes that are missing in the client's namespace and returns their names.

    Raises:
        StackError: an attribute of that name has another type.
    """
    lacking = await _missing(client)
    if lacking:
        types = {name: _TYPES[SEARCH_ATTRIBUTES[name]] for name in lacking}
        request = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=types)
        try:
            await client.operator_service.add_search_attributes(request)
        except RPCError as problem:
            if problem.status is not RPCStatusCode.ALREADY_EXISTS:
                raise
    return lacking


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
        lacking = await _missing(client)
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


async def _missing(client: Client) -> list[str]:
    request = ListSearchAttributesRequest(namespace=client.namespace)
    there = (await client.operator_service.list_search_attributes(request)).custom_attributes
    for name, kind in SEARCH_ATTRIBUTES.items():
        if there.get(name, _TYPES[kind]) != _TYPES[kind]:
            found = IndexedValueType.Name(there[name])
            raise StackError(
                f"Temporal's search attribute {name} is {found} instead of {kind}; remove it and start again."
            )
    return [name for name in SEARCH_ATTRIBUTES if name not in there]
