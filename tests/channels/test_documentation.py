"""The documents about templates agree with the code."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from channels import check, render
from channels.filters import FILTERS
from domain.recipients import Channel
from domain.variables import Variable, VariableType, check_schema

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = (DOCS / "reference" / "templates.md").read_text(encoding="utf-8")
HOW_TO = (DOCS / "how-to" / "write-a-template.md").read_text(encoding="utf-8")


def blocks(text: str) -> list[Any]:
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]


def test_every_filter_is_documented_and_no_other() -> None:
    table = REFERENCE[REFERENCE.index("| filters |") : REFERENCE.index("- `date`, `time`")]
    named = {name for cell in re.findall(r"`([^`]*)`", table) for name in cell.split()}
    assert named == set(FILTERS)


def test_every_type_of_variable_is_documented() -> None:
    assert all(f"`{kind}`" in REFERENCE for kind in VariableType)


def test_the_example_of_the_reference_is_right() -> None:
    (content,) = blocks(REFERENCE)
    assert check(Channel.WHATSAPP, content) == ()


@pytest.mark.parametrize("locale", ["en-IN", "hi-IN"])
def test_the_example_of_the_how_to_renders_with_its_own_examples(locale: str) -> None:
    declared, *parts = blocks(HOW_TO)
    schema = [Variable(**{**item, "type": VariableType(item["type"])}) for item in declared]
    assert check_schema(schema) == ()
    data = {variable.name: variable.example for variable in schema}
    for part in parts:
        channel = Channel(part["channel"])
        assert check(channel, part["content"]) == ()
        assert render(channel, part["content"], data, locale=locale, zone="Asia/Kolkata").content is not None
