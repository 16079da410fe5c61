"""What the installation says against flow files that are right by themselves: names that no event has."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stack.asking import asking


def asked(definitions: Mapping[str, str]) -> dict[str, list[dict[str, Any]]]:
    """Returns the warnings about each text, by the schemas of event types that the installation knows."""
    with asking() as api:
        return {
            name: list(api.post("/v1/flows/check", {"definition": text})["warnings"])
            for name, text in definitions.items()
        }


def listed(warnings: Sequence[Mapping[str, Any]], name: str) -> Iterator[str]:
    """Yields warnings as lines that editors and terminals can follow."""
    for one in warnings:
        yield f"{name}:{one['line']}:{one['column']}: {one['pointer']}: warning: {one['message']}"
