"""What a series did not hear because it had heard too much, and replies that are held for that reason."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def _reasons(allowed: str) -> None:
    op.drop_constraint(op.f("held_reply_reason_check"), "held_reply", type_="check")
    op.execute(f"ALTER TABLE held_reply ADD CONSTRAINT held_reply_reason_check CHECK (reason IN {allowed}) NOT VALID")
    op.execute("ALTER TABLE held_reply VALIDATE CONSTRAINT held_reply_reason_check")


def upgrade() -> None:
    op.add_column("series", sa.Column("unheard", sa.Integer(), server_default=sa.text("0"), nullable=False))
    _reasons("('several', 'forged', 'full')")


def downgrade() -> None:
    # Forced row security hides all rows from the owner, too.
    op.execute("ALTER TABLE held_reply NO FORCE ROW LEVEL SECURITY")
    op.execute("DELETE FROM held_reply WHERE reason = 'full'")
    op.execute("ALTER TABLE held_reply FORCE ROW LEVEL SECURITY")
    _reasons("('several', 'forged')")
    op.drop_column("series", "unheard")
