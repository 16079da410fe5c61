"""Says whether the tests of `domain` alone take every branch of it, where the coverage of a whole run is measured."""

import importlib
import io
import pkgutil
from collections.abc import Generator
from pathlib import Path

import coverage
import pytest

import domain

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


def pytest_configure(config: pytest.Config) -> None:
    """Refuses to judge what is not measured."""
    if config.getoption("--decisions") and not config.getoption("cov_source", None):
        raise pytest.UsageError("--decisions judges what is measured; give --cov, too")


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Imports all of domain while what is covered belongs to nobody, whichever modules of tests come first."""
    if session.config.getoption("--decisions"):
        for one in pkgutil.walk_packages(domain.__path__, "domain."):
            importlib.import_module(one.name)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Keeps apart what modules of tests run when they are imported."""
    _switch(collector)
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Keeps apart what the tests of domain cover."""
    _switch(item)
    return (yield)


def _switch(node: pytest.Item | pytest.Collector) -> None:
    measuring = coverage.Coverage.current() if node.config.getoption("--decisions") else None
    context = _DECISIONS if node.path.is_relative_to(_TESTS) else _OTHERS
    if measuring is not None and node.config.stash.get(_CONTEXT, "") != context:
        measuring.switch_context(context)
        node.config.stash[_CONTEXT] = context


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
