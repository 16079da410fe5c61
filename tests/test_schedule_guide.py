"""The schedules of the guide are taken as they stand there."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from api.schedule_models import ScheduleBody

GUIDE = (Path(__file__).parents[1] / "docs" / "how-to" / "schedules.md").read_text("utf-8")
SCHEDULES: dict[str, Any] = {
    found["name"]: found for found in map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL))
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_of_the_guide_is_one(name: str) -> None:
    body = TypeAdapter(ScheduleBody).validate_python(SCHEDULES[name])
    assert body.new().name == name


def test_the_guide_shows_each_action() -> None:
    kinds = {tuple(sorted(found["action"])) for found in SCHEDULES.values()}
    assert kinds == {("query", "start"), ("start",), ("event",)}
