"""Rate limits: one moment per bucket, and counts per day."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
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
        "rate_bucket",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("rate_bucket_tenant_id_fkey")),
        sa.PrimaryKeyConstraint("tenant_id", "key", name=op.f("rate_bucket_pkey")),
    )
    _secure("rate_bucket", "SELECT, INSERT, UPDATE", "SELECT, DELETE")
    op.create_table(
        "day_count",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("day_count_tenant_id_fkey")),
        sa.PrimaryKeyConstraint("tenant_id", "key", "day", name=op.f("day_count_pkey")),
    )
    _secure("day_count", "SELECT, INSERT, UPDATE", "SELECT, DELETE")


def downgrade() -> None:
    op.drop_table("day_count")
    op.drop_table("rate_bucket")
