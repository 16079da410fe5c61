"""The tables of schedules and their runs, and of calendars."""

from sqlalchemy import ARRAY, Boolean, Index, Integer, LargeBinary, Text, UniqueConstraint, Uuid, text

from db.series_tables import metadata as metadata  # noqa: PLC0414 - the whole schema, once these tables are registered
from db.tables import belongs, col, document, moment, one_of, tenant_table

schedule = tenant_table(
    "schedule",
    col("name"),
    col("note", default="''"),
    document("spec", None),
    document("action", None),
    col("flow", null=True),
    col("overlap", default="'skip'"),
    col("catch_up", Integer, default="3600"),
    col("status", default="'active'"),
    col("version", Integer, default="1"),
    col("runs", Integer, default="0"),
    col("idempotency_key", null=True),
    col("request_hash", LargeBinary, null=True),
    moment("counts_from", null=False),
    moment("last_run_at"),
    moment("created_at", null=False),
    moment("updated_at", null=False),
    UniqueConstraint("tenant_id", "name"),
    UniqueConstraint("tenant_id", "idempotency_key"),
    one_of("status", "active", "paused", "ended"),
    one_of("overlap", "skip", "buffer_one", "allow"),
    Index(None, "tenant_id", "flow", "id"),
    Index("schedule_going_idx", "id", postgresql_where=text("status <> 'ended'")),
)

schedule_run = tenant_table(
    "schedule_run",
    col("schedule_id", Uuid),
    moment("scheduled_at", null=False),
    col("cause", default="'clock'"),
    col("status", default="'waiting'"),
    col("workflow_id", null=True),
    col("idempotency_key", null=True),
    col("cursor", Uuid, null=True),
    col("seen", Integer, default="0"),
    col("started", Integer, default="0"),
    col("reused", Integer, default="0"),
    col("refused", Integer, default="0"),
    col("is_cut", Boolean, default="false"),
    document("refusals", "'[]'::jsonb"),
    col("error", null=True),
    moment("created_at", null=False),
    moment("started_at"),
    moment("stepped_at"),
    moment("ended_at"),
    belongs("schedule_id", to="schedule"),
    UniqueConstraint("tenant_id", "schedule_id", "scheduled_at"),
    UniqueConstraint("tenant_id", "schedule_id", "idempotency_key"),
    one_of("cause", "clock", "trigger"),
    one_of("status", "waiting", "running", "done", "failed", "missed"),
    Index("schedule_run_open_idx", "id", postgresql_where=text("ended_at IS NULL")),
    Index("schedule_run_ended_idx", "ended_at", postgresql_where=text("ended_at IS NOT NULL")),
)

calendar = tenant_table(
    "calendar",
    col("name"),
    col("description", default="''"),
    col("days", ARRAY(Text), default="'{}'"),
    moment("created_at", null=False),
    moment("updated_at", null=False),
    UniqueConstraint("tenant_id", "name"),
)
