"""The two roles that transactions run as; neither owns anything, and neither can log in."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Roles belong to the whole cluster: another database of it may have made them already, perhaps at this moment.
_CREATE = """
DO $$ BEGIN
    CREATE ROLE {role} NOLOGIN NOINHERIT;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$
"""

# The login may become either role, but has none of their rights by itself: a statement outside a tenant's or the
# system's transaction sees nothing. Before PostgreSQL 16 that needs a login role with NOINHERIT.
_GRANT = """
DO $$ BEGIN
    IF current_setting('server_version_num')::int >= 160000
    THEN EXECUTE format('GRANT {role} TO %I WITH INHERIT FALSE, SET TRUE', current_user);
    ELSE EXECUTE format('GRANT {role} TO %I', current_user); END IF;
EXCEPTION WHEN unique_violation THEN NULL;
END $$
"""


def upgrade() -> None:
    for role in ("carillon_app", "carillon_system"):
        op.execute(_CREATE.format(role=role))
        op.execute(_GRANT.format(role=role))
        op.execute(f"GRANT USAGE ON SCHEMA public TO {role}")


def downgrade() -> None:
    for role in ("carillon_app", "carillon_system"):
        op.execute(f"REVOKE USAGE ON SCHEMA public FROM {role}")
