"""Versions of templates, ready to judge the data of notifications; a version never changes, so it is prepared once."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

import channels
from db import templates
from db.templates import Version
from domain.faults import Fault
from domain.recipients import Channel
from domain.templates import Part
from domain.uses import check_paths
from domain.variables import ABSENT, Variable, VariableType, check_data

_MOST = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedVersion:
    """What must be known of a version to accept a notification.

    Attributes:
        paths: What the parts of each channel write, whatever the locale.
    """

    id: UUID
    number: int
    schema: tuple[Variable, ...]
    paths: Mapping[Channel, tuple[str, ...]]

    def check(self, data: Mapping[str, Any], wanted: Sequence[Channel]) -> tuple[Fault, ...]:
        """Returns what the data lacks or has wrong for these channels; pointers start inside the data."""
        faults = check_data(self.schema, data)
        told = {fault.pointer for fault in faults}
        paths = sorted({path for channel in wanted for path in self.paths.get(channel, ())})
        return (*faults, *(gap for gap in check_paths(paths, data) if gap.pointer not in told))


class PreparedVersions:
    """Keeps the versions that were used last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[UUID, UUID], PreparedVersion] = OrderedDict()

    async def get(self, connection: AsyncConnection, tenant_id: UUID, version_id: UUID) -> PreparedVersion:
        """Returns a version of the tenant, read only when it is not kept."""
        key = (tenant_id, version_id)
        if key not in self._kept:
            self._kept[key] = prepare(await templates.version_by_id(connection, tenant_id, version_id))
            if len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


def prepare(version: Version) -> PreparedVersion:
    """Returns a stored version, ready to judge data."""
    paths: dict[Channel, set[str]] = {}
    for part in parts_of(version):
        paths.setdefault(part.channel, set()).update(channels.variables(part.channel, part.content).required)
    return PreparedVersion(
        id=version.id,
        number=version.number,
        schema=schema_of(version),
        paths={channel: tuple(sorted(found)) for channel, found in paths.items()},
    )


def parts_of(version: Version) -> tuple[Part, ...]:
    """Returns the parts of a stored version."""
    return tuple(
        Part(channel=Channel(item["channel"]), locale=item["locale"], content=item["content"]) for item in version.parts
    )


def schema_of(version: Version) -> tuple[Variable, ...]:
    """Returns the variables of a stored version."""
    return tuple(
        Variable(
            name=item["name"],
            type=VariableType(item["type"]),
            required=item["required"],
            default=item.get("default", ABSENT),
            example=item.get("example", ABSENT),
            description=item.get("description", ""),
        )
        for item in version.variables
    )
