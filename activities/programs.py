"""Versions of flows, compiled; a version never changes, so it is read once."""

from collections import OrderedDict
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db import flows
from db.flow_json import flow_of
from domain.flow_program import Program, compiled

_MOST = 500


class Programs:
    """Keeps the programs that were used last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[UUID, UUID], Program] = OrderedDict()

    async def get(self, connection: AsyncConnection, tenant_id: UUID, version_id: UUID) -> Program:
        """Returns the program of a version of the tenant, read only when it is not kept."""
        key = (tenant_id, version_id)
        if key not in self._kept:
            version = await flows.version_by_id(connection, tenant_id, version_id)
            self._kept[key] = compiled(flow_of(version.definition))
            if len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]
