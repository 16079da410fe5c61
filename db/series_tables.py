"""The tables of flows and series: definitions, runs, what runs heard and did, events, and stops that came first."""

from sqlalchemy import ARRAY, Index, Integer, LargeBinary, Text, UniqueConstraint, Uuid, text

from db.consent_tables import metadata as metadata  # noqa: PLC0414 - the whole schema, once these tables are registered
from db.tables import belongs, col, document, moment, one_of, tenant_table

flow = tenant_table(
    "flow",
    col("name"),
    col("title", default="''"),
    col("status", default="'draft'"),
    col("published_number", Integer, null=True),
    col("newest_number", Integer, default="0"),
    moment("created_at", null=False),
    moment("updated_at", null=False),
    UniqueConstraint("tenant_id", "name"),
    one_of("status", "draft", "active", "paused"),
)

flow_version = tenant_table(
    "flow_version",
    col("flow_id", Uuid),
    col("number", Integer),
    col("source"),
    document("definition", None),
    col("starts_on", ARRAY(Text), default="'{}'"),
    col("hears", ARRAY(Text), default="'{}'"),
    moment("created_at", null=False),
    belongs("flow_id", to="flow"),
    UniqueConstraint("tenant_id", "flow_id", "number"),
)

series = tenant_table(
    "series",
    col("flow_id", Uuid),
    col("flow_version_id", Uuid),
    col("key"),
    col("idempotency_key", null=True),
    col("request_hash", LargeBinary, null=True),
    col("to"),
    col("to_kind"),
    col("receiver_id", Uuid, null=True),
    col("zone", null=True),
    document("anchors"),
    document("data"),
    document("event"),
    col("resource_type", null=True),
    col("resource_id", null=True),
    col("status", default="'running'"),
    col("reason", null=True),
    col("detail", null=True),
    col("step", null=True),
    col("place", Integer, default="0"),
    document("state"),
    document("wakes", "'[]'::jsonb"),
    moment("next_at"),
    col("heard", Integer, default="0"),
    col("entries", Integer, default="0"),
    moment("started_at", null=False),
    moment("updated_at", null=False),
    moment("ended_at"),
    belongs("flow_id", to="flow"),
    belongs("flow_version_id", to="flow_version"),
    belongs("receiver_id", to="recipient"),
    UniqueConstraint("tenant_id", "idempotency_key"),
    one_of("status", "running", "paused", "parked", "completed", "stopped"),
    one_of("to_kind", "recipient", "phone", "email", "whatsapp_user"),
    Index("series_running_idx", "tenant_id", "flow_id", "key", unique=True, postgresql_where=text("ended_at IS NULL")),
    Index(None, "tenant_id", "flow_id", "key", "id"),
    Index(None, "tenant_id", "flow_id", "status", "id"),
    Index(None, "tenant_id", "receiver_id", "id"),
    Index(None, "tenant_id", "to", "id"),
    Index(None, "tenant_id", "resource_type", "resource_id", "id"),
    Index("series_parked_idx", "tenant_id", "reason", postgresql_where=text("status = 'parked'")),
    Index("series_next_idx", "next_at", postgresql_where=text("ended_at IS NULL")),
    Index("series_version_idx", "tenant_id", "flow_version_id", "step", postgresql_where=text("ended_at IS NULL")),
)

series_hearing = tenant_table(
    "series_hearing",
    col("series_id", Uuid),
    col("number", Integer),
    col("cause"),
    col("kind"),
    col("name", null=True),
    document("data"),
    moment("at", null=False),
    belongs("series_id", to="series"),
    UniqueConstraint("tenant_id", "series_id", "number"),
    UniqueConstraint("tenant_id", "series_id", "cause"),
    one_of("kind", "reply", "tap", "delivered", "read", "event", "reaction"),
)

series_entry = tenant_table(
    "series_entry",
    col("series_id", Uuid),
    col("number", Integer),
    col("kind"),
    col("step", null=True),
    document("detail"),
    moment("at", null=False),
    belongs("series_id", to="series"),
    UniqueConstraint("tenant_id", "series_id", "number"),
)

held_reply = tenant_table(
    "held_reply",
    col("inbound_message_id", Uuid),
    col("reason"),
    col("candidates", ARRAY(Uuid), default="'{}'"),
    col("state", default="'open'"),
    col("series_id", Uuid, null=True),
    col("settled_by", null=True),
    col("settled_reason", null=True),
    moment("created_at", null=False),
    moment("settled_at"),
    belongs("inbound_message_id", to="inbound_message"),
    belongs("series_id", to="series"),
    UniqueConstraint("tenant_id", "inbound_message_id"),
    one_of("reason", "several", "forged"),
    one_of("state", "open", "given", "dismissed"),
    Index(None, "tenant_id", "state", "id"),
    Index("held_reply_open_idx", "reason", postgresql_where=text("state = 'open'")),
)

series_tombstone = tenant_table(
    "series_tombstone",
    col("flow_id", Uuid),
    col("key"),
    col("reason", null=True),
    moment("created_at", null=False),
    belongs("flow_id", to="flow"),
    UniqueConstraint("tenant_id", "flow_id", "key"),
)

event = tenant_table(
    "event",
    col("source"),
    col("event_id"),
    col("type"),
    col("subject", null=True),
    document("data"),
    moment("occurred_at", null=False),
    col("started", Integer, default="0"),
    col("fed", Integer, default="0"),
    moment("created_at", null=False),
    UniqueConstraint("tenant_id", "source", "event_id"),
    Index(None, "tenant_id", "type", "id"),
)

early_event = tenant_table(
    "early_event",
    col("flow_id", Uuid),
    col("key"),
    col("event_id", Uuid),
    moment("created_at", null=False),
    belongs("flow_id", to="flow"),
    belongs("event_id", to="event"),
    UniqueConstraint("tenant_id", "flow_id", "key", "event_id"),
)
