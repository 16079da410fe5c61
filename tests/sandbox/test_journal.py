"""The journal survives what kills its process."""

import json
from pathlib import Path

import pytest

from sandbox.journal import Journal, JournalInUseError


def test_entries_are_numbered_and_come_back_in_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "deep" / "journal.jsonl")
    for name in ("one", "two", "three"):
        journal.append({"kind": name})
    assert [(entry["seq"], entry["kind"]) for entry in journal.entries(1)] == [(2, "two"), (3, "three")]
    assert [entry["seq"] for entry in journal.page(0, 2)] == [1, 2]
    assert journal.page(3, 10) == []
    journal.close()


def test_every_line_is_json_and_written_at_once(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.append({"text": "line\nbreak \N{GREEK SMALL LETTER ALPHA} \ud800"})
    lines = path.read_bytes().splitlines()
    assert len(lines) == 1
    assert json.loads(lines[0])["text"] == "line\nbreak \N{GREEK SMALL LETTER ALPHA} \ud800"
    journal.close()


@pytest.mark.parametrize("torn", [b'{"seq":3,"at":"2026', b'{"seq":"3"}', b"\x00\xff", b"[1]"], ids=str)
def test_a_torn_last_line_is_passed_over_and_the_sequence_goes_on(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    first = Journal(path)
    first.append({"kind": "one"})
    first.append({"kind": "two"})
    first.close()
    with path.open("ab") as file:
        file.write(torn)
    second = Journal(path)
    assert second.last == 2
    second.append({"kind": "three"})
    assert [(entry["seq"], entry["kind"]) for entry in second.entries()] == [(1, "one"), (2, "two"), (3, "three")]
    second.close()
    third = Journal(path)
    assert [entry["kind"] for entry in third.entries()] == ["one", "two", "three"]
    third.close()


def test_a_last_line_that_lacks_only_its_end_counts(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"seq":1,"kind":"one"}')
    journal = Journal(path)
    journal.append({"kind": "two"})
    assert [(entry["seq"], entry["kind"]) for entry in journal.entries()] == [(1, "one"), (2, "two")]
    journal.close()


def test_two_sandboxes_cannot_share_a_journal(tmp_path: Path) -> None:
    first = Journal(tmp_path / "journal.jsonl")
    with pytest.raises(JournalInUseError, match="in use"):
        Journal(tmp_path / "journal.jsonl")
    first.close()
    Journal(tmp_path / "journal.jsonl").close()


def test_many_entries_are_read_in_pieces(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    for _ in range(700):
        journal.append({"kind": "x"})
    assert [entry["seq"] for entry in journal.entries(10)] == list(range(11, 701))
    journal.close()
