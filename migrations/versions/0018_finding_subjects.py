"""Findings by what they are about: timelines ask for them."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("finding_subject_idx", "finding", ["tenant_id", "subject_type", "subject_id"])


def downgrade() -> None:
    op.drop_index("finding_subject_idx", table_name="finding")
