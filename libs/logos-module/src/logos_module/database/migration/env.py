"""What Alembic runs around the scripts of a store: nothing, on a connection it is given."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
