"""Types of events: what their data looks like, and how many came, were refused or did not fit."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_TENANT = "nullif(current_setting('carillon.tenant_id', true), '')::uuid"
_NOBODY = "'00000000-0000-0000-0000-000000000000'"

# A type was met with its first event. What came up to ten minutes ago is all committed, so it is counted here for all.
_MET = """
WITH settled AS (
    SELECT rpad(lpad(to_hex((extract(epoch FROM now() - interval '10 minutes') * 1000)::bigint), 12, '0'), 32, '0')::uuid
        AS until
)
INSERT INTO event_type (tenant_id, id, type, came, counted_to)
SELECT tenant_id, (array_agg(event.id ORDER BY event.id))[1], type, count(*) FILTER (WHERE event.id < until),
       coalesce((array_agg(event.id ORDER BY event.id DESC) FILTER (WHERE event.id < until))[1],
                '00000000-0000-0000-0000-000000000000')
FROM event CROSS JOIN settled GROUP BY tenant_id, type
"""


def _secure(table: str, app: str, system: str) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own ON {table} TO carillon_app USING (tenant_id = {_TENANT})")
    op.execute(f"CREATE POLICY above ON {table} TO carillon_system USING (true)")
    op.execute(f"GRANT {app} ON {table} TO carillon_app")
    op.execute(f"GRANT {system} ON {table} TO carillon_system")


def _event_type() -> None:
    json = postgresql.JSONB(astext_type=sa.Text())
    op.create_table(
        "event_type",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("known", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("mode", sa.Text(), server_default=sa.text("'enforce'"), nullable=False),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("schema", json, nullable=True),
        sa.Column("examples", json, server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("came", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("warned", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("counted_to", sa.Uuid(), server_default=sa.text(_NOBODY), nullable=False),
        sa.Column("refused", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_refused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_refusal", json, nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("mode IN ('enforce', 'warn')", name=op.f("event_type_mode_check")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("event_type_tenant_id_fkey")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("event_type_pkey")),
        sa.UniqueConstraint("tenant_id", "type", name=op.f("event_type_tenant_id_type_key")),
    )


def upgrade() -> None:
    _event_type()
    _secure("event_type", "SELECT, INSERT, UPDATE, DELETE", "SELECT, UPDATE")
    op.execute("GRANT SELECT ON event TO carillon_system")
    op.add_column("event", sa.Column("faults", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.create_index(
        "event_faulty_idx",
        "event",
        ["tenant_id", "id"],
        unique=False,
        postgresql_where=sa.text("faults IS NOT NULL"),
    )
    op.execute(_MET)


def downgrade() -> None:
    op.drop_index("event_faulty_idx", table_name="event")
    op.drop_column("event", "faults")
    op.drop_table("event_type")
