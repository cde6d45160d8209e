"""The schema of a service's database has the tables of all its stores, whichever are imported."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCHEMAS = sorted(
    f"{path.parents[1].name}.store.{path.stem}"
    for path in ROOT.glob("services/*/src/*/store/*.py")
    if "\nSCHEMA: Final = Schema(" in path.read_text(encoding="utf-8")
)
COMPARE = """
import importlib, pkgutil, sys
schema = importlib.import_module(sys.argv[1])
known = set(schema.SCHEMA.metadata.tables)
package = importlib.import_module(schema.__package__)
for each in pkgutil.iter_modules(package.__path__):
    importlib.import_module(f"{schema.__package__}.{each.name}")
print(*sorted(set(schema.SCHEMA.metadata.tables) - known), len(known) > 0)
"""


def test_every_service_with_a_database_is_looked_at() -> None:
    assert {name.partition(".")[0] for name in SCHEMAS} >= {
        "logos_kernel",
        "logos_mixnet",
        "logos_storage",
    }
    assert "logos_kernel.store.schema" in SCHEMAS


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_alone_knows_the_tables_of_all_stores(name: str) -> None:
    """In a process of its own, where nothing else was imported."""
    ended = subprocess.run(
        [sys.executable, "-c", COMPARE, name], capture_output=True, text=True, check=True
    )

    assert ended.stdout.split() == ["True"]
