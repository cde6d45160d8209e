"""Every protocol machine has tests under its own name."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MACHINES = [
    path
    for path in sorted(ROOT.glob("services/*/src/*/core/*.py"))
    if "def next_wake_ms" in path.read_text(encoding="utf-8")
]


def test_there_are_machines() -> None:
    assert MACHINES


@pytest.mark.parametrize("path", MACHINES, ids=lambda path: f"{path.parts[-3]}.{path.stem}")
def test_machine_has_tests(path: Path) -> None:
    tests = path.parents[3] / "tests" / f"test_core_{path.stem}.py"

    assert "def test_" in tests.read_text(encoding="utf-8")
