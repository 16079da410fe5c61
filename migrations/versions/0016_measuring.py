"""The attempts of an account in order of time, from which its health is measured."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("attempt_account_idx", "attempt", ["tenant_id", "account_id", "claimed_at"])


def downgrade() -> None:
    op.drop_index("attempt_account_idx", table_name="attempt")
