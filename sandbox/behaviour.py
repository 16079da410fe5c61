"""What may go wrong, as data: rules that match sends and the effects they have."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(ge=0, le=3600)]
SmtpReply = Annotated[str, Field(pattern=r"^[2345]\d\d [\x20-\x7e]+$")]
Milestone = Literal["nothing", "sent", "delivered", "read"]
_MONTH = 31 * 24 * 3600


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Match(_Strict):
    """Says which sends a rule concerns; what is left out matches everything.

    `recipient` is digits or an e-mail address, both may hold `*`; `next` bounds how many sends the rule takes;
    `first` takes the first so many of every so many plus one to a recipient (2: two taken, one left alone, and again).
    """

    channel: Literal["whatsapp", "email"] | None = None
    number: str | None = None
    recipient: str | None = None
    template: str | None = None
    probability: float = Field(default=1.0, ge=0, le=1)
    next: int | None = Field(default=None, ge=0)
    first: int | None = Field(default=None, ge=1)


class Refusal(_Strict):
    """An HTTP error in place of the ordinary answer, with or without the provider's envelope."""

    status: int = Field(default=400, ge=400, le=599)
    code: int | None = None
    details: str | None = None
    envelope: bool = True
    retry_after: int | None = Field(default=None, ge=0)
    accepted: bool = False


class Effect(_Strict):
    """What happens to one send; every field left at its default leaves the ordinary course alone.

    Times are in seconds. Fields of the first group concern the answer, then callbacks, then SMTP.
    """

    delay_journal: Seconds = 0
    delay_answer: Seconds = 0
    slow_answer: Seconds = 0
    drip_answer: Seconds = 0
    endless_answer: bool = False
    lose_request: bool = False
    lose_answer: bool = False
    truncate_answer: bool = False
    garbage_answer: bool = False
    refuse: Refusal | None = None

    callbacks_first: bool = False
    duplicate_callbacks: int = Field(default=0, ge=0, le=100)
    reorder_callbacks: bool = False
    shuffle_callbacks: bool = False
    misdirect_callbacks: bool = False
    callback_clock: float = Field(default=0, ge=-_MONTH, le=_MONTH)
    drop_callbacks: bool = False
    until: Milestone = "read"
    skip_delivered: bool = False
    fail: int | None = None
    reference_on_failed: bool = True
    reply: str | None = None

    smtp_recipient: SmtpReply | None = None
    smtp_data: SmtpReply | None = None
    bounce: str | None = Field(default=None, pattern=r"^[245]\.\d{1,3}\.\d{1,3}$")


class Rule(_Strict):
    """One match with one effect."""

    name: str = ""
    match: Match = Match()
    effect: Effect


class Times(_Strict):
    """When things happen, in seconds after acceptance; `review` null leaves template review to the control call."""

    sent: Seconds = 0.05
    delivered: Seconds = 0.25
    read: Seconds = 1.0
    reply: Seconds = 1.5
    bounce: Seconds = 0.3
    review: Seconds | None = None


class CallbackPolicy(_Strict):
    """How callbacks are posted; the delays follow one failed try each, then the callback is given up."""

    retry_delays: list[Seconds] = Field(default=[0.5, 1, 2, 4, 8, 15, 30, *([60] * 30)], max_length=1000)
    timeout: Seconds = 10


class Quota(_Strict):
    """At most so many sends in so many seconds."""

    count: int = Field(ge=1)
    seconds: float = Field(gt=0)


class Limits(_Strict):
    """Optional throughput limits: of a number (130429) and of a pair of number and recipient (131056)."""

    number: Quota | None = None
    pair: Quota | None = None


class Behaviour(_Strict):
    """Everything `PUT /_sandbox/behaviour` sets; what it leaves out returns to its default."""

    seed: int = 0
    magic: bool = True
    times: Times = Times()
    callbacks: CallbackPolicy = CallbackPolicy()
    limits: Limits = Limits()
    rules: list[Rule] = Field(default=[], max_length=1000)
