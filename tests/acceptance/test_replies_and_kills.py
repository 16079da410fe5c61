"""Replies that come before anybody waits for them, while workers are killed: every series takes the right branch.

`CARILLON_RACES=1000` makes it a thousand series.
"""

import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.acceptance.test_the_whole_way import Service
from tests.instance import running, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
COUNT = int(os.environ.get("CARILLON_RACES", "40"))
KILL_EVERY = max(COUNT // 3, 10)
FLOW = """
name: early
steps:
- {wait: 2s, id: a_while}
- wait_for: reply
  id: answer
  from: series_start
  timeout: 20m
  then: [{stop: answered}]
  on_timeout: [{stop: silent}]
"""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with running(workers=2) as instance:
        yield Service(instance)


def _kill_a_worker(service: Service) -> bool:
    pids = service.instance.pids()
    workers = [pid for name, pid in pids.items() if name.startswith("worker") and pid]
    if workers:
        os.kill(workers[0], signal.SIGKILL)
    return bool(workers)


def test_every_early_reply_is_heard_while_workers_die(service: Service) -> None:
    service.api.put("/v1/flows/early", json={"definition": FLOW}).raise_for_status()
    service.api.post("/v1/flows/early/publish", json={"version": 1}).raise_for_status()
    (number,) = service.sandbox.get("/_sandbox/numbers").json()["numbers"]
    kills = 0
    for one in range(COUNT):
        phone = f"+1555{2_000_000 + one}"
        body = {"flow": "early", "to": {"phone": phone}, "key": str(one)}
        service.api.post("/v1/series", json=body).raise_for_status()
        act = {"number": number["id"], "from": phone, "type": "text", "text": "Yes"}
        service.sandbox.post("/_sandbox/inbound", json=act).raise_for_status()
        if one % KILL_EVERY == KILL_EVERY - 1:
            kills += _kill_a_worker(service)

    def running_ones() -> int:
        asked = {"flow": "early", "status": "running", "limit": "1"}
        return len(service.api.get("/v1/series", params=asked).raise_for_status().json()["data"])

    until(lambda: not running_ones(), within=120 + COUNT)
    ended: Counter[str] = Counter()
    cursor: dict[str, str] = {}
    while True:
        page = service.api.get("/v1/series", params={"flow": "early", "limit": 100, **cursor}).json()
        ended.update(row["detail"] for row in page["data"])
        if not page.get("next_cursor"):
            break
        cursor = {"cursor": page["next_cursor"]}
    assert ended == {"answered": COUNT}
    assert kills >= 2
    sys.stdout.write(f"\n{COUNT} of {COUNT} series heard what came early; {kills} workers were killed\n")
