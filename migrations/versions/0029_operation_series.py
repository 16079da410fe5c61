"""The series that an operation takes up, kept when it is created, with what became of each."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_TENANT = "nullif(current_setting('carillon.tenant_id', true), '')::uuid"


def _kinds(allowed: str) -> None:
    op.drop_constraint(op.f("operation_kind_check"), "operation", type_="check")
    op.execute(f"ALTER TABLE operation ADD CONSTRAINT operation_kind_check CHECK (kind IN {allowed}) NOT VALID")
    op.execute("ALTER TABLE operation VALIDATE CONSTRAINT operation_kind_check")


def _operation_series() -> None:
    op.create_table(
        "operation_series",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("series_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('open', 'done', 'refused')", name=op.f("operation_series_state_check")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "operation_id"],
            ["operation.tenant_id", "operation.id"],
            name=op.f("operation_series_tenant_id_operation_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "operation_id", "series_id", name=op.f("operation_series_pkey")),
    )
    op.create_index(
        "operation_series_refused_idx",
        "operation_series",
        ["tenant_id", "operation_id", "series_id"],
        unique=False,
        postgresql_where=sa.text("state = 'refused'"),
    )


def _secure() -> None:
    op.execute("ALTER TABLE operation_series ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE operation_series FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own ON operation_series TO carillon_app USING (tenant_id = {_TENANT})")
    op.execute("CREATE POLICY above ON operation_series TO carillon_system USING (true)")
    op.execute("GRANT SELECT, INSERT, UPDATE ON operation_series TO carillon_app")
    op.execute("GRANT SELECT ON operation_series TO carillon_system")


def upgrade() -> None:
    op.add_column("operation", sa.Column("refused", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column(
        "operation",
        sa.Column(
            "order", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
    )
    _kinds("('resume', 'drop', 'pause', 'stop', 'skip', 'run_again', 'move')")
    _operation_series()
    _secure()
    # Of those that run, nobody kept what they meant: they end here, and somebody creates them again.
    op.execute(
        "UPDATE operation SET state = 'stopped', finished_at = now() "
        "WHERE subject = 'series' AND state IN ('pending', 'running')"
    )


def downgrade() -> None:
    op.drop_table("operation_series")
    op.execute("DELETE FROM operation WHERE kind IN ('skip', 'run_again', 'move')")
    _kinds("('resume', 'drop', 'pause', 'stop')")
    op.drop_column("operation", "order")
    op.drop_column("operation", "refused")
