"""Where Alembic runs the scripts of a store."""
