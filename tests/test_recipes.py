"""The recipes of the guide run as they stand there, each flow in the file that its first line names."""

import re
from pathlib import Path
from typing import get_args

import pytest

from api.flow_files import read
from domain.flow_events import every_step
from domain.flow_steps import FlowStep
from stack.home import cache_directory

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "how-to" / "recipes.md").read_text("utf-8")
FLOWS = re.findall(r"```yaml\n# (\S+\.yaml)\n(.*?)```", GUIDE, re.DOTALL)
TESTS = "\n\n".join(re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL))
CACHE = cache_directory().parent


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_recipe_works(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("XDG_CACHE_HOME", str(CACHE))  # a project elsewhere, whose programs were fetched long ago
    for name, text in FLOWS:
        (pytester.path / name).write_text(text, "utf-8")
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_subprocess(
        "-p", "testing.plugin", "-p", "no:schemathesis", "--carillon-stage=jumping", timeout=280
    )
    outcomes = result.parseoutcomes()
    assert outcomes.pop("passed") == TESTS.count("\ndef test_") + 5  # some tests have several cases
    assert not outcomes.keys() - {"warnings", "warning"}


def test_there_is_a_recipe_for_every_step() -> None:
    parsed = [read(text)[0] for _, text in FLOWS]
    shown = {type(step) for flow in parsed if flow is not None for step in every_step(flow.steps)}
    assert None not in parsed
    assert shown == set(get_args(FlowStep))
