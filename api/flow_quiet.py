"""The wire model of quiet hours in flow files."""

from datetime import timedelta
from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from api import flow_shapes
from api.flow_words import DAYS, CalendarName, Clock, Day, Length
from api.models import Body
from domain import durations

MOST_SPREAD = timedelta(hours=12)


class QuietHoursRule(Body):
    """When the recipient is left alone, in the recipient's own time."""

    model_config = ConfigDict(json_schema_extra=flow_shapes.QUIET)

    begin: Clock | None = Field(default=None, alias="from")
    end: Clock | None = Field(
        default=None, alias="to", description="Not quiet any more; earlier than `from` means the next day."
    )
    days: list[Day] = Field(default=list(DAYS), min_length=1, max_length=7, description="Days on which it begins.")
    mode: Literal["hold", "hold_series", "skip", "ignore"] = Field(
        default="hold_series", description="Hold the message, hold the whole series, leave the message out, or send."
    )
    spread: Length | None = Field(default=None, description="What was held goes out over so long afterwards.")
    holidays: CalendarName | None = Field(default=None, description="The calendar whose days are quiet altogether.")

    @model_validator(mode="after")
    def _sometimes(self) -> Self:
        if (self.begin is None) != (self.end is None):
            raise ValueError("write `from` and `to`, or neither")
        if self.begin is None and self.holidays is None:
            raise ValueError("write `from` and `to`, or `holidays`, or all of them")
        if self.begin is not None and self.begin == self.end and set(self.days) == set(DAYS):
            raise ValueError("this is quiet always; nothing would ever be sent")
        if self.spread is not None:
            span = durations.parse(self.spread)
            if not span.is_exact or span.exact > MOST_SPREAD:
                raise ValueError("`spread` is at most 12h")
            if self.mode not in {"hold", "hold_series"}:
                raise ValueError("`spread` needs a `mode` that holds messages")
        return self
