"""What was recorded becomes evidence: calls and journals by hand, and what makes a campaign prove nothing."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import fates, reading, table
from tests.chaos.__main__ import parsed, plan_of
from tests.chaos.campaign import Kind, Plan, Report, Verdict, Violation, judged
from tests.chaos.evidence import Evidence
from tests.chaos.recorder import Recorder, read
from tests.chaos.schedule import Ask
from tests.chaos.tenants import Tenant

TENANTS = [
    Tenant(place=place, id=f"t-{place}", key="secret", number=f"1{place}", domain=f"bounces-{place}.example")
    for place in range(2)
]
REFERENCE = "ab" * 16
AT = datetime(2026, 11, 21, 12, tzinfo=UTC).isoformat()


def ask(number: int, fate: str = fates.ORDINARY, **more: Any) -> Ask:
    facts: dict[str, Any] = {"at": 0.0, "tenant": 0, "channels": ("whatsapp",)}
    addresses = {"phone": fates.phone(fate, 0, number), "mailbox": fates.mailbox(fate, 0, number)}
    return Ask(number=number, **{**facts, **addresses, **more})


def call(what: str, **facts: Any) -> dict[str, Any]:
    return {"what": what, "tenant": "t-0", "noted_at": AT, **facts}


def problem(status: int, kind: str) -> dict[str, Any]:
    return {"status": status, "answer": {"type": f"urn:carillon:problem:{kind}"}}


def test_what_was_answered_is_held_by_key() -> None:
    calls = [
        call("send", key="ask-0000", error="ReadTimeout"),
        call("send", key="ask-0000", status=202, answer={"id": "n-0"}),
        call("send", key="ask-0000", status=202, answer={"id": "n-0"}),
        call("send", key="ask-0000", other=True, **problem(422, "idempotency-mismatch")),
        call("send", key="ask-0001", **problem(409, "cancelled-before-start")),
        call("send", key="ask-0002", **problem(422, "validation-failed")),
        call("send", key="ask-0003", status=503, answer="<html>"),
        call(
            "bulk",
            keys=["ask-0004", "ask-0005"],
            status=200,
            answer={
                "results": [
                    {"id": "n-4"},
                    {"id": None, "problem": {"status": 409, "type": "urn:carillon:problem:cancelled-before-start"}},
                ]
            },
        ),
        call("cancel", key="ask-0004", status=200, answer={"result": "stopped"}),
        call("cancel", key="ask-0000", status=200, answer={"result": "too_late"}),
    ]
    found = {asked.key: asked for asked in reading.asked_of([ask(number) for number in range(6)], TENANTS, calls)}
    assert {key: asked.ids for key, asked in found.items() if asked.ids} == {"ask-0000": {"n-0"}, "ask-0004": {"n-4"}}
    assert {key for key, asked in found.items() if asked.promised_at} == {"ask-0000", "ask-0004"}
    assert {key for key, asked in found.items() if asked.buried} == {"ask-0001", "ask-0005"}
    assert {key: asked.refused for key, asked in found.items() if asked.refused} == {
        "ask-0002": "422 validation-failed"
    }
    assert {key for key, asked in found.items() if asked.stopped} == {"ask-0004"}


def accepted(**more: Any) -> dict[str, Any]:
    body = {"template": {"components": [{"type": "body", "parameters": [{"text": "ask-0000"}, {"text": "tenant-0"}]}]}}
    facts = {"seq": 1, "at": AT, "provider": "meta", "kind": "accepted", "id": "wamid.1", "reference": REFERENCE}
    return {**facts, "to": "919800000000", "from": "10", "body": body, "effects": {}, **more}


def mail(**more: Any) -> dict[str, Any]:
    facts = {"provider": "smtp", "to": fates.mailbox("14", 0, 0), "from": f"b+{REFERENCE}.x@bounces-0.example"}
    return accepted(**facts, subject="Order ask-0000 of tenant-0", body={"text": ""}, **more)


def test_what_the_providers_took_names_tenant_content_and_fate() -> None:
    late_failure = accepted(to="919814000000", effects={"fail": 131026})
    found = reading.acceptances_of([accepted(), late_failure, mail(), accepted(kind="refused")], TENANTS)
    assert [(one.tenant, one.channel, one.order, one.named, one.fails) for one in found] == [
        ("t-0", "whatsapp", "ask-0000", "tenant-0", False),
        ("t-0", "whatsapp", "ask-0000", "tenant-0", True),
        ("t-0", "email", "ask-0000", "tenant-0", True),
    ]
    stranger = reading.acceptances_of([accepted(**{"from": "19"})], TENANTS)
    assert [one.tenant for one in stranger] == [""]


def test_only_receipts_that_we_took_were_told() -> None:
    def callback(**more: Any) -> dict[str, Any]:
        facts = {"kind": "callback", "update": "status", "status": "sent", "outcome": "taken"}
        return accepted(**{**facts, **more})

    journal = [
        callback(),
        callback(),
        callback(status="read", outcome="unreachable"),
        callback(status="failed", to="919815000000", id="wamid.2"),
        callback(update="misdirected", astray="11"),
        callback(update="inbound"),
    ]
    bounce = call("bounce", to=f"b+{REFERENCE}.x@bounces-0.example", status=200)
    refused = {**bounce, "status": 401, "to": f"b+{'cd' * 16}.x@bounces-0.example"}
    told = reading.told_of(journal, [bounce, refused], TENANTS)
    assert [(one.tenant, one.status, one.astray, one.names_us) for one in told] == [
        ("t-0", "sent", False, True),
        ("t-0", "failed", False, False),
        ("t-1", "sent", True, True),
        ("t-0", "bounced", False, True),
    ]


def test_fates_count_where_they_had_an_effect() -> None:
    treated = accepted(to="919801000000", effects={"lose_answer": True})
    spared = accepted(to="919801000000", effects={})
    dropped = accepted(kind="dropped", to="919810000000")
    assert reading.fates_met([treated, spared, dropped, accepted(), mail(effects={"bounce": "5.1.1"})]) == {
        "answers-lost": 1,
        "requests-lost": 1,
        "late-failures": 1,
    }


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("lines", "trusted"),
    [
        (['{"seq":1}', '{"seq":2}'], True),
        (['{"seq":1}', '{"seq":2,"to', '{"seq":2}'], True),
        (['{"seq":1}', '{"seq":3}'], False),
        (['{"seq":1}', '{"seq":1}'], False),
    ],
    ids=["whole", "a line that its writer died over", "a gap", "a number twice"],
)
def test_a_journal_is_trusted_as_far_as_its_numbers_go(tmp_path: Path, lines: list[str], trusted: bool) -> None:  # noqa: FBT001 - a parameter of the table
    entries, doubts = reading.journal_of(written(tmp_path / "journal.jsonl", *lines))
    assert (len(entries), doubts == []) == (2, trusted)


def test_a_journal_that_is_not_there_is_no_journal(tmp_path: Path) -> None:
    assert reading.journal_of(tmp_path / "journal.jsonl")[1] != []


def test_what_is_recorded_is_read_again_in_its_order(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "calls.jsonl")
    recorder.note("read", tenant="t-0", id="n", status=200, seen="sent")
    recorder.note("pry", tenant="t-1", owner="t-0", id="n", status=404)
    recorder.note("pry", tenant="t-1", owner="t-0", id="n", status=None)
    recorder.close()
    entries = read(tmp_path / "calls.jsonl")
    assert [entry["number"] for entry in entries] == [1, 2, 3]
    seen, pried = reading.seen_of(entries)
    assert ([one.status for one in seen], [one.status for one in pried]) == (["sent"], [404])


def evidence(**more: Any) -> Evidence:
    calls = [call("send", key="ask-0000", status=202, answer={"id": "n-0"})]
    facts = {"asked": reading.asked_of([ask(0)], TENANTS, calls), "tenants": {"t-0": "tenant-0"}}
    return Evidence(**{**facts, "acceptances": reading.acceptances_of([accepted()], TENANTS), **more})


@pytest.mark.parametrize(
    ("seen", "happened", "doubt"),
    [
        (Evidence(), {"kill-api": 1}, "there was no traffic"),
        (evidence(acceptances=()), {"kill-api": 1}, "there was no traffic"),
        (evidence(), {}, "no fault happened"),
        (evidence(doubts=("the provider's journal has gaps",)), {"kill-api": 1}, "the provider's journal has gaps"),
        (evidence(doubts=("the database cannot be read",)), {"kill-api": 1}, "the database cannot be read"),
        (
            evidence(
                asked=reading.asked_of(
                    [ask(0), ask(1)], TENANTS, [call("send", key="ask-0001", **problem(401, "unauthenticated"))]
                )
            ),
            {"kill-api": 1},
            "1 requests were refused, the first with 401 unauthenticated",
        ),
    ],
    ids=["no request", "no message", "no fault", "no truth", "no database", "refused requests"],
)
def test_a_campaign_that_proves_nothing_says_so(seen: Evidence, happened: dict[str, int], doubt: str) -> None:
    report = judged(Plan(seed=3), seen, happened=happened, not_run={}, doubts=[])
    assert doubt in report.doubts
    assert report.verdict is not Verdict.VALID
    assert f"seed 3: in doubt: {doubt}" in table.complaints(report)


def test_nothing_to_find_without_a_database_is_unknown_and_not_invalid() -> None:
    seen = evidence(doubts=("the database cannot be read",))
    assert judged(Plan(seed=3), seen, happened={"kill-api": 1}, not_run={}, doubts=[]).verdict is Verdict.UNKNOWN


def test_a_report_says_how_to_see_it_again(tmp_path: Path) -> None:
    report = judged(Plan(seed=3, records=tmp_path), evidence(), happened={"kill-api": 1}, not_run={}, doubts=[])
    assert report.verdict is Verdict.INVALID  # the promise has no row
    lines = table.complaints(report)
    assert all(line.startswith("seed 3: ") for line in lines)
    assert lines[-1].endswith("python -m tests.chaos --seed 3 --seconds 30 --rate 10")


def test_the_command_of_a_plan_is_read_as_that_plan() -> None:
    plan = Plan(seed=4, seconds=9, rate=2.5, faults=("kill-api", "answers-lost"), planted="sweeper-off")
    arguments = plan.command.removeprefix("python -m tests.chaos ").split()
    assert plan_of(parsed(arguments), 4) == plan


def test_many_violations_of_one_kind_are_counted_and_not_listed() -> None:
    violations = tuple(Violation(kind=Kind.LOST, subject=str(place), detail="gone") for place in range(20))
    lines = table.complaints(Report(seed=3, violations=violations, again="…"))
    assert len(lines) == 10
    assert lines[-2] == "seed 3: lost: and 12 more"
