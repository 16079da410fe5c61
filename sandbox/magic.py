"""The magic recipients: addresses whose misbehaviour needs no control call."""

from dataclasses import dataclass

from sandbox.behaviour import Effect, Match, Refusal, Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Magic:
    """One magic recipient: its ending (digits of a phone) or local part (e-mail), and what it does."""

    key: str
    says: str
    effect: Effect
    first: int | None = None


NUMBERS = (
    Magic(
        key="0001",
        says="refused for good: 400, code 131026",
        effect=Effect(refuse=Refusal(status=400, code=131026)),
    ),
    Magic(key="0002", says="accepted and sent, never delivered", effect=Effect(until="sent")),
    Magic(
        key="0003",
        says="accepted, the answer is lost (connection closed); callbacks follow",
        effect=Effect(lose_answer=True),
    ),
    Magic(
        key="0004",
        says="429 (code 131056, Retry-After: 1) twice, accepted the third time, and again from the beginning",
        effect=Effect(refuse=Refusal(status=429, code=131056, retry_after=1)),
        first=2,
    ),
    Magic(
        key="0005",
        says="502 with an HTML page, not accepted",
        effect=Effect(refuse=Refusal(status=502, envelope=False)),
    ),
    Magic(key="0006", says="accepted, then the callback `failed` with code 131026", effect=Effect(fail=131026)),
    Magic(key="0007", says="delivered, never read", effect=Effect(until="delivered")),
    Magic(key="0008", says="accepted, the answer takes 5 s", effect=Effect(delay_answer=5)),
    Magic(
        key="0009",
        says="every callback three times, newest status first",
        effect=Effect(duplicate_callbacks=2, reorder_callbacks=True),
    ),
    Magic(key="0010", says="all callbacks come before the answer", effect=Effect(callbacks_first=True)),
    Magic(key="0011", says="accepted, then silence: no callback at all", effect=Effect(drop_callbacks=True)),
    Magic(key="0012", says="accepted, the answer breaks off half-way", effect=Effect(truncate_answer=True)),
    Magic(
        key="0013", says="accepted, the answer is 200 with a body that is not JSON", effect=Effect(garbage_answer=True)
    ),
    Magic(key="0014", says="connection closed without an answer, not accepted", effect=Effect(lose_request=True)),
    Magic(
        key="0015",
        says="502 with an HTML page, accepted nonetheless; callbacks follow",
        effect=Effect(refuse=Refusal(status=502, envelope=False, accepted=True)),
    ),
    Magic(
        key="0016",
        says="500 with the envelope of code 131016 once, accepted the second time, and again from the beginning",
        effect=Effect(refuse=Refusal(status=500, code=131016)),
        first=1,
    ),
    Magic(
        key="0017",
        says="accepted, then the callback `failed` with code 131047 (window closed)",
        effect=Effect(fail=131047),
    ),
    Magic(
        key="0018",
        says="accepted, then the callback `failed` with code 131026 that lacks our reference",
        effect=Effect(fail=131026, reference_on_failed=False),
    ),
    Magic(key="0019", says="read without a `delivered` before", effect=Effect(skip_delivered=True)),
    Magic(
        key="0020",
        says="delivered, read, then the first button is tapped, or `Thank you` is written where there is none",
        effect=Effect(reply="tap:0"),
    ),
    Magic(key="0021", says="delivered, read, then `STOP` is written", effect=Effect(reply="STOP")),
)

MAILBOXES = (
    Magic(key="refused", says="550 5.1.1 to RCPT", effect=Effect(smtp_recipient="550 5.1.1 No such user here")),
    Magic(key="full", says="452 4.2.2 to RCPT, every time", effect=Effect(smtp_recipient="452 4.2.2 Mailbox full")),
    Magic(
        key="greylist",
        says="451 4.7.1 to RCPT once, accepted the second time, and again from the beginning",
        effect=Effect(smtp_recipient="451 4.7.1 Greylisted, try again later"),
        first=1,
    ),
    Magic(key="busy", says="421 4.3.2 to RCPT, every time", effect=Effect(smtp_recipient="421 4.3.2 Too busy")),
    Magic(key="spam", says="554 5.7.1 after DATA", effect=Effect(smtp_data="554 5.7.1 Rejected as spam")),
    Magic(key="tempfail", says="451 4.3.0 after DATA", effect=Effect(smtp_data="451 4.3.0 Try again later")),
    Magic(key="bounce", says="accepted, then a bounce 5.1.1 to the return path", effect=Effect(bounce="5.1.1")),
    Magic(key="delayed", says="accepted, then a delay report 4.4.1 to the return path", effect=Effect(bounce="4.4.1")),
    Magic(key="slow", says="accepted, the 250 after DATA takes 5 s", effect=Effect(delay_answer=5)),
    Magic(
        key="drop",
        says="accepted, the connection is dropped after the final dot before the 250",
        effect=Effect(lose_answer=True),
    ),
    Magic(key="lost", says="connection dropped after the final dot, not accepted", effect=Effect(lose_request=True)),
)


def rules() -> list[Rule]:
    """Returns the magic recipients as ordinary rules, which come after those that were set."""
    numbers = [
        _rule(magic, Match(channel="whatsapp", recipient=f"*{magic.key}", first=magic.first)) for magic in NUMBERS
    ]
    mailboxes = [
        _rule(magic, Match(channel="email", recipient=pattern, first=magic.first))
        for magic in MAILBOXES
        for pattern in (f"{magic.key}@*", f"{magic.key}+*@*")
    ]
    return numbers + mailboxes


def _rule(magic: Magic, match: Match) -> Rule:
    return Rule(name=f"magic {magic.key}", match=match, effect=magic.effect)
