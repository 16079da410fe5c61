"""Ports: the usual one, or the next free one, told."""

import socket
from collections.abc import Iterator

import pytest

from stack.ports import Ports, any_free, is_free


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address: tuple[str, int] = server.getsockname()
        yield address[1]


def test_a_port_that_somebody_listens_on_is_not_free(taken: int) -> None:
    assert not is_free(taken)


def test_the_usual_port_is_given_when_it_is_free() -> None:
    usual, ports = any_free(), Ports()
    assert ports.claim("api", usual) == usual
    assert ports.moved == {}


def test_a_taken_port_gives_way_to_the_next_free_one(taken: int) -> None:
    ports = Ports()
    port = ports.claim("api", taken)
    assert port > taken
    assert ports.moved == {"api": (taken, port)}


def test_no_port_is_given_twice() -> None:
    usual, ports = any_free(), Ports()
    assert ports.claim("api", usual) != ports.claim("sandbox", usual)


def test_the_port_of_last_time_comes_first_while_it_is_free(taken: int) -> None:
    usual, last = any_free(), any_free()
    assert Ports({"api": last}).claim("api", usual) == last
    assert Ports({"api": taken}).claim("api", usual) == usual
