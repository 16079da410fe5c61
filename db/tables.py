"""The tables, as SQLAlchemy Core; the migrations are the truth and `alembic check` holds both together.

Every tenant table has `tenant_id` first in its primary key and in every unique key, and row level security forced.
"""

from typing import Any

from sqlalchemy import (
    ARRAY,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)


def col(name: str, kind: Any = Text, *, null: bool = False, default: str | None = None) -> Column[Any]:
    """Returns a column, not null unless said; `default` is an SQL expression."""
    return Column(name, kind, nullable=null, server_default=text(default) if default is not None else None)


def moment(name: str, *, null: bool = True) -> Column[Any]:
    """Returns a point in time with zone; one that is never null is set by the database."""
    return Column(name, DateTime(timezone=True), nullable=null, server_default=None if null else func.now())


def document(name: str, default: str | None = "'{}'::jsonb", *, null: bool = False) -> Column[Any]:
    """Returns a JSON column."""
    return col(name, JSONB, null=null, default=default)


def belongs(*pairs: str, to: str) -> ForeignKeyConstraint:
    """References `(tenant_id, id)` of a tenant table, so that no row can point at another tenant's."""
    return ForeignKeyConstraint(["tenant_id", *pairs], [f"{to}.tenant_id", f"{to}.id"])


def one_of(name: str, *values: str) -> CheckConstraint:
    """Returns the check that a column holds one of `values`."""
    return CheckConstraint(f"{name} IN ({', '.join(repr(value) for value in values)})", name=name)


def tenant_table(name: str, *parts: Any) -> Table:
    """Returns a table of tenants' rows, keyed by tenant first.

    Rows that always belong to another row of the tenant refer to that alone: each check of a reference locks what it
    refers to, and the tenant's row would be locked by all that happens at once.
    """
    needed = {part.name for part in parts if isinstance(part, Column) and not part.nullable}
    belonging = [part for part in parts if isinstance(part, ForeignKeyConstraint)]
    is_implied = any(needed.issuperset(set(part.column_keys) - {"tenant_id"}) for part in belonging)
    reference = () if is_implied else (ForeignKey("tenant.id"),)
    keys = [Column("tenant_id", Uuid, *reference, nullable=False), Column("id", Uuid, nullable=False)]
    return Table(name, metadata, *keys, *parts, PrimaryKeyConstraint("tenant_id", "id"))


STATUSES = (
    "queued", "accepted", "sent", "delivered", "read",
    "rejected", "failed", "bounced", "expired", "cancelled", "unknown",
)  # fmt: skip
CHANNELS = ("whatsapp", "email", "sms", "in_app", "webhook")

tenant = Table(
    "tenant",
    metadata,
    Column("id", Uuid, primary_key=True),
    col("name"),
    col("state", default="'active'"),
    document("settings"),
    moment("created_at", null=False),
    moment("updated_at", null=False),
    UniqueConstraint("name"),
    one_of("state", "active", "suspended"),
)

api_key = tenant_table(
    "api_key",
    col("name"),
    col("prefix"),
    col("digest", LargeBinary),
    col("scopes", ARRAY(Text)),
    moment("created_at", null=False),
    moment("last_used_at"),
    moment("expires_at"),
    moment("revoked_at"),
    UniqueConstraint("tenant_id", "prefix"),
    Index(None, "prefix"),
)

account = tenant_table(
    "account",
    col("name"),
    col("channel"),
    col("provider"),
    col("state", default="'pending'"),
    col("state_reason", null=True),
    col("sender", null=True),
    col("priority", SmallInteger, default="0"),
    col("weight", SmallInteger, default="1"),
    document("limits"),
    col("sealed_config", LargeBinary),
    document("public_config"),
    moment("verified_at"),
    moment("created_at", null=False),
    moment("updated_at", null=False),
    UniqueConstraint("tenant_id", "name"),
    one_of("state", "pending", "active", "suspended", "retired"),
    one_of("channel", *CHANNELS),
    Index(None, "tenant_id", "channel", "state"),
)

recipient = tenant_table(
    "recipient",
    col("external_id"),
    col("name", null=True),
    col("locale", null=True),
    col("zone", null=True),
    document("attributes"),
    moment("created_at", null=False),
    moment("updated_at", null=False),
    UniqueConstraint("tenant_id", "external_id"),
)

address = tenant_table(
    "address",
    col("recipient_id", Uuid),
    col("kind"),
    col("value"),
    col("verified", Boolean, default="false"),
    col("status", default="'active'"),
    col("status_reason", null=True),
    col("position", SmallInteger, default="0"),
    moment("created_at", null=False),
    moment("updated_at", null=False),
    belongs("recipient_id", to="recipient"),
    UniqueConstraint("tenant_id", "recipient_id", "kind", "value"),
    one_of("kind", "phone", "email", "whatsapp_user"),
    one_of("status", "active", "suppressed", "invalid"),
    Index(None, "tenant_id", "kind", "value"),
)

template = tenant_table(
    "template",
    col("name"),
    col("description", default="''"),
    col("channels", ARRAY(Text)),
    document("defaults"),
    col("topic", null=True),
    col("published_number", Integer, null=True),
    col("latest_number", Integer, default="0"),
    moment("created_at", null=False),
    moment("updated_at", null=False),
    UniqueConstraint("tenant_id", "name"),
)

template_version = tenant_table(
    "template_version",
    col("template_id", Uuid),
    col("number", Integer),
    document("parts", "'[]'::jsonb"),
    document("variables"),
    col("content_hash"),
    col("note", default="''"),
    col("created_by", null=True),
    moment("created_at", null=False),
    moment("published_at"),
    belongs("template_id", to="template"),
    UniqueConstraint("tenant_id", "template_id", "number"),
)

upload = tenant_table(
    "upload",
    col("filename"),
    col("content_type"),
    col("size", Integer),
    col("sha256"),
    col("body", LargeBinary),
    moment("created_at", null=False),
    moment("expires_at"),
)

audit_entry = tenant_table(
    "audit_entry",
    col("actor"),
    col("action"),
    col("subject_type"),
    col("subject_id"),
    document("detail"),
    moment("created_at", null=False),
    Index(None, "tenant_id", "created_at"),
    Index(None, "tenant_id", "subject_type", "subject_id"),
)

outbox = tenant_table(
    "outbox",
    col("lane", SmallInteger),
    col("kind"),
    col("workflow_id"),
    col("dedup_key"),
    document("payload"),
    col("leases", Integer, default="0"),
    moment("leased_until"),
    moment("created_at", null=False),
    UniqueConstraint("tenant_id", "dedup_key"),
    one_of("kind", "start", "signal", "schedule"),
    Index(None, "lane", "tenant_id", "id"),
)
