"""What commands that ask the API share: the connection to it, and their answers as JSON for scripts."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from stack.api_client import ApiClient


@contextmanager
def asking() -> Iterator["ApiClient"]:
    """Yields the API that a command asks."""
    from stack.api_client import connect  # noqa: PLC0415 - the help must not wait for it

    with connect() as api:
        yield api


def print_json(found: Any) -> None:
    """Prints an answer for scripts."""
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
