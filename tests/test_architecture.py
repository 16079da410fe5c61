"""The rules of the house that a machine can check."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from providers import PROVIDERS
from worker import WORKFLOWS

ROOT = Path(__file__).parents[1]
PACKAGES = (
    "activities", "api", "channels", "db", "domain", "migrations", "providers", "sandbox", "stack", "testing",
    "web", "workflows",
)  # fmt: skip
LONGEST_FILE = 300
LONGEST_FUNCTION = 40


def _tracked(*patterns: str) -> list[Path]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return [ROOT / name for name in sorted(set(listed)) if (ROOT / name).is_file()]


SOURCES = _tracked("*.py")


def _shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_says_what_it_is(package: str) -> None:
    tree = ast.parse((ROOT / package / "__init__.py").read_text("utf-8"))
    assert ast.get_docstring(tree)


def test_no_file_is_too_long() -> None:
    files = _tracked("*.py", "*.js", "*.css", "*.html")
    lengths = {_shown(path): len(path.read_text("utf-8").splitlines()) for path in files}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yields what has statements of its own, down to the last; expressions hold no function worth a look."""
    yield node
    for block in ("body", "orelse", "finalbody", "handlers", "cases"):
        inner = getattr(node, block, ())
        for child in inner if isinstance(inner, list) else ():
            yield from _statements(child)


def _functions(path: Path) -> list[tuple[str, int]]:
    found = [
        node
        for node in _statements(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return [(f"{_shown(path)}:{node.name}", (node.end_lineno or 0) - node.lineno + 1) for node in found]


def test_no_function_is_too_long() -> None:
    # Generated table definitions of migrations are data.
    sources = [path for path in SOURCES if "migrations/versions" not in _shown(path)]
    lengths = [found for path in sources for found in _functions(path)]
    assert [(name, length) for name, length in lengths if length > LONGEST_FUNCTION] == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_provider_has_its_test_file(provider: str) -> None:
    assert (ROOT / "tests" / "providers" / f"test_{provider}.py").is_file()


def _name(workflow: type) -> str:
    return str(getattr(workflow, "__temporal_workflow_definition").name)


@pytest.mark.parametrize("workflow", [_name(found) for found in WORKFLOWS])
def test_every_workflow_has_a_recorded_history(workflow: str) -> None:
    assert list((ROOT / "tests" / "workflows" / "histories").glob(f"{workflow}*.json"))


_FORBIDDEN = re.compile(
    "|".join(
        [
            "pythonhost" + r"ed\.org", r"\bpypi" + r"\.org", "registry" + r"\.npmjs", "proxy" + r"\.golang\.org",
            "repo1?" + r"\.maven", "deb" + r"\.debian\.org", "static" + r"\.crates", "/" + "root/", "/" + "work/",
        ]
    )
)  # fmt: skip


def test_nothing_names_a_registry_or_a_place_on_somebody_s_machine() -> None:
    found = []
    for path in _tracked():
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{_shown(path)}:{n}" for n, line in enumerate(text.splitlines(), 1) if _FORBIDDEN.search(line)]
    assert found == []


def test_no_ignore_goes_without_its_reason() -> None:
    bare = re.compile(r"#\s*(noqa(:\s*[A-Z0-9, ]+)?|type:\s*ignore(\[[\w, -]+\])?|nosec(\s+B\d+)?)\s*$")
    lines = [(path, n, line) for path in SOURCES for n, line in enumerate(path.read_text("utf-8").splitlines(), 1)]
    assert [f"{_shown(path)}:{n}" for path, n, line in lines if bare.search(line)] == []
