"""What housekeeping looks for: open notifications, receipts without a message, open findings."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("notification_open_idx", "notification", ["id"], postgresql_where=sa.text("ended_at IS NULL"))
    op.create_index("receipt_waiting_idx", "receipt", ["received_at"], postgresql_where=sa.text("message_id IS NULL"))
    op.create_index("finding_open_idx", "finding", ["kind", "id"], postgresql_where=sa.text("state = 'open'"))


def downgrade() -> None:
    op.drop_index("finding_open_idx", table_name="finding")
    op.drop_index("receipt_waiting_idx", table_name="receipt")
    op.drop_index("notification_open_idx", table_name="notification")
