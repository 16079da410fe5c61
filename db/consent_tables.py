"""The tables of consent: topics, what people chose and how it came to that, and addresses that nothing may reach."""

from sqlalchemy import (
    ARRAY,
    Boolean,
    Column,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from db.care_tables import metadata as metadata  # noqa: PLC0414 - the whole schema, once these tables are registered
from db.tables import belongs, col, document, moment, one_of, tenant_table

SUBJECTS = ("recipient", "phone", "email", "whatsapp_user")
EVERY = "*"
"""Stands in `channel` for all channels, and in `topic` for all topics."""

topic = tenant_table(
    "topic",
    col("name"),
    document("titles"),
    col("description", default="''"),
    col("default_state", default="'opted_in'"),
    col("channels", ARRAY(Text), default="'{}'"),
    col("transactional", Boolean, default="false"),
    document("caps", "'[]'::jsonb"),
    moment("created_at", null=False),
    moment("updated_at", null=False),
    UniqueConstraint("tenant_id", "name"),
    one_of("default_state", "opted_in", "opted_out"),
)

consent = tenant_table(
    "consent",
    col("subject_kind"),
    col("subject"),
    col("channel", default="'*'"),
    col("topic", default="'*'"),
    col("state"),
    col("source"),
    document("evidence"),
    moment("at", null=False),
    moment("updated_at", null=False),
    UniqueConstraint("tenant_id", "subject_kind", "subject", "channel", "topic"),
    one_of("subject_kind", *SUBJECTS),
    one_of("state", "granted", "denied", "pending", "unset"),
)

consent_entry = tenant_table(
    "consent_entry",
    col("subject_kind"),
    col("subject"),
    col("channel"),
    col("topic"),
    col("state"),
    col("source"),
    document("evidence"),
    col("cause", null=True),
    moment("at", null=False),
    moment("created_at", null=False),
    one_of("subject_kind", *SUBJECTS),
    one_of("state", "granted", "denied", "pending", "unset"),
    Index(None, "tenant_id", "subject_kind", "subject", "id"),
    Index(
        "consent_entry_cause_idx",
        "tenant_id", "cause", "subject_kind", "subject", "channel", "topic",
        unique=True,
        postgresql_where=text("cause IS NOT NULL"),
    ),
)  # fmt: skip

suppression = Table(
    "suppression",
    metadata,
    Column("tenant_id", Uuid, ForeignKey("tenant.id"), nullable=False),
    col("kind"),
    col("value"),
    col("status"),
    col("reason"),
    col("reply_id", Uuid, null=True),
    col("id", Uuid, default="gen_random_uuid()"),
    col("note", null=True),
    moment("at", null=False),
    moment("created_at", null=False),
    PrimaryKeyConstraint("tenant_id", "kind", "value"),
    UniqueConstraint("tenant_id", "id"),
    one_of("kind", "phone", "email", "whatsapp_user"),
    one_of("status", "suppressed", "invalid"),
)

frequency_entry = tenant_table(
    "frequency_entry",
    col("subject_kind"),
    col("subject"),
    col("channel"),
    col("topic", null=True),
    col("notification_id", Uuid),
    moment("at", null=False),
    belongs("notification_id", to="notification"),
    UniqueConstraint("tenant_id", "notification_id"),
    Index(None, "tenant_id", "subject_kind", "subject", "at"),
)
