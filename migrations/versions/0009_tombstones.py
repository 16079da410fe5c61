"""Cancellations that come before their notification, and what finding resends, replies and addresses needs."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TENANT = "nullif(current_setting('carillon.tenant_id', true), '')::uuid"


def upgrade() -> None:
    op.create_table(
        "tombstone",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("tombstone_tenant_id_fkey")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("tombstone_pkey")),
        sa.UniqueConstraint("tenant_id", "idempotency_key", name=op.f("tombstone_tenant_id_idempotency_key_key")),
    )
    op.execute("ALTER TABLE tombstone ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE tombstone FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own ON tombstone TO carillon_app USING (tenant_id = {_TENANT})")
    op.execute("GRANT SELECT, INSERT ON tombstone TO carillon_app")
    op.create_index(op.f("notification_tenant_id_to_id_idx"), "notification", ["tenant_id", "to", "id"])
    op.create_index(
        op.f("notification_tenant_id_original_notification_id_idx"),
        "notification",
        ["tenant_id", "original_notification_id"],
        postgresql_where=sa.text("original_notification_id IS NOT NULL"),
    )
    op.create_index(
        op.f("inbound_message_tenant_id_quotes_idx"),
        "inbound_message",
        ["tenant_id", "quotes"],
        postgresql_where=sa.text("quotes IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index(op.f("inbound_message_tenant_id_quotes_idx"), table_name="inbound_message")
    op.drop_index(op.f("notification_tenant_id_original_notification_id_idx"), table_name="notification")
    op.drop_index(op.f("notification_tenant_id_to_id_idx"), table_name="notification")
    op.drop_table("tombstone")
