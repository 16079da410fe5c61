"""Calendars of tenants: days off that flows ask."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

_TENANT = "nullif(current_setting('carillon.tenant_id', true), '')::uuid"


def upgrade() -> None:
    op.create_table(
        "calendar",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("days", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("calendar_tenant_id_fkey")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("calendar_pkey")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("calendar_tenant_id_name_key")),
    )
    op.execute("ALTER TABLE calendar ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE calendar FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own ON calendar TO carillon_app USING (tenant_id = {_TENANT})")
    op.execute("CREATE POLICY above ON calendar TO carillon_system USING (true)")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON calendar TO carillon_app")
    op.execute("GRANT SELECT ON calendar TO carillon_system")


def downgrade() -> None:
    op.drop_table("calendar")
