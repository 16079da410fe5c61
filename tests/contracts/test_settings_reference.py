"""The reference of settings and `.env.example` name every setting, with the default that it has, and no other."""

import re
from pathlib import Path

import pytest
from pydantic import AliasChoices, SecretStr
from pydantic_core import PydanticUndefined

from sandbox.serve import SandboxSettings
from settings import Settings

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")
EXAMPLE = (ROOT / ".env.example").read_text("utf-8")
_TESTS_AND_TOOLS = REFERENCE.partition("## Tests, examples, measuring")[2]


def _variables() -> dict[str, object]:
    """Returns every variable of the processes, with its default."""
    found: dict[str, object] = {}
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        variable = str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"CARILLON_{name.upper()}"
        found[variable] = field.default
    return found | {f"CARILLON_SANDBOX_{name.upper()}": PydanticUndefined for name in SandboxSettings.model_fields}


def _rows() -> dict[str, str]:
    """Returns the second cell of every row of the reference, by variable."""
    rows = re.findall(r"^\| (`[A-Z].*?) \| (.*?) \|", REFERENCE, re.MULTILINE)
    return {variable: cell for names, cell in rows for variable in re.findall(r"`(\w+)`", names)}


@pytest.mark.parametrize("variable", _variables())
def test_a_setting_stands_in_the_reference_and_in_the_example(variable: str) -> None:
    assert variable in _rows()
    assert re.search(rf"^#?{variable}=", EXAMPLE, re.MULTILINE)


@pytest.mark.parametrize(
    ("variable", "default"),
    [(name, value) for name, value in _variables().items() if isinstance(value, str | int | SecretStr)],
)
def test_the_reference_gives_the_default(variable: str, default: str | int | SecretStr) -> None:
    plain = default.get_secret_value() if isinstance(default, SecretStr) else default
    said = str(plain).lower() if isinstance(plain, bool) else str(plain)
    cell = _rows()[variable]
    assert cell == f"`{said}`" if said else cell.startswith(("none", "empty"))


def test_the_reference_and_the_example_name_the_same_variables() -> None:
    documented = {name for name in _rows() if f"`{name}`" not in _TESTS_AND_TOOLS}
    assert documented == set(re.findall(r"^#?([A-Z][A-Z_]+)=", EXAMPLE, re.MULTILINE))
