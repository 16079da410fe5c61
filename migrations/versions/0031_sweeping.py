"""What housekeeping removes by age, and how many bytes a series heard."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("series", sa.Column("heard_bytes", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.execute(
        "UPDATE series AS s SET heard_bytes = told.bytes FROM ("
        "SELECT tenant_id, series_id, least(sum(octet_length(data::text)), 2147483647) AS bytes "
        "FROM series_hearing GROUP BY tenant_id, series_id"
        ") AS told WHERE s.tenant_id = told.tenant_id AND s.id = told.series_id AND s.ended_at IS NULL"
    )
    op.create_index("early_event_created_idx", "early_event", ["created_at"], unique=False)
    op.create_index("series_tombstone_created_idx", "series_tombstone", ["created_at"], unique=False)
    op.create_index(
        "schedule_run_ended_idx",
        "schedule_run",
        ["ended_at"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NOT NULL"),
    )
    op.execute("GRANT DELETE ON series_tombstone TO carillon_system")


def downgrade() -> None:
    op.execute("REVOKE DELETE ON series_tombstone FROM carillon_system")
    op.drop_index("schedule_run_ended_idx", table_name="schedule_run")
    op.drop_index("series_tombstone_created_idx", table_name="series_tombstone")
    op.drop_index("early_event_created_idx", table_name="early_event")
    op.drop_column("series", "heard_bytes")
