"""Alembic's entry: runs the migrations on the connection that `migrations.apply` hands over, or prints their SQL."""

from alembic import context

from db.schedule_tables import metadata

if context.is_offline_mode():
    context.configure(dialect_name="postgresql", target_metadata=metadata, literal_binds=True)
else:
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        compare_server_default=True,
    )

with context.begin_transaction():
    # A migration that cannot have its locks soon gives way to the traffic; it is run again later.
    context.execute("SET lock_timeout = '5s'")
    context.execute("SET statement_timeout = '60s'")
    context.run_migrations()
