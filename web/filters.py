"""What somebody looks for in the list of notifications: the words of a form, and the query that they mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Request

from api.problem_types import Kind
from api.problems import Problem
from api.recipient_models import spellings
from db.notifications import Filter
from domain.recipients import Channel
from domain.status import Status

TROUBLE = "trouble"
"""Stands in the form for every status that somebody should look at."""
TROUBLED = tuple(status for status in Status if status.is_failure or status in {Status.EXPIRED, Status.UNKNOWN})
_LONGEST = 320
_NAMES = ("status", "channel", "template", "trigger", "resource", "recipient", "series")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The form as it was filled in; an empty field does not restrict."""

    status: str = ""
    channel: str = ""
    template: str = ""
    trigger: str = ""
    resource: str = ""
    recipient: str = ""
    series: str = ""

    @property
    def fields(self) -> Mapping[str, str]:
        """Returns the fields that restrict."""
        return {name: value for name in _NAMES if (value := getattr(self, name))}

    def url(self, **changes: str) -> str:
        """Returns the address of the list with these fields, some of them changed."""
        fields = {name: value for name, value in {**self.fields, **changes}.items() if value}
        return f"/console?{urlencode(fields)}" if fields else "/console"

    def filter(self) -> Filter:
        """Returns what the database is asked for.

        Raises:
            Problem: A status, a channel or the id of a series is none.
        """
        kind, _, name = self.resource.partition("/")
        return Filter(
            status=self._statuses(),
            channel=_known(Channel, "channel", self.channel) if self.channel else None,
            template=self.template or None,
            trigger=self.trigger or None,
            resource_type=kind or None,
            resource_id=name or None,
            to=[self.recipient, *spellings(self.recipient)] if self.recipient else None,
            series_id=self._series(),
        )

    def _series(self) -> UUID | None:
        try:
            return UUID(self.series) if self.series else None
        except ValueError as error:
            raise Problem(Kind.BAD_REQUEST, f"{self.series!r} is no id of a series.") from error

    def _statuses(self) -> Sequence[str]:
        if self.status == TROUBLE:
            return TROUBLED
        return [_known(Status, "status", self.status)] if self.status else ()


def wanted_of(request: Request) -> Wanted:
    """Returns what the query of a request asks for."""
    given = request.query_params
    return Wanted(**{name: given.get(name, "").strip()[:_LONGEST] for name in _NAMES})


def _known(kind: Any, name: str, value: str) -> str:
    if value not in set(kind):
        raise Problem(Kind.BAD_REQUEST, f"{value!r} is no {name}; choose one in the form.")
    return value
