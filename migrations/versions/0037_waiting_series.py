"""The series of an operation kept in batches, and series that wait for no instant found in turns."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

_TENANT = "nullif(current_setting('carillon.tenant_id', true), '')::uuid"


def _operation_batch() -> None:
    op.create_table(
        "operation_batch",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("first", sa.Uuid(), nullable=False),
        sa.Column("last", sa.Uuid(), nullable=False),
        sa.Column("ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "operation_id"],
            ["operation.tenant_id", "operation.id"],
            name=op.f("operation_batch_tenant_id_operation_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "operation_id", "number", name=op.f("operation_batch_pkey")),
    )
    op.execute("ALTER TABLE operation_batch ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE operation_batch FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own ON operation_batch TO carillon_app USING (tenant_id = {_TENANT})")
    op.execute("CREATE POLICY above ON operation_batch TO carillon_system USING (true)")
    op.execute("GRANT SELECT, INSERT ON operation_batch TO carillon_app")
    op.execute("GRANT SELECT ON operation_batch TO carillon_system")


def upgrade() -> None:
    _operation_batch()
    op.create_index(
        "series_waiting_idx",
        "series",
        ["id"],
        unique=False,
        postgresql_where=sa.text("status = 'running' AND next_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("series_waiting_idx", table_name="series")
    # What is kept in batches and was not taken up yet is kept by rows, as the version before does. Forced row security
    # hides all rows from the owner, too, and lets it add none.
    for table in ("operation_batch", "operation_series"):
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(
        "INSERT INTO operation_series (tenant_id, operation_id, series_id) "
        "SELECT tenant_id, operation_id, unnest(ids) FROM operation_batch ON CONFLICT DO NOTHING"
    )
    op.execute("ALTER TABLE operation_series FORCE ROW LEVEL SECURITY")
    op.drop_table("operation_batch")
