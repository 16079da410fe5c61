"""What all wire models share."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    Strict,
    StringConstraints,
)

from db.json import plain


class Body(BaseModel):
    """A request body: unknown members are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Shown(BaseModel):
    """A response body, built from attributes or by keyword."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("this moment lies outside of all years") from error


JsonObject = Annotated[dict[str, Any], PlainSerializer(plain, when_used="json")]
"""Any JSON object; numbers with a fraction arrive as `Decimal` and leave as numbers."""

Json = Annotated[Any, PlainSerializer(plain, when_used="json")]
"""Any JSON value, with numbers as in `JsonObject`."""

Moment = Annotated[AwareDatetime, AfterValidator(_utc)]
"""A point in time with its offset, as UTC."""

Flag = Annotated[bool, Strict()]
"""`true` or `false`; neither 1 nor "yes"."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
"""A short text that people read, such as a name."""

Slug = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@/+-]*$", max_length=128)]
"""A name that programs use."""

Whole = Annotated[int, Strict(), Field(ge=-(2**31), le=2**31 - 1)]
"""An integer that PostgreSQL's `integer` holds."""
