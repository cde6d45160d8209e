"""Alembic's environment for the scripts of a store."""
