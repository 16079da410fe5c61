"""Documents lead somewhere: every relative link, every anchor, and every file that they name in code spans exists."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^( *)(```|~~~).*?^ *\2 *$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
_PATH = re.compile(r"[\w.-]+(/[\w.-]+)*/?")
_FILE = re.compile(r"[\w.-]+\.(py|md|toml|yml|lock)")


def _tracked(*patterns: str) -> list[Path]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return [ROOT / name for name in sorted(set(listed)) if (ROOT / name).is_file()]


DOCUMENTS = _tracked("*.md")
FOLDERS = {path.relative_to(ROOT).parts[0] for path in _tracked() if path.parent != ROOT}


def _without_fences(text: str) -> str:
    return _FENCE.sub("", text)


def _anchors(text: str) -> set[str]:
    """Returns the anchors of a document's headings, as they are made on common forges."""
    found = set()
    for heading in _HEADING.findall(_without_fences(text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.replace("`", "")).lower()
        found.add(re.sub(r"[^\w\- ]", "", words).replace(" ", "-"))
    return found


def _dead_links(document: Path, text: str) -> Iterator[str]:
    for target in _LINK.findall(_CODE.sub("", _without_fences(text))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        place = (document.parent / name).resolve() if name else document
        if not place.exists() or (anchor and anchor not in _anchors(place.read_text("utf-8") if name else text)):
            yield target


def _missing_files(document: Path, text: str) -> Iterator[str]:
    for code in _CODE.findall(_without_fences(text)):
        below_a_folder = "/" in code and code.partition("/")[0] in FOLDERS and _PATH.fullmatch(code)
        if (below_a_folder or _FILE.fullmatch(code)) and not any(
            (start / code).exists() for start in (ROOT, document.parent)
        ):
            yield code


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_of_a_document_leads_somewhere(document: Path) -> None:
    assert list(_dead_links(document, document.read_text("utf-8"))) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_file_that_a_document_names_exists(document: Path) -> None:
    assert list(_missing_files(document, document.read_text("utf-8"))) == []


def test_every_document_can_be_found_from_the_index() -> None:
    linked = set(_LINK.findall((ROOT / "docs" / "index.md").read_text("utf-8")))
    below = {path.relative_to(ROOT / "docs").as_posix() for path in DOCUMENTS if ROOT / "docs" in path.parents}
    assert below - linked - {"index.md"} == set()


def test_dead_links_and_missing_files_are_seen() -> None:
    text = "# A `b` c\n[x](nowhere.md) [y](#a-b-c) [z](#nothing)\n`db/nothing.py` `db/session.py` `nothing.toml` `a/b`"
    here = ROOT / "README.md"
    assert list(_dead_links(here, text)) == ["nowhere.md", "#nothing"]
    assert list(_missing_files(here, text)) == ["db/nothing.py", "nothing.toml"]
