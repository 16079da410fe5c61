"""What housekeeping found stalled, and what it did about it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
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
    op.create_table(
        "finding",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("repair", sa.Text(), nullable=True),
        sa.Column(
            "detail", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("times", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_found_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("repaired_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('open', 'repaired')", name=op.f("finding_state_check")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("finding_tenant_id_fkey")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("finding_pkey")),
        sa.UniqueConstraint(
            "tenant_id",
            "kind",
            "subject_type",
            "subject_id",
            name=op.f("finding_tenant_id_kind_subject_type_subject_id_key"),
        ),
    )
    op.create_index(op.f("finding_tenant_id_last_found_at_idx"), "finding", ["tenant_id", "last_found_at"])
    _secure("finding", "SELECT, INSERT, UPDATE", "SELECT")
    op.execute("CREATE POLICY above ON tombstone TO carillon_system USING (true)")
    op.execute("GRANT SELECT, DELETE ON tombstone TO carillon_system")


def downgrade() -> None:
    op.execute("REVOKE ALL ON tombstone FROM carillon_system")
    op.execute("DROP POLICY above ON tombstone")
    op.drop_table("finding")
