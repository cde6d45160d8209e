"""Makes `support` importable: pytest's importlib mode puts no tests folder on the path."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "support"))


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where a new database can be opened: one contract for both kinds."""
    if request.param == "sqlite":
        return tmp_path / "a.sqlite"
    url: str = request.getfixturevalue("postgresql_url")
    return url
