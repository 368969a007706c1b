"""Alembic's entry: runs the scripts on the connection that ``migrate`` passes, inside its transaction."""

from alembic import context

from schemas.archive.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transaction_per_migration=False,
    render_as_batch=True,
)
context.run_migrations()
