"""Operations over many series beside those over parked notifications."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def _kinds(allowed: str) -> None:
    op.drop_constraint(op.f("operation_kind_check"), "operation", type_="check")
    op.execute(f"ALTER TABLE operation ADD CONSTRAINT operation_kind_check CHECK (kind IN {allowed}) NOT VALID")
    op.execute("ALTER TABLE operation VALIDATE CONSTRAINT operation_kind_check")


def upgrade() -> None:
    op.add_column(
        "operation", sa.Column("subject", sa.Text(), server_default=sa.text("'notification'"), nullable=False)
    )
    op.execute(
        "ALTER TABLE operation ADD CONSTRAINT operation_subject_check "
        "CHECK (subject IN ('notification', 'series')) NOT VALID"
    )
    op.execute("ALTER TABLE operation VALIDATE CONSTRAINT operation_subject_check")
    _kinds("('resume', 'drop', 'pause', 'stop')")


def downgrade() -> None:
    op.execute("DELETE FROM operation WHERE subject = 'series'")
    _kinds("('resume', 'drop')")
    op.drop_column("operation", "subject")
