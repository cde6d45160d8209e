"""A module's own database: SQLite by default, PostgreSQL by URL, one contract for both.

Every commit is on disk when it is acknowledged. Transactions complete even if their callers
are cancelled. A database that is damaged, in use or newer than the code is refused when it is
opened, before any change; an older one is upgraded (docs/adr/0015).
"""

from logos_module.database.errors import (
    DatabaseDamagedError,
    DatabaseInUseError,
    DatabaseNewerError,
    DatabaseUnavailableError,
    UpgradeFailedError,
)
from logos_module.database.files import (
    check_database,
    database_files,
    free_name,
    set_aside_command,
)
from logos_module.database.opening import open_database
from logos_module.database.schema import Fit, Schema, table_of
from logos_module.database.transactions import Database, reading, writing

__all__ = [
    "Database",
    "DatabaseDamagedError",
    "DatabaseInUseError",
    "DatabaseNewerError",
    "DatabaseUnavailableError",
    "Fit",
    "Schema",
    "UpgradeFailedError",
    "check_database",
    "database_files",
    "free_name",
    "open_database",
    "reading",
    "set_aside_command",
    "table_of",
    "writing",
]
