"""Rows that always belong to another row of their tenant no longer lock the tenant's own row when they are made."""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_TABLES = (
    "address",
    "template_version",
    "notification",
    "message",
    "attempt",
    "receipt",
    "inbound_message",
    "decision",
    "circuit",
    "account_health",
)


def upgrade() -> None:
    for table in _TABLES:
        op.drop_constraint(f"{table}_tenant_id_fkey", table)


def downgrade() -> None:
    for table in _TABLES:
        op.create_foreign_key(f"{table}_tenant_id_fkey", table, "tenant", ["tenant_id"], ["id"])
