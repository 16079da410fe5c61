"""Row level security, enabled and forced on every table, and the grants of the two roles."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TENANT = "nullif(current_setting('carillon.tenant_id', true), '')::uuid"

# What a tenant's transaction may do with each table. Receipts, callbacks, decisions and the audit trail are append-only
# for it (a repeated callback is counted on its row); nothing of the ledger is ever deleted by it.
_TENANT_GRANTS = {
    "api_key": "SELECT, INSERT, UPDATE",
    "audit_entry": "SELECT, INSERT",
    "account": "SELECT, INSERT, UPDATE",
    "recipient": "SELECT, INSERT, UPDATE, DELETE",
    "address": "SELECT, INSERT, UPDATE, DELETE",
    "upload": "SELECT, INSERT, DELETE",
    "template": "SELECT, INSERT, UPDATE",
    "template_version": "SELECT, INSERT, UPDATE (published_at)",
    "notification": "SELECT, INSERT, UPDATE",
    "message": "SELECT, INSERT, UPDATE",
    "attempt": "SELECT, INSERT, UPDATE",
    "callback": "SELECT, INSERT, UPDATE (times, last_received_at)",
    "receipt": "SELECT, INSERT, UPDATE (message_id, attempt_id)",
    "inbound_message": "SELECT, INSERT",
    "decision": "SELECT, INSERT",
    "outbox": "SELECT, INSERT, DELETE",
}

# What stands above tenants: finding the key of a request, creating tenants, handing the outbox to Temporal.
_SYSTEM_GRANTS = {
    "tenant": "SELECT, INSERT, UPDATE",
    "api_key": "SELECT, INSERT, UPDATE",
    "audit_entry": "SELECT, INSERT",
    "outbox": "SELECT, INSERT, UPDATE, DELETE",
    "notification": "SELECT",
    "message": "SELECT",
    "attempt": "SELECT",
    "receipt": "SELECT",
    "account": "SELECT",
}


def upgrade() -> None:
    op.execute("ALTER TABLE tenant ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE tenant FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own ON tenant TO carillon_app USING (id = {_TENANT})")
    op.execute("GRANT SELECT ON tenant TO carillon_app")
    for table, grants in _TENANT_GRANTS.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY own ON {table} TO carillon_app USING (tenant_id = {_TENANT})")
        op.execute(f"GRANT {grants} ON {table} TO carillon_app")
    for table, grants in _SYSTEM_GRANTS.items():
        op.execute(f"CREATE POLICY above ON {table} TO carillon_system USING (true)")
        op.execute(f"GRANT {grants} ON {table} TO carillon_system")


def downgrade() -> None:
    for table in _SYSTEM_GRANTS:
        op.execute(f"REVOKE ALL ON {table} FROM carillon_system")
        op.execute(f"DROP POLICY above ON {table}")
    for table in [*_TENANT_GRANTS, "tenant"]:
        op.execute(f"REVOKE ALL ON {table} FROM carillon_app")
        op.execute(f"DROP POLICY own ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
