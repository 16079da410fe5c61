"""Flows and states as documents: what is written today is read the same later; the form is a contract."""

from datetime import timedelta

import pytest

from api.flow_files import read
from db.flow_json import flow_document, flow_of, state_document, state_of
from db.json import decode, encode, plain
from domain.flow_state import Rounds
from domain.flow_steps import Flow
from tests.domain.flow_play import START, state

EVERYTHING = """
name: everything
on: [order.placed, invoice.*]
to: {recipient: event.data.customer}
key: event.data.order
match: event.data.total > 10
again: replace
quiet_hours: {from: "22:00", to: "08:00", days: [sat, sun], mode: hold, spread: 30m, holidays: india}
stop_when: [event:order.paid, reply]
stop_if: data.done == true
steps:
- send: hello
  channels: [whatsapp, email]
  data: {name: recipient.name}
  critical: true
  fallback: {whatsapp: {within: PT10M}}
- {wait: {until: due_at, offset: -P1D, at: "09:00"}, past: skip}
- {wait: {until: "2026-06-01T09:00+05:30"}}
- {wait: {next: "10:30", weekdays: [mon, tue], holidays: india}}
- {wait: P1M2DT1H30M}
- wait_for: [reply, "tap:yes*"]
  timeout: P2D
  from: series_start
  then: [{stop: done}]
  on_timeout:
  - branch: [{when: data.total > 10, steps: [{update: {vip: "true"}}]}]
    otherwise: [{throttle: 3, per: P1D}, {call: "https://example.com/x", data: {a: data.total}}]
- confirm: confirm_news
  topic: news
  channel: whatsapp
  channels: [email]
  data: {name: recipient.name}
  timeout: 2d
  then: [{send: welcome}]
  on_denied: [{stop: denied}]
  on_timeout: [{stop: silent}]
- {repeat: [{send: again}], every: P1M, at: "09:00", until: data.done == true, most: 3}
- {digest: comment.*, window: PT5M, most: 50}
"""


@pytest.fixture
def flow() -> Flow:
    found, wrong = read(EVERYTHING)
    assert found is not None, wrong
    return found


def test_a_flow_is_read_as_it_was_written(flow: Flow) -> None:
    assert flow_of(decode(encode(flow_document(flow)))) == flow


def test_the_form_of_a_document_stays(flow: Flow) -> None:
    document = decode(encode(flow_document(flow)))
    assert document["interpreter"] == 1
    assert (document["again"], document["to"]) == ("replace", ["recipient", "event.data.customer"])
    assert document["quiet"] == {
        "hours": {"start": "22:00:00", "end": "08:00:00", "weekdays": [5, 6]}, "mode": "hold",
        "spread": 1800.0, "holidays": "india",
    }  # fmt: skip
    assert [step["do"] for step in document["steps"]] == [
        "send", "wait", "wait", "wait", "wait", "wait_for", "confirm", "repeat", "digest",
    ]  # fmt: skip
    assert document["steps"][1]["moment"] == {
        "when": "until", "instant": None, "anchor": "due_at", "at": "09:00:00",
        "offset": {"months": 0, "days": -1, "exact": 0.0},
    }  # fmt: skip
    assert document["steps"][3]["moment"] == {
        "when": "next_local", "at": "10:30:00", "weekdays": [0, 1], "holidays": "india",
    }  # fmt: skip
    asked = {name: value for name, value in document["steps"][6].items() if not name.startswith(("then", "on_"))}
    assert asked == {
        "do": "confirm", "id": "confirm_1", "template": "confirm_news", "topic": "news", "channel": "whatsapp",
        "channels": ["email"], "data": {"name": "recipient.name"}, "timeout": {"months": 0, "days": 2, "exact": 0.0},
    }  # fmt: skip
    assert document["steps"][5]["then"] == [{"do": "stop", "id": "stop_1", "reason": "done"}]


def test_a_state_is_read_as_it_was_written() -> None:
    found = state(
        place=3,
        entered_at=START + timedelta(hours=1),
        entered_mark=2,
        send_mark=1,
        outcomes={"answer": {"data": {"total": 1.5, "list": [1, "two", None]}}},
        rounds={"again": Rounds(first_at=START, count=1, number=2)},
        answered=(1, 4),
        digested={"all": 3},
    )
    document = plain(decode(encode(state_document(found))))
    elsewhere = {name: getattr(found, name) for name in ("started_at", "zone", "place", "anchors", "facts", "heard")}
    assert state_of(document, **elsewhere) == found


def test_a_state_of_an_older_version_has_what_is_new_as_at_the_beginning() -> None:
    assert state_of({"entered_at": START.isoformat()}, started_at=START, zone="Asia/Kolkata") == state()
