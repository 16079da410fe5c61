"""Plays of flows: what is skipped, what jumps and what is foretold are the same, down to the texts."""

import re
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from testing import skipping_server
from testing.flows import Flows
from testing.plugin import START
from testing.transcript import Transcript

ROOT = Path(__file__).parents[1]
FLOWS = ROOT / "examples" / "flows"
NINETY_DAYS_TOLD = Path(__file__).with_name("ninety_days.txt")
Stage = Callable[..., Flows]
MAIL = ("Hello", "Hello {{ event.type }}")
DUE, SOON = START + timedelta(days=40), START + timedelta(hours=5)
STARTS: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "order_placed": ("order.placed", {"customer": "asha", "order": "1042"}, ()),
    "appointment": (
        "appointment.booked", {"patient": "asha", "appointment": "7", "starts_at": SOON.isoformat()}, (),
    ),
    "dunning": ("invoice.sent", {"customer": "asha", "invoice": "12", "due_at": DUE.isoformat()}, ()),
    "one_time_password": ("login.requested", {"phone": "+919876543210", "login": "l1"}, ()),
    "escalation": ("machine.stopped", {"on_duty": "asha", "lead": "ravi", "machine": "m1"}, ("reply@20m",)),
}  # fmt: skip
NINETY_DAYS = """
name: ninety_days
on: policy.bought
to: { recipient: event.data.customer }
key: event.data.policy
stop_when: event:policy.cancelled
steps:
  - send: welcome
    channels: [whatsapp]
  - wait: 7d
  - send: welcome
    channels: [email]
  - wait: { next: "09:00", weekdays: [mon] }
  - send: welcome
    channels: [sms, email]
  - wait_for: reply
    timeout: 30d
    then: [{ send: welcome, channels: [whatsapp] }]
    on_timeout: [{ stop: silent }]
  - wait: 2w
  - send: welcome
    channels: [email]
  - repeat: [{ send: welcome, channels: [email] }]
    every: 1w
    most: 3
  - wait: { until: ends_at, offset: -1d, at: "10:00" }
  - send: welcome
    channels: [whatsapp]
"""
PLAYS = [*STARTS, "ninety_days"]
needs_skipping = pytest.mark.skipif(skipping_server.locate() is None, reason="needs Temporal's test server")


def play(flows: Flows, name: str) -> tuple[Transcript, Transcript]:
    """Plays a flow, and returns what was foretold and what came."""
    prepare(flows, name)
    foretold = flows.preview()
    return foretold, flows.run()


def prepare(flows: Flows, name: str) -> None:
    """Publishes a flow with all that it needs, starts a series of it and says what happens."""
    happens: tuple[str, ...]
    if name == "ninety_days":
        flow: Path | str = NINETY_DAYS
        ends_at = (START + timedelta(days=90)).isoformat()
        type_, data, happens = "policy.bought", {"customer": "asha", "policy": "p", "ends_at": ends_at}, ("reply@20d",)
    else:
        flow = FLOWS / f"{name}.yaml"
        type_, data, happens = STARTS[name]
    for who, phone in (("asha", "+919876543210"), ("ravi", "+919876543211")):
        flows.recipient(who, phone=phone, email=f"{who}@example.com", zone="Asia/Kolkata")
    text = flow if isinstance(flow, str) else flow.read_text("utf-8")
    for template in dict.fromkeys(re.findall(r"send: (\w+)", text)):
        flows.template(template, whatsapp="Hello {{ event.type }}", email=MAIL, sms="Hello {{ event.type }}")
    flows.publish(flow)
    flows.event(type_, **data)
    flows.script(*happens)


@needs_skipping
@pytest.mark.parametrize("name", PLAYS)
def test_what_is_skipped_what_jumps_and_what_is_foretold_are_the_same(carillon_stage: Stage, name: str) -> None:
    foretold, skipped = play(carillon_stage(stage="skipping"), name)
    _, jumped = play(carillon_stage(stage="jumping"), name)
    assert skipped == jumped
    assert skipped.without("whatsapp", "email", "sms", "unsent") == foretold
    assert len(skipped.only("sends")) > 0


@needs_skipping
def test_ninety_days_and_twelve_steps_take_moments(carillon_stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    flows = carillon_stage(zone="Asia/Kolkata", stage="skipping")
    prepare(flows, "ninety_days")
    began = time.perf_counter()
    transcript = flows.run()
    took = time.perf_counter() - began
    with capsys.disabled():
        print(f"\n90 days, {len(transcript.only('sends'))} messages: {took:.2f} s")  # noqa: T201 - it is measured, not judged
    assert transcript.texts == NINETY_DAYS_TOLD.read_text("utf-8").splitlines()
    assert {line.kind for line in transcript} >= {"whatsapp", "email", "sends", "waits", "ends"}
    assert transcript.lines[-1].at - transcript.lines[0].at > timedelta(days=88)


@needs_skipping
def test_a_message_falls_back_on_the_clock_of_the_play(carillon_stage: Stage) -> None:
    flows = carillon_stage(stage="skipping")
    flows.recipient("asha", phone="+919876543210", email="asha@example.com")
    flows.template("hello", whatsapp="Hello", email=MAIL)
    flows.publish("""
name: hasty
steps:
  - send: hello
    id: hasty
    fallback: { whatsapp: { success: delivered, within: PT2H } }
  - wait: 1d
""")
    flows.start("hasty", to="asha", event={"type": "x"})
    assert (
        flows.run().only("whatsapp", "email")
        == """
2040-06-04 04:30 whatsapp hasty to +919876543210: Hello
2040-06-04 06:30 email hasty to asha@example.com: Hello / Hello x
"""
    )


@needs_skipping
def test_a_fallback_that_comes_in_quiet_hours_waits_for_their_end(carillon_stage: Stage) -> None:
    flows = carillon_stage(stage="skipping")
    flows.recipient("asha", phone="+919876543210", email="asha@example.com")
    flows.template("hello", whatsapp="Hello", email=MAIL)
    flows.publish("""
name: hasty
quiet_hours: { from: "06:00", to: "20:00" }
steps:
  - send: hello
    id: hasty
    fallback: { whatsapp: { success: delivered, within: PT2H } }
  - wait: 1d
""")
    flows.start("hasty", to="asha", event={"type": "x"})
    assert (
        flows.run().only("whatsapp", "email")
        == """
2040-06-04 04:30 whatsapp hasty to +919876543210: Hello
2040-06-04 06:30 email hasty held: quiet_hours
2040-06-04 20:00 email hasty to asha@example.com: Hello / Hello x
"""
    )


@needs_skipping
def test_a_message_that_is_throttled_tries_again(carillon_stage: Stage) -> None:
    flows = carillon_stage(stage="skipping")
    flows.template("hello", whatsapp="Hello")
    flows.publish("{name: once, steps: [{send: hello, id: only}]}")
    flows.start("once", to={"phone": "+15550150004"})  # the sandbox throttles the first message to this number
    first, *_, last = flows.run().only("whatsapp")
    assert first.told.startswith("not_sent: ")
    assert last.told == "to +15550150004: Hello"
    assert last.at > first.at


@pytest.mark.parametrize("stage", [pytest.param("skipping", marks=needs_skipping), "jumping"])
def test_a_message_for_the_night_goes_out_in_the_morning(carillon_stage: Stage, stage: str) -> None:
    flows = carillon_stage(start=START + timedelta(hours=14), stage=stage)
    flows.recipient("asha", email="asha@example.com")
    flows.template("hello", email=MAIL)
    flows.publish("""
name: evening
quiet_hours: { from: "18:00", to: "08:00", mode: hold }
steps: [{ send: hello, id: held }]
""")
    flows.start("evening", to="asha", event={"type": "x"})
    (mail,) = flows.run().only("email")
    assert mail.at.isoformat() == "2040-06-05T08:00:00+00:00"


def test_a_play_stops_where_it_is_told_to(carillon_stage: Stage) -> None:
    flows = carillon_stage()
    flows.recipient("asha", email="asha@example.com")
    flows.template("hello", email=MAIL)
    flows.publish("{name: slow, steps: [{wait: 3d}, {send: hello, id: late}]}")
    made = flows.start("slow", to="asha", event={"type": "x"})
    assert flows.run(until=START + timedelta(days=2)) == ["2040-06-04 04:30 waits wait_1 until 2040-06-07 04:30"]
    assert flows.now == START + timedelta(days=2)
    flows.ask("POST", f"/v1/series/{made}/stop")
    assert [line.kind for line in flows.run()] == ["waits", "ends"]


def test_a_flow_that_is_wrong_is_refused_with_its_line(carillon_stage: Stage) -> None:
    with pytest.raises(ValueError, match="line 3"):
        carillon_stage().publish("name: wrong\nsteps:\n  - sned: hello\n")
