"""Flow files: what they say, and where the line is that is wrong."""

import json
from datetime import time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.flow_files import DEEPEST, LARGEST, listed, read
from domain import flow_steps as steps
from domain.durations import Span
from domain.recipients import Channel

WHOLE = """
name: payment-reminder
title: Reminds of invoices
on: [invoice.created, invoice.changed*]
match: data.amount > 0
key: event.data.id
steps:
  - send: invoice_reminder
    id: first
    channels: [whatsapp, email]
    fallback: { whatsapp: { within: 300 } }
    data: { amount: data.amount }
  - wait: 3d
  - wait: { until: due_at, offset: -3d, at: 09:00 }
    past: skip
  - wait: { next: 10:30, weekdays: [mon, tue] }
  - wait: { until: 2026-06-01T09:00:00+05:30 }
  - wait_for: [reply, "tap:accept", "event:order.*"]
    timeout: P1M
    from: series_start
    then: [{ send: thanks }]
    on_timeout:
      - send: again
  - branch:
      - when: data.kind == 'a'
        steps: [{ stop: done }]
    otherwise: [{ stop: true }]
  - repeat: [{ send: again }]
    every: 1d
    at: 09:00
    until: heard.exists(h, h.kind == 'reply')
    most: 10
  - digest: order.*
    window: 1h
  - throttle: 3
    per: 1d
  - call: https://example.com/x
    data: { id: event.data.id }
  - update: { language: "'hi'" }
stop_when: reply
stop_if: data.amount == 0
to: {recipient: event.data.customer}
"""


def wrong(text: str) -> list[str]:
    return listed(read(text)[1], "f")


def test_every_kind_of_step_is_read() -> None:
    flow, misprints = read(WHOLE)
    assert misprints == ()
    assert flow is not None
    assert [type(step).__name__ for step in flow.steps] == [
        "Send", "Wait", "Wait", "Wait", "Wait", "WaitFor", "Branch", "Repeat", "Digest", "Throttle", "Call", "Update",
    ]  # fmt: skip
    assert (flow.on, flow.stop_when) == (("invoice.created", "invoice.changed*"), (steps.Awaited(kind="reply"),))
    send, for_days, until, local = flow.steps[:4]
    assert send == steps.Send(
        id="first",
        template="invoice_reminder",
        channels=(Channel.WHATSAPP, Channel.EMAIL),
        fallback={"whatsapp": {"within": 300.0}},
        data={"amount": "data.amount"},
    )
    assert for_days == steps.Wait(id="wait_1", moment=steps.For(span=Span(days=3)))
    due = steps.Until(anchor="due_at", offset=Span(days=-3), at=time(9))
    assert until == steps.Wait(id="wait_2", moment=due, past=steps.Past.SKIP)
    assert local == steps.Wait(id="wait_3", moment=steps.NextLocal(at=time(10, 30), weekdays=frozenset({0, 1})))


def test_steps_without_a_name_get_one_in_the_order_of_the_file() -> None:
    flow, _ = read(WHOLE)
    assert flow is not None
    answer = flow.steps[5]
    assert isinstance(answer, steps.WaitFor)
    assert [step.id for step in (*answer.then, *answer.on_timeout)] == ["send_1", "send_2"]
    assert answer.timeout == Span(months=1, exact=timedelta(0))


def test_json_is_read_as_well() -> None:
    said = {"name": "a", "on": ["x"], "to": {"phone": "event.data.phone"}, "steps": [{"send": "hello"}, {"wait": "1d"}]}
    assert read(json.dumps(said)) == read(
        "name: a\non: x\nto: {phone: event.data.phone}\nsteps:\n - send: hello\n - wait: 1d\n"
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("wait: 3d", "wait: 3 days", "f:13:5: /steps/1/wait: '3 days' is no length of time"),
        ("data.kind", "dat.kind", "f:25:9: /steps/6/branch/0/when: nothing is called 'dat' here"),
        ("every: 1d", "every: 30s", "f:28:5: /steps/7: `every` is at least one minute"),
        ("throttle: 3", "throtle: 3", "f:35:5: /steps/9: a step has one of send, wait"),
        ("id: first", "idd: first", "f:9:5: /steps/0/idd: there is no such member here"),
        ("send: thanks", "send: thanks, chanels: []", "f:21:28: /steps/5/then/0/chanels: there is no such member"),
        ("    most: 10\n", "", "f:28:5: /steps/7/most: this is missing"),
        ("timeout: P1M\n", "\n", "f:18:5: /steps/5/timeout: `on_timeout` needs a `timeout`"),
        ("send: again\n  - b", "send: again\n    id: first\n  - b", "another step is called 'first' already"),
        ("at: 09:00 }", "at: 9:00 }", "f:14:41: /steps/2/wait/at: "),
        ("every: 1d\n    at", "every: 12h\n    at", "`at` needs a `rule`, or an `every` of whole days"),
        ("every: 1d\n    at", "every: 1d\n    rule: FREQ=DAILY\n    at", "write `every` or `rule`, not both"),
        ("every: 1d\n    at", "rule: FREQ=HOURLY\n    at", "a rule has FREQ=DAILY"),
        ("every: 1d\n    at: 09:00", "id: often", "rounds begin with a `wait_for`"),
        ("2026-06-01T09:00:00+05:30", "20260601", "f:17:13: /steps/4/wait/until: input should be a valid string"),
        ("2026-06-01T09:00:00+05:30", "9999-12-31T23:59:00-05:30", "f:17:13: /steps/4/wait/until: this is no moment"),
        ("2026-06-01T09:00:00+05:30", "2026-13-01T09:00:00+05:30", "f:17:13: /steps/4/wait/until: this is no moment"),
        ("stop: true", "stop: 1", "/steps/6/otherwise/0/stop: "),
        ("title:", "name:", "f:3:1: /name: 'name' stands twice here"),
        ("tap:accept", "taps:accept", "f:18:"),
        ("on: [invoice", "on: [ invoice.*.x, invoice", "f:4:"),
        ("stop_if: data.amount == 0", "stop_if: data.amount =", ": /stop_if: line 1, column"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(old: str, new: str, expected: str) -> None:
    assert old in WHOLE
    found = wrong(WHOLE.replace(old, new))
    assert any(expected in line for line in found), found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "f:1:1: the file: this must be a mapping"),
        ("[1", "f:1:3: the file: expected ',' or ']'"),
        ("a: &x [1]\nb: *x", "f:1:4: the file: anchors are not read"),
        ("a: !!python/object:os.system x", "f:1:4: the file: "),
        ("a" * (LARGEST + 1), "larger than 256 KiB"),
        ("[" * (DEEPEST + 10) + "]" * (DEEPEST + 10), "nested too deeply"),
        ("name: a\nsteps: []\n---\nname: b", "f:3:1: the file: "),
        ("? [a, b]\n: c", "f:1:3: "),
        ("name: !!int abc", "f:1:7: the file: tags are not read"),
        ('stop: "\\UFFFFFFFF"', "f:1:1: the file: "),
        ("name: a\nsteps:\n - send: \x01", "f:3:1: the file: no text has such a character"),
    ],
    ids=[
        "nothing",
        "no YAML",
        "anchors",
        "tags",
        "too large",
        "too deep",
        "two documents",
        "a list as a key",
        "a number by force",
        "a character that there is not",
        "a control character",
    ],
)
def test_what_is_no_flow_at_all_is_said_to_be_none(text: str, expected: str) -> None:
    assert any(expected in line for line in wrong(text)), wrong(text)


@given(st.text(max_size=200))
def test_no_text_brings_it_down(text: str) -> None:
    flow, misprints = read(text)
    assert (flow is None) == bool(misprints)


def test_several_mistakes_come_in_the_order_of_the_file() -> None:
    lines = wrong(WHOLE.replace("3d", "x").replace("1h", "y").replace("P1M", "z"))
    numbers = [int(line.split(":")[1]) for line in lines]
    assert len(numbers) >= 3
    assert numbers == sorted(numbers)


def test_json_may_have_what_yaml_does_not_read() -> None:
    said = '{\n\t"name": "a", "title": "\\u20ac", "steps": [{"send": "hello"}]\n}'
    flow, misprints = read(said)
    assert misprints == ()
    assert flow is not None
    assert wrong(said.replace("send", "sendd"))[0].startswith("f:1:1: /steps/0: a step has one of")


def test_a_name_that_somebody_gave_is_not_made_again() -> None:
    flow, misprints = read("name: a\nsteps:\n - send: x\n - send: y\n   id: send_1\n")
    assert misprints == ()
    assert flow is not None
    assert [step.id for step in flow.steps] == ["send_2", "send_1"]


def test_a_flow_has_so_many_steps_at_most() -> None:
    few = {"branch": [{"when": "true", "steps": [{"send": "x"}] * 60}] * 9}
    assert "the flow has 541 steps; 500 are possible" in wrong(json.dumps({"name": "a", "steps": [few]}))[0]
