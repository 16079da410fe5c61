"""Which parked notifications somebody looks for in the console: the words of a form, and what they mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from pydantic import ValidationError
from starlette.datastructures import FormData, QueryParams

from api.parked_models import Wish
from api.problems import validation_problem

_LONGEST = 256
_NAMES = ("cause", "account", "template", "trigger", "resource")
PARKED = "/console/parked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedWanted:
    """The form as it was filled in; an empty field does not restrict."""

    cause: str = ""
    account: str = ""
    template: str = ""
    trigger: str = ""
    resource: str = ""

    @property
    def fields(self) -> Mapping[str, str]:
        """Returns the fields that restrict."""
        return {name: value for name in _NAMES if (value := getattr(self, name))}

    def url(self, action: str = "", **changes: str) -> str:
        """Returns the address of the list, or of an action on it, with these fields, some of them changed."""
        fields = {name: value for name, value in {**self.fields, **changes}.items() if value}
        place = f"{PARKED}/{action}" if action else PARKED
        return f"{place}?{urlencode(fields)}" if fields else place

    def wish(self) -> Wish:
        """Returns what the API is asked for.

        Raises:
            Problem: A cause or account is none.
        """
        kind, _, name = self.resource.partition("/")
        said = {name: value for name, value in self.fields.items() if name != "resource"}
        said |= {key: value for key, value in (("resource_type", kind), ("resource_id", name)) if value}
        try:
            return Wish.model_validate(said)
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False)
            raise validation_problem([{**one, "loc": ("query", *one["loc"])} for one in found], said) from error


def parked_wanted(given: QueryParams | FormData) -> ParkedWanted:
    """Returns what a query or a form asks for."""
    return ParkedWanted(**{name: str(given.get(name, "")).strip()[:_LONGEST] for name in _NAMES})
