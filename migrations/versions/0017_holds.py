"""Until when limits hold a notification, and why: for people who ask while it waits."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("notification", sa.Column("held_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("notification", sa.Column("held_reason", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("notification", "held_reason")
    op.drop_column("notification", "held_until")
