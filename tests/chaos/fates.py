"""What the provider does with a message: two digits in its recipient's address, and a rule of the sandbox for each.

So the provider's misbehaviour follows from the schedule, whenever the message comes and however often. Most fates
concern the first of every two sends to a recipient: one that is repeated gets through.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

WHATSAPP, EMAIL = "whatsapp", "email"
ORDINARY = "00"
_PHONE = re.compile(r"9198(\d\d)(\d\d)(\d{4})")
_MAILBOX = re.compile(r"fate-(\d\d)-(\d\d)-(\d{4})@example\.com")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """One way in which a provider treats a message.

    Attributes:
        fault: The name that it goes by; empty for the ordinary course.
        fails: An accepted message is reported as failed later.
        once: It concerns the first of every two sends only.
    """

    code: str
    channel: str
    fault: str
    effect: Mapping[str, Any] = field(default_factory=dict)
    fails: bool = False
    once: bool = False


def _whatsapp(code: str, fault: str, *, fails: bool = False, once: bool = False, **effect: Any) -> Fate:
    return Fate(code=code, channel=WHATSAPP, fault=fault, effect=effect, fails=fails, once=once)


def _mail(code: str, fault: str, *, fails: bool = False, once: bool = False, **effect: Any) -> Fate:
    return Fate(code=code, channel=EMAIL, fault=fault, effect=effect, fails=fails, once=once)


def _page(*, accepted: bool) -> dict[str, Any]:
    return {"status": 502, "envelope": False, "accepted": accepted}


_WEEK, _DAY = 604_800, 86_400

FATES: tuple[Fate, ...] = (
    _whatsapp("01", "answers-lost", once=True, lose_answer=True),
    _whatsapp("02", "answers-truncated", once=True, truncate_answer=True),
    _whatsapp("03", "answers-garbage", once=True, garbage_answer=True),
    _whatsapp("04", "answers-slow", slow_answer=3),
    _whatsapp("05", "answers-slow", once=True, delay_answer=12),
    _whatsapp("06", "answers-by-byte", once=True, drip_answer=1),
    _whatsapp("07", "answers-endless", once=True, endless_answer=True),
    _whatsapp("08", "gateway-pages", once=True, refuse=_page(accepted=True)),
    _whatsapp("09", "gateway-pages", once=True, refuse=_page(accepted=False)),
    _whatsapp("10", "requests-lost", once=True, lose_request=True),
    _whatsapp("11", "throttling", once=True, refuse={"status": 429, "code": 131056, "retry_after": 1}),
    _whatsapp("12", "throttling", once=True, refuse={"status": 500, "code": 131016}),
    _whatsapp("13", "refusals", refuse={"status": 400, "code": 131026}),
    _whatsapp("14", "late-failures", fails=True, fail=131026),
    _whatsapp("15", "late-failures", fails=True, fail=131026, reference_on_failed=False),
    _whatsapp("16", "callbacks-repeated", duplicate_callbacks=45),
    _whatsapp("17", "callbacks-shuffled", shuffle_callbacks=True, duplicate_callbacks=4),
    _whatsapp("18", "callbacks-early", callbacks_first=True),
    _whatsapp("19", "callbacks-late", callback_clock=-_WEEK),
    _whatsapp("20", "callbacks-late", callback_clock=_DAY),
    _whatsapp("21", "callbacks-astray", misdirect_callbacks=True),
    _whatsapp("22", "callbacks-dropped", once=True, drop_callbacks=True, lose_answer=True),
    _whatsapp("23", "late-failures", fails=True, fail=131026, reference_on_failed=False, callbacks_first=True),
    _mail("01", "answers-lost", once=True, lose_answer=True),
    _mail("02", "answers-truncated", once=True, truncate_answer=True),
    _mail("03", "answers-garbage", once=True, garbage_answer=True),
    _mail("05", "answers-slow", once=True, delay_answer=12),
    _mail("06", "answers-by-byte", once=True, drip_answer=1),
    _mail("07", "answers-endless", once=True, endless_answer=True),
    _mail("10", "requests-lost", once=True, lose_request=True),
    _mail("11", "throttling", once=True, smtp_recipient="451 4.7.1 Greylisted"),
    _mail("12", "throttling", once=True, smtp_data="451 4.3.0 Try again later"),
    _mail("13", "refusals", smtp_recipient="550 5.1.1 No such user"),
    _mail("15", "refusals", smtp_data="554 5.7.1 Not wanted"),
    _mail("14", "late-failures", fails=True, bounce="5.1.1"),
)
_BY_CODE = {(fate.channel, fate.code): fate for fate in FATES}


def phone(fate: str, tenant: int, number: int) -> str:
    """Returns the phone number of a message's recipient, with its fate in it."""
    return f"+9198{fate}{tenant:02d}{number:04d}"


def mailbox(fate: str, tenant: int, number: int) -> str:
    """Returns the mailbox of a message's recipient, with its fate in it."""
    return f"fate-{fate}-{tenant:02d}-{number:04d}@example.com"


def fate_of(channel: str, address: str) -> Fate | None:
    """Returns the fate that stands in an address, None for the ordinary course."""
    found = (_PHONE if channel == WHATSAPP else _MAILBOX).fullmatch(address.lstrip("+"))
    return _BY_CODE.get((channel, found[1])) if found else None


def behaviour(seed: int) -> dict[str, Any]:
    """Returns what the sandbox is told: a rule for each fate, quick receipts, patient callbacks."""
    return {
        "seed": seed,
        "magic": False,
        "times": {"sent": 0.05, "delivered": 0.3, "read": 0.8, "bounce": 0.3},
        "callbacks": {"retry_delays": [0.3, 0.5, 1, 2, 3, *([5] * 30)], "timeout": 10},
        "rules": [_rule(fate) for fate in FATES],
    }


def _rule(fate: Fate) -> dict[str, Any]:
    pattern = f"9198{fate.code}*" if fate.channel == WHATSAPP else f"fate-{fate.code}-*"
    match = {"channel": fate.channel, "recipient": pattern, **({"first": 1} if fate.once else {})}
    return {"name": f"{fate.channel}-{fate.code}", "match": match, "effect": dict(fate.effect)}
