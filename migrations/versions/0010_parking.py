"""Parked notifications, operations over many of them, and which account an attempt used."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
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


def upgrade() -> None:
    op.add_column("notification", sa.Column("parked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("notification", sa.Column("parked_cause", sa.Text(), nullable=True))
    op.add_column("notification", sa.Column("parked_account_id", sa.Uuid(), nullable=True))
    op.create_index(
        "notification_parked_idx",
        "notification",
        ["tenant_id", "parked_cause", "id"],
        postgresql_where=sa.text("parked_at IS NOT NULL"),
    )
    op.add_column("attempt", sa.Column("account_id", sa.Uuid(), nullable=True))
    op.create_table(
        "operation",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column(
            "filter", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("rate", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("cursor", sa.Uuid(), nullable=True),
        sa.Column("until", sa.Uuid(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('resume', 'drop')", name=op.f("operation_kind_check")),
        sa.CheckConstraint("state IN ('pending', 'running', 'done', 'stopped')", name=op.f("operation_state_check")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("operation_tenant_id_fkey")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("operation_pkey")),
    )
    _secure("operation", "SELECT, INSERT, UPDATE", "SELECT")


def downgrade() -> None:
    op.drop_table("operation")
    op.drop_column("attempt", "account_id")
    op.drop_index("notification_parked_idx", table_name="notification")
    op.drop_column("notification", "parked_account_id")
    op.drop_column("notification", "parked_cause")
    op.drop_column("notification", "parked_at")
