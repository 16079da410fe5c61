"""Plays of flows that ask for consent."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from testing import skipping_server
from testing.flows import Flows
from testing.plugin import START

needs_skipping = pytest.mark.skipif(skipping_server.locate() is None, reason="needs Temporal's test server")

WELCOME = """
name: welcome
steps:
  - confirm: ask
    topic: news
    channels: [email]
    timeout: 2d
    then: [{ send: hello, channels: [email] }]
    on_timeout: [{ stop: silent }]
"""


def prepared(flows: Flows) -> Flows:
    flows.ask("PUT", "/v1/topics/news", {"default": "opted_out"})
    flows.template("ask", email=("Yes?", "Confirm: {{ confirm_url }}"))
    flows.template("hello", email=("Hi", "Welcome"))
    flows.recipient("asha", email="asha@example.com")
    flows.publish(WELCOME)
    flows.start("welcome", to="asha")
    return flows


@pytest.mark.parametrize("stage", [pytest.param("skipping", marks=needs_skipping), "jumping"])
def test_who_confirms_is_welcomed_as_foretold(carillon_stage: Callable[..., Flows], stage: str) -> None:
    flows = prepared(carillon_stage(stage=stage))
    flows.script("event:consent.confirmed@5h")
    foretold, came = flows.preview(), flows.run()
    assert came.without("email", "unsent") == foretold
    assert [line.told for line in came.only("sends")] == ["ask", "hello"]
    asked, welcomed = came.only("email")
    assert "Confirm: http" in asked.told
    assert welcomed.at == START + timedelta(hours=5)


def test_who_says_nothing_is_left_alone(carillon_stage: Callable[..., Flows]) -> None:
    came = prepared(carillon_stage(stage="jumping")).run()
    assert [line.told for line in came.only("sends")] == ["ask"]
    assert [line.told for line in came.only("ends")] == ["stop_step: silent"]
