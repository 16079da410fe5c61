"""Short stories in which one mistake or another comes to light: who asks for what, and what goes wrong just then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chaos import fates
from tests.chaos.fates import EMAIL, WHATSAPP
from tests.chaos.schedule import Ask

# Fates that only these stories know; the two digits stand in the recipient's number, as in `fates`.
_OWN: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "80": [{"effect": {"until": "sent"}}],
    "81": [{"effect": {"drop_callbacks": True}}],
    "82": [{"effect": {"refuse": {"status": 400, "code": 131026}, "garbage_answer": True}}],
    "83": [
        {
            "first": 1,
            "effect": {"refuse": {"status": 502, "envelope": False, "accepted": True}, "drop_callbacks": True},
        },
        {"effect": {"refuse": {"status": 400, "code": 131026}}},
    ],
    "84": [{"first": 1, "effect": {"refuse": {"status": 429, "code": 131056, "retry_after": 5}}}],
    "85": [{"effect": {"reorder_callbacks": True}}],
    "86": [{"effect": {"duplicate_callbacks": 3}}],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One story.

    Attributes:
        tells: What happens in it.
        asks: The fields of each notification that is asked for; `fate` stands for its recipient.
        armed: Crash points, by the part that is to die at them.
        stops: They only stop there, until everything was cancelled that is to be.
        loses_memory: PostgreSQL is killed once everything was answered, with what it had not written yet.
        patience: Seconds, once all parts are there again, after which whatever still moves never comes to rest.
        bugs: The planted bugs that it brings to light.
    """

    name: str
    tells: str
    asks: Sequence[Mapping[str, Any]]
    bugs: tuple[str, ...]
    armed: Mapping[str, str] = field(default_factory=dict)
    stops: bool = False
    loses_memory: bool = False
    patience: float = 8.0


_DUPLICATE = {"on_unknown": "prefer_duplicate"}
_BOTH = {"channels": (WHATSAPP, EMAIL), "known": True}

SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        name="the worker dies after the provider took a message",
        tells="Nobody recorded it, no receipt comes, and the workflow task is given to a worker again.",
        asks=[{"fate": "81"}],
        armed={"worker": "after_accept_before_record"},
        bugs=("found-sending-is-sent-again", "send-then-record", "claim-takes-the-next-number", "attempt-key-dropped"),
    ),
    Scenario(
        name="the worker dies with leased rows",
        tells="No workflow was started, and the lease runs out.",
        asks=[{}],
        armed={"worker": "after_lease"},
        bugs=("done-before-the-start",),
        patience=14,
    ),
    Scenario(
        name="the API dies before it commits a notification",
        tells="The caller repeats what was not answered.",
        asks=[{}],
        armed={"api": "before_accept_commit"},
        bugs=("acknowledge-before-commit",),
    ),
    Scenario(
        name="the API dies after it committed a notification",
        tells="The caller repeats what was not answered, under the same key.",
        asks=[{}],
        armed={"api": "after_accept_commit"},
        bugs=("start-in-a-second-transaction", "idempotency-key-dropped"),
    ),
    Scenario(
        name="the API dies before it commits a callback",
        tells="It is the only callback of its message; the provider repeats what was not taken.",
        asks=[{"fate": "80"}],
        armed={"api": "before_callback_commit"},
        bugs=("webhook-answered-before-commit",),
    ),
    Scenario(
        name="answers are lost, and no receipt comes",
        tells="One may be repeated, one may not, and one has a second channel that nobody let it go on to.",
        asks=[{"fate": "22"}, {"fate": "22", **_DUPLICATE}, {"fate": "22", **_BOTH}],
        bugs=(
            "transport-retries",
            "unknown-counts-as-not-sent",
            "unknown-counts-as-refused",
            "possible-duplicate-not-flagged",
            "doubt-falls-back",
        ),
    ),
    Scenario(
        name="a lost answer, then a refusal",
        tells="The first attempt was accepted and stays in doubt, the second one is refused for good.",
        asks=[{"fate": "83", **_DUPLICATE}],
        bugs=("last-attempt-decides",),
    ),
    Scenario(
        name="an answer that nobody can read",
        tells="Its status is 200, its body is garbage, and nothing was accepted.",
        asks=[{"fate": "82"}],
        bugs=("unreadable-answer-is-acceptance",),
    ),
    Scenario(
        name="a failure is told before the answer, without our reference",
        tells="Nobody can know yet what it speaks of.",
        asks=[{"fate": "23"}],
        bugs=("sweeper-off",),
    ),
    Scenario(
        name="callbacks come in the wrong order, repeated, and at other tenants",
        tells="And every tenant asks for what belongs to another.",
        asks=[{"fate": "85"}, {"fate": "86"}, {"fate": "21"}],
        bugs=(
            "status-overwritten",
            "late-receipts-ignored",
            "callbacks-applied-again",
            "receipts-matched-across-tenants",
            "cached-without-the-tenant",
        ),
    ),
    Scenario(
        name="somebody cancels while the claim is being committed",
        tells="Whoever comes second has to see the first.",
        asks=[{"cancel_after": 0.0}],
        armed={"worker": "before_claim_commit"},
        stops=True,
        bugs=("cancel-without-the-lock",),
    ),
    Scenario(
        name="somebody cancels between the plan and the claim",
        tells="The workflow does not know it yet.",
        asks=[{"cancel_after": 0.0}],
        armed={"worker": "after_resolve"},
        stops=True,
        bugs=("cancel-not-looked-at-again",),
    ),
    Scenario(
        name="it expires while the provider asks for patience",
        tells="The next attempt would come seconds after anybody wants it.",
        asks=[{"fate": "84", "expires_in": 2.0}],
        bugs=("expiry-ignored",),
    ),
    Scenario(
        name="PostgreSQL dies with what it had not written yet",
        tells="Everything was answered before; its log writer is as lazy as it may be.",
        asks=[{} for _ in range(6)],
        loses_memory=True,
        bugs=("synchronous-commit-off",),
    ),
)


def asks_of(scenario: Scenario, tenant: int) -> list[Ask]:
    """Returns what is asked for in a scenario, of the tenant at a place."""
    return [_ask(dict(fields), tenant, number * 3) for number, fields in enumerate(scenario.asks)]


def _ask(fields: dict[str, Any], tenant: int, number: int) -> Ask:
    phone = fates.phone(fields.pop("fate", fates.ORDINARY), tenant, number)
    mailbox = fates.mailbox(fates.ORDINARY, tenant, number)
    return Ask(number=number, at=0.0, tenant=0, phone=phone, mailbox=mailbox, **{"channels": (WHATSAPP,), **fields})


def behaviour() -> dict[str, Any]:
    """Returns what the sandbox is told: the rules of campaigns, and those of these stories."""
    told = fates.behaviour(0)
    own = [_rule(code, rule) for code, rules in _OWN.items() for rule in rules]
    return {**told, "rules": [*own, *told["rules"]]}


def _rule(code: str, rule: Mapping[str, Any]) -> dict[str, Any]:
    first = {"first": rule["first"]} if "first" in rule else {}
    match = {"channel": WHATSAPP, "recipient": f"9198{code}*", **first}
    return {"name": f"scenario-{code}", "match": match, "effect": rule["effect"]}
