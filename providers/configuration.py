"""Fields of an account's configuration: one table per provider gives both the check and the JSON Schema."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_LONGEST = 4096
_VISIBLE = r"[!-~]+"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field: a text unless `whole` gives the least and the greatest number.

    Attributes:
        name: Its name in the configuration.
        description: What it is and where to find it.
        required: Whether it must be given; an optional one without `default` is None.
        secret: Whether it is never shown again.
        pattern: What its whole text has to match; printable ASCII without spaces unless said otherwise.
        choices: The only texts it may be.
        whole: Least and greatest whole number, for a number.
        default: Its value when it is absent.
    """

    name: str
    description: str
    required: bool = True
    secret: bool = False
    pattern: str = _VISIBLE
    choices: tuple[str, ...] = ()
    whole: tuple[int, int] | None = None
    default: str | int | None = None

    def checked(self, value: Any) -> str | int:
        """Returns `value` if the field may have it, or raises `ValueError` that names the field, never the value."""
        if self.whole is not None:
            least, most = self.whole
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise ValueError(f"{self.name} must be a whole number from {least} to {most}")
            return value
        if not isinstance(value, str):
            raise ValueError(f"{self.name} must be a text")  # noqa: TRY004 - every wrong field is a ValueError
        if self.choices and value not in self.choices:
            raise ValueError(f"{self.name} must be one of {', '.join(self.choices)}")
        if len(value) > _LONGEST or not re.fullmatch(self.pattern, value):
            raise ValueError(f"{self.name} does not have the right form: {self.description}")
        return value

    def schema(self) -> dict[str, Any]:
        """Returns the JSON Schema of the field."""
        found: dict[str, Any] = {"description": self.description}
        if self.whole is not None:
            found |= {"type": "integer", "minimum": self.whole[0], "maximum": self.whole[1]}
        elif self.choices:
            found |= {"type": "string", "enum": list(self.choices)}
        else:
            found |= {"type": "string", "pattern": f"^(?:{self.pattern})$", "maxLength": _LONGEST}
        if self.secret:
            found |= {"format": "password", "writeOnly": True}
        if self.default is not None:
            found["default"] = self.default
        return found


QUARANTINE = Field(
    name="quarantine_seconds",
    required=False,
    whole=(1, 86_400),
    description="Seconds to wait for a receipt where an attempt is in doubt; the provider's usual time unless given.",
)
"""Every provider has it: who knows how quick an account's receipts are can say so."""


def read(fields: Iterable[Field], config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the value of every field; null counts as absent.

    Raises:
        ValueError: A field is missing, unknown or wrong; the message names it.
    """
    table = {field.name: field for field in fields}
    for name in config:
        if name not in table:
            raise ValueError(f"there is no field {name!r}; the fields are {', '.join(table)}")
    values: dict[str, Any] = {}
    for name, field in table.items():
        value = config.get(name)
        if value is None and field.required:
            raise ValueError(f"{name} is required: {field.description}")
        values[name] = field.default if value is None else field.checked(value)
    return values


def schema(fields: Iterable[Field]) -> dict[str, Any]:
    """Returns the JSON Schema of a configuration with these fields."""
    table = list(fields)
    return {
        "type": "object",
        "properties": {field.name: field.schema() for field in table},
        "required": [field.name for field in table if field.required],
        "additionalProperties": False,
    }


def secrets_of(fields: Iterable[Field]) -> frozenset[str]:
    """Returns the names of the fields that are never shown again."""
    return frozenset(field.name for field in fields if field.secret)
