"""Alembic, run on one connection. Imported only for an upgrade."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from logos_module.database.schema import Schema

_ENVIRONMENT: Final = Path(__file__).parent / "migration"


def upgrade(connection: Connection, schema: Schema) -> None:
    """Runs the scripts from the database's version to the newest, in its transaction."""
    config = Config()
    config.attributes["connection"] = connection
    for name, value in (
        ("script_location", str(_ENVIRONMENT)),
        ("version_locations", str(schema.versions)),
        ("path_separator", "newline"),
    ):
        config.set_main_option(name, value.replace("%", "%%"))
    command.upgrade(config, "head")
