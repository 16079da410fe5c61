"""Registers the search attributes that our workflows carry, on any Temporal server, as often as one likes."""

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from stack.problems import StackError

_KEYWORDS = ("Tenant", "Template", "Resource", "Trigger", "Status", "Channel")
_KEYWORD_LISTS = ("Notification",)
TYPES: dict[str, "IndexedValueType.ValueType"] = {
    **{f"Carillon{name}": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD for name in _KEYWORDS},
    **{f"Carillon{name}": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST for name in _KEYWORD_LISTS},
}


async def register(client: Client) -> list[str]:
    """Adds those that are missing in the client's namespace and returns their names.

    Raises:
        StackError: an attribute of that name has another type.
    """
    lacking = await missing(client)
    if lacking:
        request = AddSearchAttributesRequest(
            namespace=client.namespace, search_attributes={name: TYPES[name] for name in lacking}
        )
        try:
            await client.operator_service.add_search_attributes(request)
        except RPCError as problem:
            if problem.status is not RPCStatusCode.ALREADY_EXISTS:
                raise
    return lacking


async def missing(client: Client) -> list[str]:
    """Returns the names that are not registered yet.

    Raises:
        StackError: an attribute of that name has another type.
    """
    there = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    for name, wanted in TYPES.items():
        found = there.custom_attributes.get(name, wanted)
        if found != wanted:
            kinds = f"{IndexedValueType.Name(found)} instead of {IndexedValueType.Name(wanted)}"
            raise StackError(f"Temporal's search attribute {name} is {kinds}; remove it there and start again.")
    return [name for name in TYPES if name not in there.custom_attributes]
