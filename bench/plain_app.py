"""The least that an HTTP route which stores something can be: `python -m bench.plain_app PORT DATABASE_URL`.

FastAPI reads a small body, one row is inserted and committed over a pool as large as ours, and 202 is answered. It is
served by uvicorn with the settings of `stack.server`, so that what stands between both is our own.
"""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import uuid_utils.compat
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from settings import Settings

_TABLE = """
CREATE TABLE IF NOT EXISTS bench_plain (
    id uuid PRIMARY KEY, recipient text NOT NULL, template text NOT NULL, created_at timestamptz NOT NULL DEFAULT now()
)
"""
_INSERT = "INSERT INTO bench_plain (id, recipient, template) VALUES ($1, $2, $3)"
_DATABASE = "BENCH_PLAIN_DATABASE_URL"


class Plain(BaseModel):
    """A body of two texts."""

    to: str
    template: str


def create_app() -> FastAPI:
    """Returns the application; its pool is opened when it starts."""
    app = FastAPI(lifespan=_lifespan)

    @app.post("/plain", status_code=202)
    async def plain(body: Plain) -> dict[str, str]:
        """Stores the body as a row."""
        made = uuid_utils.compat.uuid7()
        async with app.state.pool.acquire() as connection, connection.transaction():
            await connection.execute(_INSERT, made, body.to, body.template)
        return {"id": str(made)}

    @app.get("/readyz")
    async def ready() -> dict[str, str]:
        """Tells that requests are taken."""
        return {"status": "ready"}

    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    size = Settings().database_pool_size
    async with asyncpg.create_pool(os.environ[_DATABASE], min_size=size, max_size=size) as pool:
        await pool.execute(_TABLE)
        app.state.pool = pool
        yield


if __name__ == "__main__":
    os.environ[_DATABASE] = sys.argv[2]
    uvicorn.run(
        "bench.plain_app:create_app",
        factory=True,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        log_config=None,
        access_log=False,
        server_header=False,
    )
