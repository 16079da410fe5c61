"""Schedules, their runs, and the word of the outbox that brings one's clock up to its row."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_TENANT = "nullif(current_setting('carillon.tenant_id', true), '')::uuid"
_KINDS = "ALTER TABLE outbox ADD CONSTRAINT outbox_kind_check CHECK (kind IN ({kinds})) NOT VALID"


def _secure(table: str, app: str, system: str) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own ON {table} TO carillon_app USING (tenant_id = {_TENANT})")
    op.execute(f"CREATE POLICY above ON {table} TO carillon_system USING (true)")
    op.execute(f"GRANT {app} ON {table} TO carillon_app")
    op.execute(f"GRANT {system} ON {table} TO carillon_system")


def _kinds(kinds: str) -> None:
    op.execute("ALTER TABLE outbox DROP CONSTRAINT outbox_kind_check")
    op.execute(_KINDS.format(kinds=kinds))
    op.execute("ALTER TABLE outbox VALIDATE CONSTRAINT outbox_kind_check")  # it has what is on its way, and no more


def _moment(name: str, *, null: bool = True) -> sa.Column[datetime]:
    default = None if null else sa.text("now()")
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=null)


def _schedule() -> None:
    op.create_table(
        "schedule",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("spec", postgresql.JSONB(), nullable=False),
        sa.Column("action", postgresql.JSONB(), nullable=False),
        sa.Column("flow", sa.Text(), nullable=True),
        sa.Column("overlap", sa.Text(), server_default=sa.text("'skip'"), nullable=False),
        sa.Column("catch_up", sa.Integer(), server_default=sa.text("3600"), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'active'"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("runs", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("request_hash", sa.LargeBinary(), nullable=True),
        _moment("counts_from", null=False),
        _moment("last_run_at"),
        _moment("created_at", null=False),
        _moment("updated_at", null=False),
        sa.CheckConstraint("status IN ('active', 'paused', 'ended')", name=op.f("schedule_status_check")),
        sa.CheckConstraint("overlap IN ('skip', 'buffer_one', 'allow')", name=op.f("schedule_overlap_check")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("schedule_tenant_id_fkey")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("schedule_pkey")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("schedule_tenant_id_name_key")),
        sa.UniqueConstraint("tenant_id", "idempotency_key", name=op.f("schedule_tenant_id_idempotency_key_key")),
    )
    op.create_index(op.f("schedule_tenant_id_flow_id_idx"), "schedule", ["tenant_id", "flow", "id"], unique=False)
    op.create_index(
        "schedule_going_idx", "schedule", ["id"], unique=False, postgresql_where=sa.text("status <> 'ended'")
    )


def _run_columns() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("schedule_id", sa.Uuid(), nullable=False),
        _moment("scheduled_at", null=False),
        sa.Column("cause", sa.Text(), server_default=sa.text("'clock'"), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'waiting'"), nullable=False),
        sa.Column("workflow_id", sa.Text(), nullable=True),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("cursor", sa.Uuid(), nullable=True),
        sa.Column("seen", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("started", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("reused", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("refused", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("is_cut", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("refusals", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        _moment("created_at", null=False),
        _moment("started_at"),
        _moment("stepped_at"),
        _moment("ended_at"),
    ]


def _run() -> None:
    op.create_table(
        "schedule_run",
        *_run_columns(),
        sa.CheckConstraint("cause IN ('clock', 'trigger')", name=op.f("schedule_run_cause_check")),
        sa.CheckConstraint(
            "status IN ('waiting', 'running', 'done', 'failed', 'missed')", name=op.f("schedule_run_status_check")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "schedule_id"],
            ["schedule.tenant_id", "schedule.id"],
            name=op.f("schedule_run_tenant_id_schedule_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("schedule_run_pkey")),
        sa.UniqueConstraint(
            "tenant_id", "schedule_id", "scheduled_at", name=op.f("schedule_run_tenant_id_schedule_id_scheduled_at_key")
        ),
        sa.UniqueConstraint(
            "tenant_id",
            "schedule_id",
            "idempotency_key",
            name=op.f("schedule_run_tenant_id_schedule_id_idempotency_key_key"),
        ),
    )
    op.create_index(
        "schedule_run_open_idx", "schedule_run", ["id"], unique=False, postgresql_where=sa.text("ended_at IS NULL")
    )


def upgrade() -> None:
    _schedule()
    _secure("schedule", "SELECT, INSERT, UPDATE, DELETE", "SELECT")
    _run()
    _secure("schedule_run", "SELECT, INSERT, UPDATE, DELETE", "SELECT, DELETE")
    _kinds("'start', 'signal', 'schedule'")


def downgrade() -> None:
    op.execute("DELETE FROM outbox WHERE kind = 'schedule'")
    _kinds("'start', 'signal'")
    op.drop_table("schedule_run")
    op.drop_table("schedule")
