"""How long a tenant's line in the outbox may become before callers are asked to come back later."""

import time
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from api.problem_types import Kind
from api.problems import Problem
from db import outbox

_FRESH_SECONDS = 1.0
_RETRY_SECONDS = "5"


@dataclass(slots=True)
class _Line:
    length: int
    read_at: float


@dataclass(slots=True)
class LineBounds:
    """Remembers for a second how long each tenant's line was, and adds what this process accepted since."""

    bound: int
    _lines: dict[UUID, _Line] = field(default_factory=dict)

    async def is_full(self, connection: AsyncConnection, tenant_id: UUID, *, count: int) -> bool:
        """Tells whether the line is full, and counts `count` more notifications if it is not.

        The last request before the bound may exceed it, so that one of many items is never too large for it.
        """
        line = self._lines.get(tenant_id)
        if line is None or time.monotonic() - line.read_at > _FRESH_SECONDS:
            length = await outbox.line_length(connection, tenant_id, bound=self.bound)
            line = self._lines[tenant_id] = _Line(length=length, read_at=time.monotonic())
        if line.length >= self.bound:
            return True
        line.length += count
        return False

    def problem(self) -> Problem:
        """Returns the answer to a request for which the line has no place."""
        detail = f"{self.bound:,} notifications of this tenant wait already; repeat later with the same key."
        return Problem(Kind.LINE_FULL, detail, headers={"Retry-After": _RETRY_SECONDS})
