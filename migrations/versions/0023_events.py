"""Events, and those that wait for a series."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"
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


def _event() -> None:
    op.create_table(
        "event",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column(
            "data", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("occurred_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("started", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("fed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("event_tenant_id_fkey")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("event_pkey")),
        sa.UniqueConstraint("tenant_id", "source", "event_id", name=op.f("event_tenant_id_source_event_id_key")),
    )
    op.create_index(op.f("event_tenant_id_type_id_idx"), "event", ["tenant_id", "type", "id"], unique=False)


def _early_event() -> None:
    op.create_table(
        "early_event",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("flow_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "event_id"], ["event.tenant_id", "event.id"], name=op.f("early_event_tenant_id_event_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "flow_id"], ["flow.tenant_id", "flow.id"], name=op.f("early_event_tenant_id_flow_id_fkey")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("early_event_pkey")),
        sa.UniqueConstraint(
            "tenant_id", "flow_id", "key", "event_id", name=op.f("early_event_tenant_id_flow_id_key_event_id_key")
        ),
    )


def upgrade() -> None:
    _event()
    _secure("event", "SELECT, INSERT, UPDATE, DELETE", "SELECT, DELETE")
    _early_event()
    _secure("early_event", "SELECT, INSERT, UPDATE, DELETE", "SELECT, DELETE")


def downgrade() -> None:
    op.drop_table("early_event")
    op.drop_table("event")
