"""Which page carries a notification's first attempt."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("notification", sa.Column("page_id", sa.Uuid(), nullable=True))
    op.execute("GRANT UPDATE (page_id) ON notification TO carillon_system")


def downgrade() -> None:
    op.execute("REVOKE UPDATE (page_id) ON notification FROM carillon_system")
    op.drop_column("notification", "page_id")
