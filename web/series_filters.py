"""Which series somebody looks for in the console: the words of a form, and what they mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from pydantic import ValidationError
from starlette.datastructures import FormData, QueryParams

from api.problem_types import Kind
from api.problems import Problem, validation_problem
from api.series_operations import SeriesWish
from db.series_lists import SeriesFilter
from domain.series import SeriesStatus

SERIES = "/console/series"
_LONGEST = 320
_NAMES = ("flow", "version", "status", "step", "to", "resource_type", "resource_id", "cause", "key", "next_before")


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesWanted:
    """The form as it was filled in; an empty field does not restrict."""

    flow: str = ""
    version: str = ""
    status: str = ""
    step: str = ""
    to: str = ""
    resource_type: str = ""
    resource_id: str = ""
    cause: str = ""
    key: str = ""
    next_before: str = ""

    @property
    def fields(self) -> Mapping[str, str]:
        """Returns the fields that restrict."""
        return {name: value for name in _NAMES if (value := getattr(self, name))}

    @property
    def before_field(self) -> str:
        """Returns the moment as a field of the form takes it, in UTC; what is none stays empty."""
        try:
            return f"{datetime.fromisoformat(_in_utc(self.next_before)).astimezone(UTC):%Y-%m-%dT%H:%M}"
        except (ValueError, OverflowError):
            return ""

    @property
    def may_go_on(self) -> bool:
        """Tells whether those that are meant may be such that are not over."""
        return self.status in {"", *(status.value for status in SeriesStatus if not status.is_over)}

    def url(self, action: str = "", **changes: str) -> str:
        """Returns the address of the list, or of an action on it, with these fields, some of them changed."""
        fields = {name: value for name, value in {**self.fields, **changes}.items() if value}
        place = f"{SERIES}/many/{action}" if action else SERIES
        return f"{place}?{urlencode(fields)}" if fields else place

    def wish(self) -> SeriesWish:
        """Returns what an operation is asked for.

        Raises:
            Problem: A field says nothing that could be meant.
        """
        return _validated(self._said())

    def filter(self) -> SeriesFilter:
        """Returns what the database is asked for.

        Raises:
            Problem: A field says nothing that could be meant.
        """
        if self.status and self.status not in set(SeriesStatus):
            raise Problem(Kind.BAD_REQUEST, f"{self.status!r} is no status; choose one in the form.")
        said = {name: value for name, value in self._said().items() if name != "status"}
        return SeriesFilter(**_validated(said).model_dump(exclude={"status"}), status=self.status or None)

    def _said(self) -> dict[str, Any]:
        before = {"next_before": _in_utc(self.next_before)} if self.next_before else {}
        return {**self.fields, **before}


def series_wanted(given: QueryParams | FormData) -> SeriesWanted:
    """Returns what a query or a form asks for."""
    return SeriesWanted(**{name: str(given.get(name, "")).strip()[:_LONGEST] for name in _NAMES})


def _validated(said: dict[str, Any]) -> SeriesWish:
    try:
        return SeriesWish.model_validate(said)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        raise validation_problem([{**one, "loc": ("query", *one["loc"])} for one in found], said) from error


def _in_utc(text: str) -> str:
    """Returns a moment with a zone: a field of a form has none, and means UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return text if moment.tzinfo else moment.replace(tzinfo=UTC).isoformat()
