"""Topics, consent with its history, and addresses that nothing may reach."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_TENANT = "nullif(current_setting('carillon.tenant_id', true), '')::uuid"
_SUBJECTS = "subject_kind IN ('recipient', 'phone', 'email', 'whatsapp_user')"
_STATES = "state IN ('granted', 'denied', 'pending', 'unset')"


def _secure(table: str, app: str, system: str) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own ON {table} TO carillon_app USING (tenant_id = {_TENANT})")
    op.execute(f"CREATE POLICY above ON {table} TO carillon_system USING (true)")
    op.execute(f"GRANT {app} ON {table} TO carillon_app")
    op.execute(f"GRANT {system} ON {table} TO carillon_system")


def _keys() -> list[sa.Column[Any]]:
    return [sa.Column("tenant_id", sa.Uuid(), nullable=False), sa.Column("id", sa.Uuid(), nullable=False)]


def _moment(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)


def _document(name: str, default: str = "'{}'::jsonb") -> sa.Column[Any]:
    kind = postgresql.JSONB(astext_type=sa.Text())
    return sa.Column(name, kind, server_default=sa.text(default), nullable=False)


def _ends(table: str) -> list[sa.Constraint]:
    return [
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f(f"{table}_tenant_id_fkey")),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f(f"{table}_pkey")),
    ]


def _topic() -> None:
    op.create_table(
        "topic",
        *_keys(),
        sa.Column("name", sa.Text(), nullable=False),
        _document("titles"),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("default_state", sa.Text(), server_default=sa.text("'opted_in'"), nullable=False),
        sa.Column("channels", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("transactional", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        _document("caps", "'[]'::jsonb"),
        _moment("created_at"),
        _moment("updated_at"),
        sa.CheckConstraint("default_state IN ('opted_in', 'opted_out')", name=op.f("topic_default_state_check")),
        *_ends("topic"),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("topic_tenant_id_name_key")),
    )


def _consent() -> None:
    op.create_table(
        "consent",
        *_keys(),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), server_default=sa.text("'*'"), nullable=False),
        sa.Column("topic", sa.Text(), server_default=sa.text("'*'"), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        _document("evidence"),
        _moment("at"),
        _moment("updated_at"),
        sa.CheckConstraint(_SUBJECTS, name=op.f("consent_subject_kind_check")),
        sa.CheckConstraint(_STATES, name=op.f("consent_state_check")),
        *_ends("consent"),
        sa.UniqueConstraint(
            "tenant_id",
            "subject_kind",
            "subject",
            "channel",
            "topic",
            name=op.f("consent_tenant_id_subject_kind_subject_channel_topic_key"),
        ),
    )


def _consent_entry() -> None:
    op.create_table(
        "consent_entry",
        *_keys(),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        _document("evidence"),
        sa.Column("cause", sa.Text(), nullable=True),
        _moment("at"),
        _moment("created_at"),
        sa.CheckConstraint(_SUBJECTS, name=op.f("consent_entry_subject_kind_check")),
        sa.CheckConstraint(_STATES, name=op.f("consent_entry_state_check")),
        *_ends("consent_entry"),
    )
    op.create_index(
        op.f("consent_entry_tenant_id_subject_kind_subject_id_idx"),
        "consent_entry",
        ["tenant_id", "subject_kind", "subject", "id"],
        unique=False,
    )
    op.create_index(
        "consent_entry_cause_idx",
        "consent_entry",
        ["tenant_id", "cause", "subject_kind", "subject", "channel", "topic"],
        unique=True,
        postgresql_where=sa.text("cause IS NOT NULL"),
    )


def _suppression() -> None:
    op.create_table(
        "suppression",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reply_id", sa.Uuid(), nullable=True),
        _moment("at"),
        _moment("created_at"),
        sa.CheckConstraint("kind IN ('phone', 'email', 'whatsapp_user')", name=op.f("suppression_kind_check")),
        sa.CheckConstraint("status IN ('suppressed', 'invalid')", name=op.f("suppression_status_check")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenant.id"], name=op.f("suppression_tenant_id_fkey")),
        sa.PrimaryKeyConstraint("tenant_id", "kind", "value", name=op.f("suppression_pkey")),
    )


def upgrade() -> None:
    _topic()
    _secure("topic", "SELECT, INSERT, UPDATE, DELETE", "SELECT")
    _consent()
    _secure("consent", "SELECT, INSERT, UPDATE, DELETE", "SELECT")
    _consent_entry()
    _secure("consent_entry", "SELECT, INSERT, DELETE", "SELECT, DELETE")
    _suppression()
    _secure("suppression", "SELECT, INSERT, UPDATE, DELETE", "SELECT")
    op.add_column("template", sa.Column("topic", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("template", "topic")
    op.drop_table("suppression")
    op.drop_table("consent_entry")
    op.drop_table("consent")
    op.drop_table("topic")
