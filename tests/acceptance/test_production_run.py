"""The example of production runs, played over HTTP against the whole stack as a person would play it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.instance import running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
PLAY = Path(__file__).parents[2] / "examples" / "production_run" / "play.py"


def test_the_example_plays_to_its_end() -> None:
    with running() as instance:
        played = subprocess.run(
            [sys.executable, str(PLAY)],
            check=False,
            capture_output=True,
            text=True,
            cwd=PLAY.parents[2],
            env={**os.environ, **instance.places},
            timeout=200,
        )
    assert played.returncode == 0, played.stdout[-2000:] + played.stderr[-2000:]
    for said in (
        "reads   Photo 1 of PR-",
        "is complete: 118 pieces, 2 scrap. Thank you.",
        "रद्द हुआ: no material।",
        "अब अस्वीकार नहीं हो सकता: it is started.",
        "Everything about PR-",
        "reply.received",
    ):
        assert said in played.stdout, said
