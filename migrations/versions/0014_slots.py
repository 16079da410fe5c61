"""Slots that limits gave ahead of time, and the instant until which a provider wants to be left alone."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "rate_bucket",
        sa.Column(
            "ahead", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False
        ),
    )
    op.add_column("rate_bucket", sa.Column("not_before", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("rate_bucket", "not_before")
    op.drop_column("rate_bucket", "ahead")
