"""The tables of care: circuits and health of accounts, limits, operations over many notifications, findings."""

from sqlalchemy import (
    ARRAY,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from db.delivery_tables import metadata as metadata  # noqa: PLC0414 - the whole schema, once these tables are registered
from db.tables import belongs, col, document, moment, one_of, tenant_table

operation = tenant_table(
    "operation",
    col("subject", default="'notification'"),
    col("kind"),
    document("filter"),
    col("rate", Integer),
    col("state", default="'pending'"),
    col("total", Integer),
    col("done", Integer, default="0"),
    col("refused", Integer, default="0"),
    document("order"),
    col("cursor", Uuid, null=True),
    col("until", Uuid, null=True),
    col("actor"),
    col("reason", null=True),
    moment("created_at", null=False),
    moment("finished_at"),
    one_of("subject", "notification", "series"),
    one_of("kind", "resume", "drop", "pause", "stop", "skip", "run_again", "move"),
    one_of("state", "pending", "running", "done", "stopped"),
)

operation_series = Table(
    "operation_series",
    metadata,
    col("tenant_id", Uuid),
    col("operation_id", Uuid),
    col("series_id", Uuid),
    col("state", default="'open'"),
    col("reason", null=True),
    moment("at"),
    # Not the series: a million rows that are locked one by one to be counted would be written a million times.
    belongs("operation_id", to="operation"),
    PrimaryKeyConstraint("tenant_id", "operation_id", "series_id"),
    one_of("state", "open", "done", "refused"),
    Index(
        "operation_series_refused_idx", "tenant_id", "operation_id", "series_id",
        postgresql_where=text("state = 'refused'"),
    ),
)  # fmt: skip

operation_batch = Table(
    "operation_batch",
    metadata,
    col("tenant_id", Uuid),
    col("operation_id", Uuid),
    col("number", Integer),
    col("first", Uuid),
    col("last", Uuid),
    col("ids", ARRAY(Uuid)),
    belongs("operation_id", to="operation"),
    PrimaryKeyConstraint("tenant_id", "operation_id", "number"),
)

circuit = tenant_table(
    "circuit",
    col("subject"),
    col("account_id", Uuid),
    col("state", default="'closed'"),
    col("cause", null=True),
    col("failures", Integer, default="0"),
    col("probes", Integer, default="0"),
    col("episode", Integer, default="0"),
    moment("opened_at"),
    moment("probe_at"),
    moment("updated_at", null=False),
    belongs("account_id", to="account"),
    UniqueConstraint("tenant_id", "subject"),
    one_of("state", "closed", "open", "half_open"),
)

account_health = tenant_table(
    "account_health",
    col("account_id", Uuid),
    col("level"),
    col("streak", Integer, default="0"),
    document("measured"),
    moment("since", null=False),
    moment("updated_at", null=False),
    belongs("account_id", to="account"),
    UniqueConstraint("tenant_id", "account_id"),
    one_of("level", "healthy", "slow", "failing"),
)

rate_bucket = Table(
    "rate_bucket",
    metadata,
    Column("tenant_id", Uuid, ForeignKey("tenant.id"), nullable=False),
    col("key", Text),
    Column("next_at", moment("next_at").type, nullable=False),
    document("ahead", "'[]'::jsonb"),
    moment("not_before"),
    PrimaryKeyConstraint("tenant_id", "key"),
)

day_count = Table(
    "day_count",
    metadata,
    Column("tenant_id", Uuid, ForeignKey("tenant.id"), nullable=False),
    col("key", Text),
    col("day", Date),
    col("used", Integer),
    PrimaryKeyConstraint("tenant_id", "key", "day"),
)

finding = tenant_table(
    "finding",
    col("kind"),
    col("subject_type"),
    col("subject_id"),
    col("state", default="'open'"),
    col("repair", null=True),
    document("detail"),
    col("times", Integer, default="1"),
    moment("found_at", null=False),
    moment("last_found_at", null=False),
    moment("repaired_at"),
    UniqueConstraint("tenant_id", "kind", "subject_type", "subject_id"),
    one_of("state", "open", "repaired"),
    Index(None, "tenant_id", "last_found_at"),
    Index("finding_subject_idx", "tenant_id", "subject_type", "subject_id"),
    Index("finding_open_idx", "kind", "id", postgresql_where=text("state = 'open'")),
)
