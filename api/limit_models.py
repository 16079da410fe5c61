"""Wire models of limits: what somebody sets, what holds, and how much of it is used up."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field

from api.models import Body, Shown, Whole
from api.paging import Page
from channels.addresses import COUNTRIES
from domain.frequency import Then, length
from domain.recipients import Channel

Rate = Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False, description="Messages per second.")]
Burst = Annotated[Whole, Field(ge=1, le=100_000, description="Messages at once after a rest.")]
PerDay = Annotated[Whole, Field(ge=1, description="Messages per day (UTC).")]


def _known(code: str) -> str:
    if code not in COUNTRIES:
        raise ValueError("there is no such country; use two-letter codes of ISO 3166 such as IN")
    return code


Country = Annotated[str, Field(min_length=2, max_length=2), AfterValidator(_known)]


def _short_enough(text: str) -> str:
    length(text)
    return text


class FrequencyCap(Body):
    """At most so many messages to one person within some time, over all flows; critical ones do not count."""

    most: Annotated[Whole, Field(ge=1, le=1000)]
    per: Annotated[str, Field(max_length=40, examples=["1d"]), AfterValidator(_short_enough)]
    channels: list[Channel] = Field(
        default_factory=list, max_length=len(Channel), description="Counted together; none named means all."
    )

    then: Then = Field(
        default=Then.SKIP,
        description="What becomes of one too many: it is left out, or waits until there is room. Of several caps that "
        "are used up one that leaves out counts first.",
    )

    def stored(self) -> dict[str, Any]:
        """Returns the cap as it is stored."""
        return self.model_dump(mode="json")


FrequencyCaps = Annotated[list[FrequencyCap], Field(max_length=10)]


class AccountLimits(Body):
    """What an account may send; what is absent is as its provider usually has it."""

    rate: Rate | None = None
    burst: Burst | None = None
    pair_seconds: Annotated[
        float | None,
        Field(gt=0, le=86_400, allow_inf_nan=False, description="Seconds between messages to one recipient."),
    ] = None
    pair_burst: Annotated[
        Whole | None, Field(ge=1, le=1000, description="Messages to one recipient at once after a rest.")
    ] = None
    per_day: PerDay | None = None


class TenantLimits(Body):
    """What a tenant may send over all its accounts; what is absent is not limited."""

    rate: Rate | None = None
    burst: Burst | None = None
    per_day: PerDay | None = None


class BucketState(Shown):
    """Where a rate stands at this moment."""

    rate: float = Field(description="Messages per second.")
    burst: int
    free: int = Field(description="How many messages could go out at once.")
    waiting: int = Field(description="How many messages have a slot whose time is yet to come.")
    next_at: datetime = Field(description="When the next message that asks may go out.")


class Usage(Shown):
    """What holds and how much of it is used up."""

    bucket: BucketState | None = Field(description="The rate; null where there is none.")
    per_day: int | None = Field(description="The cap of a day; null where there is none.")
    used_today: int | None = Field(description="How many slots of today were given; counted where there is a cap.")


class TenantUsage(Usage):
    """What the whole tenant may send."""

    sms_countries: list[str] = Field(description="Countries that text messages may go to; none, unless named.")


class AccountUsage(Usage):
    """What one account may send."""

    account_id: UUID
    name: str
    channel: Channel
    provider: str
    pair_seconds: float | None = Field(description="Seconds between messages to one recipient, in the long run.")
    pair_burst: int | None = Field(description="Messages to one recipient at once after a rest.")


class AccountUsagePage(Page[AccountUsage]):
    """A page of accounts with their limits."""


class LimitsPage(AccountUsagePage):
    """The tenant's limits, and a page of its accounts'."""

    day: date = Field(description="The day that is counted, in UTC.")
    tenant: TenantUsage


def stored(limits: AccountLimits | TenantLimits) -> dict[str, Any]:
    """Returns limits as they are stored: only what was said."""
    return limits.model_dump(exclude_none=True)
