"""The quiet hours that a message goes with, to be asked again when it is sent."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("notification", sa.Column("quiet", postgresql.JSONB(), nullable=True))


def downgrade() -> None:
    op.drop_column("notification", "quiet")
