"""Circuits, the health of accounts, and how accounts of one channel share the work."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
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
    op.add_column("account", sa.Column("weight", sa.SmallInteger(), server_default=sa.text("1"), nullable=False))
    op.add_column(
        "account",
        sa.Column(
            "limits", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
    )
    _create_circuits()
    op.create_table(
        "account_health",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("streak", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "measured", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("level IN ('healthy', 'slow', 'failing')", name=op.f("account_health_level_check")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("account_health_tenant_id_fkey")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("account_health_tenant_id_account_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("account_health_pkey")),
        sa.UniqueConstraint("tenant_id", "account_id", name=op.f("account_health_tenant_id_account_id_key")),
    )
    _secure("account_health", "SELECT, INSERT, UPDATE", "SELECT")


def _create_circuits() -> None:
    op.create_table(
        "circuit",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'closed'"), nullable=False),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("probes", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("episode", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("probe_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("state IN ('closed', 'open', 'half_open')", name=op.f("circuit_state_check")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("circuit_tenant_id_fkey")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["account.tenant_id", "account.id"],
            name=op.f("circuit_tenant_id_account_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("circuit_pkey")),
        sa.UniqueConstraint("tenant_id", "subject", name=op.f("circuit_tenant_id_subject_key")),
    )
    _secure("circuit", "SELECT, INSERT, UPDATE", "SELECT")


def downgrade() -> None:
    op.drop_table("account_health")
    op.drop_table("circuit")
    op.drop_column("account", "limits")
    op.drop_column("account", "weight")
