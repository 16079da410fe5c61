"""The steps of operations over many parked notifications."""

from uuid import UUID

from temporalio import activity

from activities.persistence import persist
from db import operations
from db.session import Database
from domain.operations import OperationInput, Stepped


class Operations:
    """Takes up the next notifications of an operation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @activity.defn(name="operations.step")
    async def step(self, order: OperationInput) -> Stepped:
        """Makes one step; repeated after a commit whose answer got lost, it makes the next one."""
        return await persist(lambda: self._step(order))

    async def _step(self, order: OperationInput) -> Stepped:
        tenant_id = UUID(order.tenant_id)
        async with self._database.tenant(tenant_id) as connection:
            return await operations.step(connection, tenant_id, UUID(order.operation_id))
