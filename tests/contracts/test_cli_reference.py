"""The reference of commands names every command with all its options, and no other."""

import re
from pathlib import Path

import pytest
import typer

from cli import app

REFERENCE = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text("utf-8")


def _commands() -> dict[str, set[str]]:
    """Returns every command as it is typed, with its options."""
    root = typer.main.get_command(app)
    found = {"": _options(root)}
    pending = [("", root)]
    while pending:
        prefix, group = pending.pop()
        for name, command in getattr(group, "commands", {}).items():
            if hasattr(command, "commands"):
                pending.append((f"{prefix}{name} ", command))
            else:
                found[f"{prefix}{name}"] = _options(command)
    return found


def _options(command: object) -> set[str]:
    return {option for parameter in getattr(command, "params", []) for option in parameter.opts} - {"--help"}


COMMANDS = _commands()


@pytest.mark.parametrize("command", [name for name in COMMANDS if name])
def test_a_command_stands_in_the_reference_with_its_options(command: str) -> None:
    row = re.search(rf"^\| `carillon {command}` \| (.*) \|$", REFERENCE, re.MULTILINE)
    assert row is not None
    assert [option for option in COMMANDS[command] if f"`{option}" not in row[1]] == []


def test_the_options_of_the_program_itself_are_named() -> None:
    assert [option for option in COMMANDS[""] if option not in REFERENCE] == []


def test_the_reference_names_no_other_command() -> None:
    named = set(re.findall(r"^\| `carillon ([a-z -]+)` \|", REFERENCE, re.MULTILINE))
    assert named == set(COMMANDS) - {""}
