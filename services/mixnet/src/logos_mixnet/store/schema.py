"""All tables of the module's database, whichever store a program needs."""

from pathlib import Path
from typing import Final

from logos_mixnet.store import mix, rln  # noqa: F401 - their tables belong to it, too
from logos_mixnet.store.sql import Base
from logos_module.database import Schema

SCHEMA: Final = Schema(Base.metadata, Path(__file__).parent / "versions")
