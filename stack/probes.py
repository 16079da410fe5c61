"""Small looks at servers: does the port answer, what does a page say. No HTTP library, so that commands start fast."""

import asyncio
from urllib.parse import urlsplit

_OK = 200
_LARGEST = 1_000_000


async def fetch(url: str, within: float = 2.0) -> tuple[int, bytes] | None:
    """Returns status and body of a plain-HTTP page, None when the server does not answer in time."""
    parts = urlsplit(url)
    request = f"GET {parts.path or '/'} HTTP/1.0\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(within):
            answer = await _exchange(parts.hostname or "", parts.port or 80, request.encode())
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split(None, 2)[1]), body
    except (OSError, TimeoutError, ValueError, IndexError):
        return None


async def is_ok(url: str, within: float = 2.0) -> bool:
    """Tells whether a page answers 200."""
    answer = await fetch(url, within)
    return answer is not None and answer[0] == _OK


async def listens(address: str, within: float = 2.0) -> bool:
    """Tells whether something takes connections at `host:port`."""
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(within):
            _, writer = await asyncio.open_connection(host, int(port))
    except (OSError, TimeoutError, ValueError):
        return False
    writer.close()
    return True


async def database_answers(dsn: str, within: float = 3.0) -> bool:
    """Tells whether a database takes this login and answers."""
    import asyncpg  # noqa: PLC0415 - loaded here, so that commands that need no database start fast

    try:
        connection = await asyncpg.connect(plain(dsn), timeout=within)
    except (OSError, TimeoutError, asyncpg.PostgresError):
        return False
    try:
        return bool(await connection.fetchval("SELECT 1", timeout=within) == 1)
    except (OSError, TimeoutError, asyncpg.PostgresError):
        return False
    finally:
        await connection.close()


def plain(dsn: str) -> str:
    """Returns a database address as drivers take it, without the name of the driver."""
    scheme, separator, rest = dsn.partition("://")
    return f"{scheme.partition('+')[0]}{separator}{rest}"


async def _exchange(host: str, port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        await writer.drain()
        answer = b""
        while len(answer) < _LARGEST and (chunk := await reader.read(65536)):
            answer += chunk
        return answer
    finally:
        writer.close()
