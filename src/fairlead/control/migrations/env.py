"""Run by Alembic when it migrates: on the caller's connection, in the caller's transaction."""

from alembic import context

from fairlead.control.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=False,  # the caller commits, or nothing has happened
)
context.run_migrations()
