"""What people got lately, for caps on how often they are written to."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_TENANT = "nullif(current_setting('carillon.tenant_id', true), '')::uuid"


def upgrade() -> None:
    op.create_table(
        "frequency_entry",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("notification_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "notification_id"],
            ["notification.tenant_id", "notification.id"],
            name=op.f("frequency_entry_tenant_id_notification_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("frequency_entry_pkey")),
        sa.UniqueConstraint("tenant_id", "notification_id", name=op.f("frequency_entry_tenant_id_notification_id_key")),
    )
    op.create_index(
        op.f("frequency_entry_tenant_id_subject_kind_subject_at_idx"),
        "frequency_entry",
        ["tenant_id", "subject_kind", "subject", "at"],
        unique=False,
    )
    op.execute("ALTER TABLE frequency_entry ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE frequency_entry FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own ON frequency_entry TO carillon_app USING (tenant_id = {_TENANT})")
    op.execute("CREATE POLICY above ON frequency_entry TO carillon_system USING (true)")
    op.execute("GRANT SELECT, INSERT, DELETE ON frequency_entry TO carillon_app")
    op.execute("GRANT SELECT, DELETE ON frequency_entry TO carillon_system")


def downgrade() -> None:
    op.drop_table("frequency_entry")
