"""Every protocol machine has tests under its own name."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MACHINES = [
    path
    for path in sorted(ROOT.glob("services/*/src/*/core/**/*.py"))
    if "def next_wake_ms" in path.read_text(encoding="utf-8")
]


def test_there_are_machines() -> None:
    assert MACHINES


@pytest.mark.parametrize(
    "path", MACHINES, ids=lambda path: f"{path.relative_to(ROOT).parts[1]}.{path.stem}"
)
def test_machine_has_tests(path: Path) -> None:
    service = ROOT.joinpath(*path.relative_to(ROOT).parts[:2])
    tests = service / "tests" / f"test_core_{path.stem}.py"

    assert "def test_" in tests.read_text(encoding="utf-8")
