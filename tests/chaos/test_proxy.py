"""The proxy in front of PostgreSQL, with the real driver: each fault is what it says, and ends when it is told to."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest
from sqlalchemy import make_url, text

from activities.persistence import persist
from db.errors import is_unavailable
from db.session import Database
from tests.chaos.proxy import Framing, PostgresProxy, is_commit_answer, is_commit_order, proxied


@dataclass
class Path:
    """A database with two ways to it: through the proxy, and straight."""

    proxy: PostgresProxy
    proxied_dsn: str
    straight: asyncpg.Connection

    async def connect(self, **options: object) -> asyncpg.Connection:
        return await asyncpg.connect(self.proxied_dsn, timeout=5, **options)

    async def kept(self) -> list[int]:
        return [row["number"] for row in await self.straight.fetch("SELECT number FROM kept ORDER BY number")]


@pytest.fixture
async def path(dsn: str) -> AsyncIterator[Path]:
    url = make_url(dsn)
    straight = await asyncpg.connect(dsn)
    await straight.execute("CREATE TABLE kept (number integer)")
    async with proxied(url.host or "127.0.0.1", url.port or 5432) as proxy:
        through = url.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
        yield Path(proxy, through, straight)
    await straight.execute("DROP TABLE kept")
    await straight.close()


async def keep(connection: asyncpg.Connection, number: int) -> None:
    async with connection.transaction():
        await connection.execute("INSERT INTO kept VALUES ($1)", number)


async def test_everything_passes_that_is_not_told_otherwise(path: Path) -> None:
    connection = await path.connect()
    heard = asyncio.Event()
    await connection.add_listener("bell", lambda *_: heard.set())
    await keep(connection, 1)
    assert await connection.fetchval("SELECT sum(length(repeat('x', 100000))) FROM generate_series(1, 20)") == 2_000_000
    assert len(await connection.fetchval("SELECT repeat('x', 1000000)")) == 1_000_000
    await path.straight.execute("NOTIFY bell")
    async with asyncio.timeout(10):
        await heard.wait()
    assert await path.kept() == [1]
    await connection.close()
    assert path.proxy.commits_cut == 0


async def test_a_client_that_insists_on_tls_is_told_that_there_is_none(path: Path) -> None:
    with pytest.raises(ConnectionError):
        await path.connect(ssl="require")


async def test_a_cut_breaks_every_connection_and_lets_new_ones_pass(path: Path) -> None:
    first, second = await path.connect(), await path.connect()
    assert path.proxy.cut() == 2
    for connection in (first, second):
        with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError)):
            await connection.fetchval("SELECT 1")
    third = await path.connect()
    assert await third.fetchval("SELECT 1") == 1


async def test_a_cut_after_the_commit_leaves_the_row_and_the_client_in_doubt(path: Path) -> None:
    connection = await path.connect()
    path.proxy.cut_after_commit()
    with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError)):
        await keep(connection, 1)
    assert await path.kept() == [1]
    await keep(await path.connect(), 2)
    assert await path.kept() == [1, 2]
    assert path.proxy.commits_cut == 1


async def test_a_cut_before_the_commit_leaves_no_row(path: Path) -> None:
    connection = await path.connect()
    path.proxy.cut_before_commit()
    with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError)):
        await keep(connection, 1)
    assert await path.kept() == []
    await keep(await path.connect(), 2)
    assert await path.kept() == [2]


async def test_a_cut_at_commits_leaves_reading_and_rolling_back_alone(path: Path) -> None:
    connection = await path.connect()
    path.proxy.cut_after_commit()
    path.proxy.cut_before_commit()
    transaction = connection.transaction()
    await transaction.start()
    assert await connection.fetchval("SELECT 'COMMIT'") == "COMMIT"
    await transaction.rollback()
    await connection.execute("INSERT INTO kept VALUES (1)")
    assert await path.kept() == [1]
    assert path.proxy.commits_cut == 0


async def test_refused_connections_come_back_on_the_same_port(path: Path) -> None:
    connection = await path.connect()
    path.proxy.refuse()
    with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError)):
        await connection.fetchval("SELECT 1")
    with pytest.raises(ConnectionRefusedError):
        await path.connect()
    await path.proxy.let_pass()
    assert await (await path.connect()).fetchval("SELECT 1") == 1


async def test_swallowed_bytes_leave_the_client_waiting_and_their_connection_is_cut_in_the_end(path: Path) -> None:
    connection = await path.connect()
    path.proxy.swallow()
    with pytest.raises(TimeoutError):
        await connection.fetchval("SELECT 1", timeout=0.1)
    await path.proxy.let_pass()
    async with asyncio.timeout(10):
        while not connection.is_closed():
            await asyncio.sleep(0.01)
    assert await (await path.connect()).fetchval("SELECT 1") == 1


async def test_a_delay_holds_answers_back_until_it_ends(path: Path) -> None:
    connection = await path.connect()
    path.proxy.delay(60)
    with pytest.raises(TimeoutError):
        await connection.fetchval("SELECT 1", timeout=0.1)
    await path.proxy.let_pass()
    assert await (await path.connect()).fetchval("SELECT 1") == 1


async def test_a_transaction_that_is_run_again_after_a_commit_in_doubt_has_happened_twice(path: Path) -> None:
    database = Database.connect(path.proxied_dsn)

    async def insert() -> None:
        async with database.system() as connection:
            await connection.execute(text("RESET ROLE"))
            await connection.execute(text("INSERT INTO kept VALUES (7)"))

    path.proxy.cut_after_commit()
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the driver's own choice of class is what is looked at
        await insert()
    assert is_unavailable(caught.value)
    path.proxy.cut_after_commit()
    await persist(insert)
    assert await path.kept() == [7, 7, 7]
    await database.close()


_STARTUP = b"\x00\x00\x00\x09\x00\x03\x00\x00\x00"
_BEGIN = b"Q\x00\x00\x00\x0bBEGIN;\x00"
_COMMIT = b"Q\x00\x00\x00\x0cCOMMIT;\x00"


@pytest.mark.parametrize("size", range(1, 20))
def test_messages_are_found_however_they_are_cut_into_pieces(size: int) -> None:
    stream, framing = _STARTUP + _BEGIN + _COMMIT, Framing(startup=True)
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert [message for piece in pieces for message in framing.feed(piece)] == [_STARTUP, _BEGIN, _COMMIT]


def test_a_startup_may_follow_a_refused_request_for_tls() -> None:
    tls = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
    assert list(Framing(startup=True).feed(tls + _STARTUP + _COMMIT)) == [tls, _STARTUP, _COMMIT]


@pytest.mark.parametrize(
    ("message", "order", "answer"),
    [
        pytest.param(_COMMIT, True, False, id="an order"),
        pytest.param(b"C\x00\x00\x00\x0bCOMMIT\x00", False, True, id="an answer"),
        pytest.param(_BEGIN, False, False, id="another order"),
        pytest.param(b"C\x00\x00\x00\x0dROLLBACK\x00", False, False, id="a commit that failed"),
        pytest.param(b"D\x00\x00\x00\x0bCOMMIT\x00", False, False, id="data that says so"),
    ],
)
def test_commits_are_told_from_everything_else(message: bytes, order: bool, answer: bool) -> None:  # noqa: FBT001 - a table
    assert (is_commit_order(message), is_commit_answer(message)) == (order, answer)
