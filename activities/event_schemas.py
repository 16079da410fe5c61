"""Schemas of event types, ready to judge; a version of one never changes, so it is read once."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from db import event_types
from db.event_types import TypeRule
from domain.event_schemas import EventSchema
from domain.faults import Fault

_MOST = 200
_MOST_PATTERNS = 500
"""Patterns of all kept schemas: each remembers some 150 KiB of what it matched."""
_ENFORCE = "enforce"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the schema of its type says of an event; None as the type where no event of it came before."""

    type: TypeRule | None
    faults: tuple[Fault, ...]

    @property
    def refuses(self) -> bool:
        """Tells whether the event must not be taken."""
        return bool(self.faults) and self.type is not None and self.type.mode == _ENFORCE

    def told(self) -> list[dict[str, str]]:
        """Returns what does not fit as it is kept and told: places in the event and reasons, nothing of its data."""
        return [{"pointer": f"/data{one.pointer}", "detail": one.message} for one in self.faults]

    def refusal(self, source: str, event_id: str) -> Mapping[str, Any]:
        """Returns the refusal of an event as it is kept."""
        version = self.type.version if self.type else 0
        return {"source": source, "id": event_id, "version": version, "faults": self.told()}


class EventSchemas:
    """Keeps the schemas that were used last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[UUID, UUID, int], EventSchema] = OrderedDict()

    @property
    def size(self) -> int:
        """Returns how many schemas are kept ready."""
        return len(self._kept)

    async def judged(self, connection: AsyncConnection, tenant_id: UUID, rule: TypeRule | None, data: Any) -> Judgement:
        """Returns what the schema of a type says of data; without one everything fits."""
        found = await self._get(connection, tenant_id, rule) if rule is not None and rule.has_schema else None
        return Judgement(type=rule, faults=found.faults(data) if found is not None else ())

    async def _get(self, connection: AsyncConnection, tenant_id: UUID, rule: TypeRule) -> EventSchema | None:
        key = (tenant_id, rule.id, rule.version)
        if key not in self._kept:
            version, said = await event_types.schema(connection, tenant_id, rule.id)
            if said is None:  # it was taken back just now
                return None
            key = (tenant_id, rule.id, version)
            self._kept[key] = EventSchema(said)
            self._leave_out()
        self._kept.move_to_end(key)
        return self._kept[key]

    def _leave_out(self) -> None:
        """Lets go of those that were not used for the longest, but never of the newest one."""
        patterns = sum(schema.patterns for schema in self._kept.values())
        while len(self._kept) > 1 and (len(self._kept) > _MOST or patterns > _MOST_PATTERNS):
            _, gone = self._kept.popitem(last=False)
            patterns -= gone.patterns
