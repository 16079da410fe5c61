"""The pytest plugin: `carillon_flows`, and how its plays are staged."""

from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from testing.flows import Flows
    from testing.loop import LoopThread
    from testing.servers import Servers

START = datetime(2040, 6, 4, 4, 30, tzinfo=UTC)
"""When plays begin unless they say otherwise: a Monday, ten in the morning in Kolkata."""
STAGES = ("auto", "skipping", "jumping")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds how plays are staged, and how kept transcripts are written."""
    group = parser.getgroup("carillon", "plays of flows")
    group.addoption(
        "--carillon-stage",
        choices=STAGES,
        default="auto",
        help="skipping: Temporal's test server, with Java; jumping: the dev server; auto: skipping where it can be",
    )
    group.addoption("--carillon-write", action="store_true", help="write the transcripts that tests keep in files")


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Shows how a transcript differs from what was expected."""
    from testing.transcript import Transcript, as_texts  # noqa: PLC0415 - tests that play nothing load nothing

    played, expected = (left, right) if isinstance(left, Transcript) else (right, left)
    texts = as_texts(expected)
    if op != "==" or not isinstance(played, Transcript) or texts is None:
        return None
    return ["the play says otherwise:", *played.difference(texts)]


@pytest.fixture(scope="session")
def carillon_loop() -> "Iterator[LoopThread]":
    """The thread in which plays run."""
    from testing.loop import LoopThread  # noqa: PLC0415 - tests that play nothing load nothing

    made = LoopThread()
    yield made
    made.close()


@pytest.fixture(scope="session")
def carillon_servers(carillon_loop: "LoopThread", tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Servers]":
    """PostgreSQL and the sandbox, which the plays of a process share."""
    from testing.servers import Servers  # noqa: PLC0415 - tests that play nothing load nothing

    made = Servers(tmp_path_factory.mktemp("carillon"))
    yield made
    carillon_loop.run(made.close())


@pytest.fixture
def carillon_stage(
    carillon_loop: "LoopThread", carillon_servers: "Servers", pytestconfig: pytest.Config
) -> "Iterator[Callable[..., Flows]]":
    """Opens plays: `carillon_stage(start=…, zone=…, stage=…)`."""
    from testing.opening import opened_play  # noqa: PLC0415 - tests that play nothing load nothing

    with ExitStack() as opened:

        def open_one(start: datetime = START, zone: str = "UTC", stage: str | None = None) -> "Flows":
            wanted = stage or pytestconfig.getoption("--carillon-stage")
            return opened.enter_context(
                opened_play(carillon_loop, carillon_servers, start=start, zone=zone, stage=wanted)
            )

        yield open_one


@pytest.fixture
def carillon_flows(carillon_stage: "Callable[..., Flows]") -> "Flows":
    """An installation whose flows are played, from Monday, the 4th of June 2040, 4:30 UTC."""
    return carillon_stage()


@pytest.fixture
def carillon_write(pytestconfig: pytest.Config) -> bool:
    """Whether kept transcripts are to be written: `flows.run().matches(path, write=carillon_write)`."""
    return bool(pytestconfig.getoption("--carillon-write"))
