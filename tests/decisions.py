"""Says whether the tests of `domain` alone take every branch of it, where the coverage of a whole run is measured."""

import io
from collections.abc import Iterator
from pathlib import Path

import coverage
import pytest

_TESTS = Path(__file__).parent / "domain"
_DECISIONS, _OTHERS = "decisions", "others"
_JUDGED = "domain/*"
_WHOLE = 100.0  # per cent
_SHOWN: pytest.StashKey[str] = pytest.StashKey()
_CONTEXT: pytest.StashKey[str] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--decisions",
        action="store_true",
        help="with --cov: fail unless the tests of domain cover each branch of it; it is pure, so all of them can be",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Keeps apart what the tests of domain cover; what is covered by importing it belongs to nobody."""
    measuring = coverage.Coverage.current() if item.config.getoption("--decisions") else None
    context = _DECISIONS if item.path.is_relative_to(_TESTS) else _OTHERS
    if measuring is not None and item.config.stash.get(_CONTEXT, "") != context:
        measuring.switch_context(context)
        item.config.stash[_CONTEXT] = context
    return (yield)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Judges the whole run in the process that all the others report to."""
    config = session.config
    if not config.getoption("--decisions") or hasattr(config, "workerinput"):
        return
    told = io.StringIO()
    measured = coverage.Coverage()
    measured.load()
    total = measured.report(
        include=_JUDGED, contexts=[f"^{_DECISIONS}$", "^$"], show_missing=True, skip_covered=True, file=told
    )
    if total < _WHOLE:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        told.write("FAIL: the tests of domain do not take all of its branches\n")
    config.stash[_SHOWN] = told.getvalue()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if shown := config.stash.get(_SHOWN, ""):
        terminalreporter.section("decisions, as their own tests cover them")
        terminalreporter.write(shown)
