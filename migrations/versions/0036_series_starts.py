"""What a request to start a series was answered, by its idempotency key."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

_TENANT = "nullif(current_setting('carillon.tenant_id', true), '')::uuid"


def upgrade() -> None:
    op.create_table(
        "series_start",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("series_id", sa.Uuid(), nullable=True),
        sa.Column("replaced", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "result IN ('started', 'reused', 'ignored', 'stopped_before_start')", name=op.f("series_start_result_check")
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("series_start_tenant_id_fkey")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("series_start_pkey")),
        sa.UniqueConstraint("tenant_id", "idempotency_key", name=op.f("series_start_tenant_id_idempotency_key_key")),
    )
    op.execute("ALTER TABLE series_start ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE series_start FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own ON series_start TO carillon_app USING (tenant_id = {_TENANT})")
    op.execute("CREATE POLICY above ON series_start TO carillon_system USING (true)")
    op.execute("GRANT SELECT, INSERT ON series_start TO carillon_app")
    op.execute("GRANT SELECT ON series_start TO carillon_system")


def downgrade() -> None:
    op.drop_table("series_start")
