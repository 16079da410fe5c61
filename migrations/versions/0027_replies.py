"""What people answered: on the notification that they answer, and kept for a person where it is unclear."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_TENANT = "nullif(current_setting('carillon.tenant_id', true), '')::uuid"
_HEARD = "('reply', 'tap', 'delivered', 'read', 'event'{})"


def _secure(table: str, app: str, system: str) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own ON {table} TO carillon_app USING (tenant_id = {_TENANT})")
    op.execute(f"CREATE POLICY above ON {table} TO carillon_system USING (true)")
    op.execute(f"GRANT {app} ON {table} TO carillon_app")
    op.execute(f"GRANT {system} ON {table} TO carillon_system")


def _rule(table: str, column: str, allowed: str) -> None:
    """Checks new rows at once and old ones beside those who write."""
    name = f"{table}_{column}_check"
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({column} IN {allowed}) NOT VALID")
    op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")


def _notification() -> None:
    op.add_column("notification", sa.Column("taps", sa.Text(), server_default=sa.text("'any'"), nullable=False))
    op.add_column("notification", sa.Column("replied_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("notification", sa.Column("acted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("notification", sa.Column("acted_on", sa.Text(), nullable=True))
    _rule("notification", "taps", "('any', 'once')")
    op.create_index(
        "notification_answered_idx",
        "notification",
        ["tenant_id", "id"],
        unique=False,
        postgresql_where=sa.text("replied_at IS NOT NULL OR acted_at IS NOT NULL"),
    )


def _inbound_message() -> None:
    op.add_column("inbound_message", sa.Column("tap", sa.Text(), nullable=True))
    op.add_column("inbound_message", sa.Column("tapped_message_id", sa.Uuid(), nullable=True))
    op.add_column("inbound_message", sa.Column("notification_id", sa.Uuid(), nullable=True))
    op.add_column("inbound_message", sa.Column("series_id", sa.Uuid(), nullable=True))
    op.add_column("inbound_message", sa.Column("found_by", sa.Text(), nullable=True))
    op.execute("GRANT UPDATE (notification_id, series_id, found_by) ON inbound_message TO carillon_app")
    _rule("inbound_message", "tap", "('verified', 'unsigned', 'forged')")
    _rule("inbound_message", "found_by", "('button', 'quoted', 'waiting', 'only', 'latest', 'person')")
    op.create_index(
        op.f("inbound_message_tenant_id_notification_id_idx"),
        "inbound_message",
        ["tenant_id", "notification_id"],
        unique=False,
        postgresql_where=sa.text("notification_id IS NOT NULL"),
    )


def _held_reply() -> None:
    op.create_table(
        "held_reply",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("inbound_message_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("candidates", postgresql.ARRAY(sa.Uuid()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("series_id", sa.Uuid(), nullable=True),
        sa.Column("settled_by", sa.Text(), nullable=True),
        sa.Column("settled_reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("reason IN ('several', 'forged')", name=op.f("held_reply_reason_check")),
        sa.CheckConstraint("state IN ('open', 'given', 'dismissed')", name=op.f("held_reply_state_check")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "inbound_message_id"],
            ["inbound_message.tenant_id", "inbound_message.id"],
            name=op.f("held_reply_tenant_id_inbound_message_id_fkey"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "series_id"],
            ["series.tenant_id", "series.id"],
            name=op.f("held_reply_tenant_id_series_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("held_reply_pkey")),
        sa.UniqueConstraint(
            "tenant_id", "inbound_message_id", name=op.f("held_reply_tenant_id_inbound_message_id_key")
        ),
    )
    op.create_index(op.f("held_reply_tenant_id_state_id_idx"), "held_reply", ["tenant_id", "state", "id"], unique=False)


def _held_reply_open() -> None:
    op.create_index(
        "held_reply_open_idx", "held_reply", ["reason"], unique=False, postgresql_where=sa.text("state = 'open'")
    )


def upgrade() -> None:
    _notification()
    _inbound_message()
    _held_reply()
    _held_reply_open()
    _secure("held_reply", "SELECT, INSERT, UPDATE", "SELECT")
    op.drop_constraint(op.f("series_hearing_kind_check"), "series_hearing", type_="check")
    _rule("series_hearing", "kind", _HEARD.format(", 'reaction'"))


def downgrade() -> None:
    op.execute("DELETE FROM series_hearing WHERE kind = 'reaction'")
    op.drop_constraint(op.f("series_hearing_kind_check"), "series_hearing", type_="check")
    _rule("series_hearing", "kind", _HEARD.format(""))
    op.drop_table("held_reply")
    for column in ("tap", "tapped_message_id", "notification_id", "series_id", "found_by"):
        op.drop_column("inbound_message", column)
    for column in ("taps", "replied_at", "acted_at", "acted_on"):
        op.drop_column("notification", column)
