"""The reference of findings names every code with its sentence, and no other; and every step of housekeeping."""

import re
from pathlib import Path

import pytest

from domain.findings import SENTENCES, Kind, Repair
from workflows.housekeeping import STEPS

REFERENCE = (Path(__file__).parents[2] / "docs" / "reference" / "findings.md").read_text("utf-8")
_ROWS = dict(re.findall(r"^\| `([a-z_]+)` \| (.+?) \|", REFERENCE, re.MULTILINE))


@pytest.mark.parametrize("kind", Kind)
def test_a_kind_stands_in_the_reference_with_its_sentence(kind: Kind) -> None:
    assert _ROWS[kind.value] == SENTENCES[kind]


def test_the_reference_names_no_other_code() -> None:
    assert _ROWS.keys() == {kind.value for kind in Kind} | {repair.value for repair in Repair}


@pytest.mark.parametrize("step", [step.name for step in STEPS if step.name.startswith("housekeeping.")])
def test_a_step_of_housekeeping_stands_in_the_reference(step: str) -> None:
    assert f"| `{step}` |" in REFERENCE
