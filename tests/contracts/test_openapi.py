"""What callers rely on does not change unnoticed: the OpenAPI document, its ids, its problems.

`CARILLON_UPDATE_CONTRACTS=1 python -m pytest tests/contracts` writes the snapshots anew.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from api.openapi import operations
from api.problem_types import TYPES, Kind, reference, uri
from sealing import KeyRing
from settings import Settings

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
UPDATE = "CARILLON_UPDATE_CONTRACTS"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    made = create_app(Settings(), key_ring=KeyRing({"test": b"k" * 32})).openapi()
    # What goes over the wire, without the number that every release changes.
    plain: dict[str, Any] = json.loads(json.dumps(made))
    plain["info"]["version"] = "0"
    return plain


def _same(path: Path, text: str) -> None:
    if os.environ.get(UPDATE):
        path.write_text(text)
    kept = path.read_text() if path.exists() else ""
    shown = path.relative_to(ROOT)
    assert kept == text, f"{shown} differs; when that is wanted: {UPDATE}=1 python -m pytest tests/contracts"


def test_the_openapi_document_is_the_one_that_callers_know(document: dict[str, Any]) -> None:
    _same(HERE / "openapi.json", json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def test_the_problems_are_the_ones_that_callers_know() -> None:
    table = {uri(kind): {"status": TYPES[kind].status, "title": TYPES[kind].title} for kind in Kind}
    _same(HERE / "problems.json", json.dumps(table, indent=1, sort_keys=True) + "\n")


def test_the_reference_of_errors_is_written_from_the_table() -> None:
    _same(ROOT / "docs" / "reference" / "errors.md", reference())


def test_the_document_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"


def test_operation_ids_are_unique_and_plain(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    assert all(name.isidentifier() and name.islower() for name in ids)


def test_every_operation_explains_itself(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    for method, path, operation in operations(document):
        assert operation.get("summary"), f"{method} {path} has no summary"
        assert operation.get("description"), f"{method} {path} has no description"
        assert set(operation["tags"]) <= tags, f"{method} {path} has a tag that api/tags.py does not explain"


def test_every_error_of_every_operation_is_a_problem(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        errors = {status: answer for status, answer in operation["responses"].items() if int(status) >= 400}
        assert "500" in errors, f"{method} {path}"
        for status, answer in errors.items():
            shared = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
            assert list(shared["content"]) == ["application/problem+json"], f"{method} {path} {status}"
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_protected_operations_say_how_they_refuse(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        if operation.get("security"):
            assert "401" in operation["responses"], f"{method} {path}"
        if "requestBody" in operation and operation.get("security"):
            assert {"400", "413", "422"} <= operation["responses"].keys(), f"{method} {path}"


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    for part in text.split('"$ref": "')[1:]:
        place: Any = document
        for step in part.split('"', 1)[0].removeprefix("#/").split("/"):
            place = place[step]
        assert place
