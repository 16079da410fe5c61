"""Flows and their versions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0021"
down_revision = "0020"
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


def _flow() -> None:
    op.create_table(
        "flow",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'draft'"), nullable=False),
        sa.Column("published_number", sa.Integer(), nullable=True),
        sa.Column("newest_number", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("status IN ('draft', 'active', 'paused')", name=op.f("flow_status_check")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("flow_tenant_id_fkey")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("flow_pkey")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("flow_tenant_id_name_key")),
    )


def _flow_version() -> None:
    op.create_table(
        "flow_version",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("flow_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("definition", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("starts_on", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("hears", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "flow_id"], ["flow.tenant_id", "flow.id"], name=op.f("flow_version_tenant_id_flow_id_fkey")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("flow_version_pkey")),
        sa.UniqueConstraint("tenant_id", "flow_id", "number", name=op.f("flow_version_tenant_id_flow_id_number_key")),
    )


def upgrade() -> None:
    _flow()
    _secure("flow", "SELECT, INSERT, UPDATE", "SELECT")
    _flow_version()
    _secure("flow_version", "SELECT, INSERT, UPDATE", "SELECT")


def downgrade() -> None:
    op.drop_table("flow_version")
    op.drop_table("flow")
