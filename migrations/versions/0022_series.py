"""Series, what they heard and did, stops that came first, and which notifications are theirs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_TENANT = "nullif(current_setting('carillon.tenant_id', true), '')::uuid"


def _secure(table: str, app: str, system: str) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own ON {table} TO carillon_app USING (tenant_id = {_TENANT})")
    op.execute(f"CREATE POLICY above ON {table} TO carillon_system USING (true)")
    op.execute(f"GRANT {app} ON {table} TO carillon_app")
    op.execute(f"GRANT {system} ON {table} TO carillon_system")


def _series_asked() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("flow_id", sa.Uuid(), nullable=False),
        sa.Column("flow_version_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("request_hash", sa.LargeBinary(), nullable=True),
        sa.Column("to", sa.Text(), nullable=False),
        sa.Column("to_kind", sa.Text(), nullable=False),
        sa.Column("receiver_id", sa.Uuid(), nullable=True),
        sa.Column("zone", sa.Text(), nullable=True),
        sa.Column(
            "anchors", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column(
            "data", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column(
            "event", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("resource_type", sa.Text(), nullable=True),
        sa.Column("resource_id", sa.Text(), nullable=True),
    ]


def _series_standing() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("status", sa.Text(), server_default=sa.text("'running'"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("step", sa.Text(), nullable=True),
        sa.Column("place", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "state", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column(
            "wakes", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("heard", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("entries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
    ]


def _series_rules() -> list[sa.schema.SchemaItem]:
    return [
        sa.CheckConstraint(
            "status IN ('running', 'paused', 'parked', 'completed', 'stopped')", name=op.f("series_status_check")
        ),
        sa.CheckConstraint(
            "to_kind IN ('recipient', 'phone', 'email', 'whatsapp_user')", name=op.f("series_to_kind_check")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "flow_id"], ["flow.tenant_id", "flow.id"], name=op.f("series_tenant_id_flow_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "flow_version_id"],
            ["flow_version.tenant_id", "flow_version.id"],
            name=op.f("series_tenant_id_flow_version_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "receiver_id"],
            ["recipient.tenant_id", "recipient.id"],
            name=op.f("series_tenant_id_receiver_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("series_pkey")),
        sa.UniqueConstraint("tenant_id", "idempotency_key", name=op.f("series_tenant_id_idempotency_key_key")),
    ]


def _series() -> None:
    op.create_table("series", *_series_asked(), *_series_standing(), *_series_rules())
    op.create_index(
        "series_next_idx", "series", ["next_at"], unique=False, postgresql_where=sa.text("ended_at IS NULL")
    )
    op.create_index(
        "series_parked_idx",
        "series",
        ["tenant_id", "reason"],
        unique=False,
        postgresql_where=sa.text("status = 'parked'"),
    )
    op.create_index(
        "series_running_idx",
        "series",
        ["tenant_id", "flow_id", "key"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        op.f("series_tenant_id_flow_id_key_id_idx"), "series", ["tenant_id", "flow_id", "key", "id"], unique=False
    )
    op.create_index(
        op.f("series_tenant_id_flow_id_status_id_idx"), "series", ["tenant_id", "flow_id", "status", "id"], unique=False
    )
    op.create_index(
        op.f("series_tenant_id_receiver_id_id_idx"), "series", ["tenant_id", "receiver_id", "id"], unique=False
    )
    op.create_index(
        op.f("series_tenant_id_resource_type_resource_id_id_idx"),
        "series",
        ["tenant_id", "resource_type", "resource_id", "id"],
        unique=False,
    )
    op.create_index(op.f("series_tenant_id_to_id_idx"), "series", ["tenant_id", "to", "id"], unique=False)
    op.create_index(
        "series_version_idx",
        "series",
        ["tenant_id", "flow_version_id", "step"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def _series_hearing() -> None:
    op.create_table(
        "series_hearing",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("series_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column(
            "data", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "kind IN ('reply', 'tap', 'delivered', 'read', 'event')", name=op.f("series_hearing_kind_check")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "series_id"],
            ["series.tenant_id", "series.id"],
            name=op.f("series_hearing_tenant_id_series_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("series_hearing_pkey")),
        sa.UniqueConstraint(
            "tenant_id", "series_id", "cause", name=op.f("series_hearing_tenant_id_series_id_cause_key")
        ),
        sa.UniqueConstraint(
            "tenant_id", "series_id", "number", name=op.f("series_hearing_tenant_id_series_id_number_key")
        ),
    )


def _series_entry() -> None:
    op.create_table(
        "series_entry",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("series_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=True),
        sa.Column(
            "detail", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "series_id"],
            ["series.tenant_id", "series.id"],
            name=op.f("series_entry_tenant_id_series_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("series_entry_pkey")),
        sa.UniqueConstraint(
            "tenant_id", "series_id", "number", name=op.f("series_entry_tenant_id_series_id_number_key")
        ),
    )


def _series_tombstone() -> None:
    op.create_table(
        "series_tombstone",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("flow_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "flow_id"],
            ["flow.tenant_id", "flow.id"],
            name=op.f("series_tombstone_tenant_id_flow_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("series_tombstone_pkey")),
        sa.UniqueConstraint("tenant_id", "flow_id", "key", name=op.f("series_tombstone_tenant_id_flow_id_key_key")),
    )


def upgrade() -> None:
    _series()
    _secure("series", "SELECT, INSERT, UPDATE", "SELECT")
    _series_hearing()
    _secure("series_hearing", "SELECT, INSERT, UPDATE", "SELECT")
    _series_entry()
    _secure("series_entry", "SELECT, INSERT, UPDATE", "SELECT")
    _series_tombstone()
    _secure("series_tombstone", "SELECT, INSERT, UPDATE", "SELECT")
    op.add_column("notification", sa.Column("series_id", sa.Uuid(), nullable=True))
    op.add_column("notification", sa.Column("series_step", sa.Text(), nullable=True))
    op.create_index(
        "notification_series_idx",
        "notification",
        ["tenant_id", "series_id", "id"],
        unique=False,
        postgresql_where=sa.text("series_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("notification_series_idx", table_name="notification")
    op.drop_column("notification", "series_step")
    op.drop_column("notification", "series_id")
    op.drop_table("series_tombstone")
    op.drop_table("series_entry")
    op.drop_table("series_hearing")
    op.drop_table("series")
