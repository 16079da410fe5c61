"""Suppressions by an id of their own, in the order in which they came, with what somebody noted about them."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

# As ids are made: the time in milliseconds, then chance (RFC 9562, version 7).
_GIVE_IDS = """
UPDATE suppression SET id = (lpad(to_hex((extract(epoch FROM created_at) * 1000)::bigint), 12, '0') || '7' ||
 substr(md5(random()::text || value), 1, 3) || '8' || substr(md5(random()::text || value), 1, 15))::uuid
"""


def upgrade() -> None:
    op.add_column("suppression", sa.Column("id", sa.Uuid(), nullable=True))
    op.add_column("suppression", sa.Column("note", sa.Text(), nullable=True))
    op.execute(_GIVE_IDS)
    op.execute("ALTER TABLE suppression ADD CONSTRAINT suppression_id_given CHECK (id IS NOT NULL) NOT VALID")
    op.execute("ALTER TABLE suppression VALIDATE CONSTRAINT suppression_id_given")
    # Workers of the version before know nothing of ids, and go on until they are restarted.
    op.alter_column("suppression", "id", nullable=False, server_default=sa.text("gen_random_uuid()"))
    op.execute("ALTER TABLE suppression DROP CONSTRAINT suppression_id_given")
    op.create_unique_constraint(op.f("suppression_tenant_id_id_key"), "suppression", ["tenant_id", "id"])


def downgrade() -> None:
    op.drop_constraint(op.f("suppression_tenant_id_id_key"), "suppression", type_="unique")
    op.drop_column("suppression", "note")
    op.drop_column("suppression", "id")
    op.execute("DELETE FROM suppression WHERE reason = 'by_hand'")
