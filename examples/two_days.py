"""Plays two days of a reminder series in a moment: the product's own workflows and providers on a clock that jumps.

Run it anywhere; it brings its own database, Temporal and stand-ins: `.venv/bin/python examples/two_days.py`
"""

import logging
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import structlog

sys.path.insert(0, str(Path(__file__).parents[1]))  # a script finds the checkout, wherever it is called from

from testing.loop import LoopThread
from testing.opening import opened_play
from testing.servers import Servers

START = datetime(2040, 6, 4, 4, 30, tzinfo=UTC)  # ten in the morning in Kolkata
FLOW = """
name: order_reminder
on: order.placed
to: { recipient: event.data.customer }
key: event.data.order
stop_when: event:order.paid
quiet_hours: { from: "21:00", to: "09:00" }
steps:
  - send: order_placed
    id: placed
  - wait: 12h
    id: half_a_day
  - send: order_unpaid
    id: reminder
  - wait_for: reply
    id: answer
    timeout: 1d
    then: [{ send: thanks, id: thanks }]
    on_timeout: [{ send: last_call, id: last }]
"""


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    loop = LoopThread()
    with tempfile.TemporaryDirectory(prefix="carillon-two-days-", ignore_cleanup_errors=True) as name:
        place = Path(name)
        place.chmod(0o755)  # the database's user has to pass
        servers = Servers(place)
        try:
            with opened_play(loop, servers, start=START, zone="Asia/Kolkata", stage="jumping") as flows:
                for template, text in (
                    ("order_placed", "Thank you, {{ name }}: order {{ order }} is placed."),
                    ("order_unpaid", "Order {{ order }} is not paid yet."),
                    ("thanks", "Thank you, {{ name }}."),
                    ("last_call", "We keep order {{ order }} until tonight."),
                ):
                    flows.template(template, whatsapp=text)
                flows.recipient("asha", phone="+919876543210", zone="Asia/Kolkata")
                flows.publish(FLOW)
                flows.event("order.placed", order="1042", customer="asha", name="Asha")
                for line in flows.run().texts:
                    print(f"  {line}")
        finally:
            loop.run(servers.close())
    loop.close()


if __name__ == "__main__":
    main()
