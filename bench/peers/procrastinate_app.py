"""What procrastinate runs: the task that delivers, and the one that puts a dead worker's jobs back."""

from typing import Any

from procrastinate import App, JobContext, PsycopgConnector
from psycopg import AsyncConnection

DELIVER = "deliver"
# One that is recorded already is not sent again; one that may have been sent is: procrastinate delivers at least once.
_CLAIM = """
    INSERT INTO message (id, recipient, name, state) VALUES ($1, $2, $3, 'sending')
    ON CONFLICT (id) DO UPDATE SET state = 'sending' WHERE message.state <> 'sent' RETURNING id
"""
_RECORD = "UPDATE message SET state = 'sent', provider_id = $2 WHERE id = $1"


def app_on(dsn: str, *, connections: int) -> App:
    """Returns an application on a database."""
    app = App(
        connector=PsycopgConnector(conninfo=dsn, min_size=connections, max_size=connections, configure=_commit_at_once)
    )
    app.task(name=DELIVER, pass_context=True)(_deliver)
    retry = app.task(name="retry_stalled", queueing_lock="retry_stalled", pass_context=True)(_retry_stalled)
    app.periodic(cron="* * * * * */5")(retry)
    return app


async def _commit_at_once(connection: AsyncConnection[Any]) -> None:
    # Each of procrastinate's statements is a transaction of its own; so it saves two round trips.
    await connection.set_autocommit(True)


async def _deliver(context: JobContext, *, number: int, to: str, name: str) -> None:
    pool, provider = context.additional_context["pool"], context.additional_context["provider"]
    if await pool.fetchval(_CLAIM, number, to, name) is not None:
        await pool.execute(_RECORD, number, await provider.send(to, name))
    # Procrastinate acknowledges the job when this returns.


async def _retry_stalled(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - periodic tasks are told their time
    for job in await context.app.job_manager.get_stalled_jobs():
        await context.app.job_manager.retry_job(job)
