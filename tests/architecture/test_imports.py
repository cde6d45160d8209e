"""The import contracts hold, and each breaks on a planted violation."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ROOT / "services"

PLANTED = {
    "Cores do no I/O": ("storage/src/logos_storage/core", "import socket"),
    "Rooms of a service": ("storage/src/logos_storage/core", "import logos_storage.node"),
    "Only stores speak SQL": ("kernel/src/logos_kernel/rpc", "import sqlite3"),
    "Libraries sit under services": ("kernel/src/logos_kernel/net", "import logos_storage"),
    "Only the mixnet's bridge": ("storage/src/logos_storage/net", "import logos_native"),
}


def lint(paths: list[str]) -> subprocess.CompletedProcess[str]:
    """Runs the linter on packages found under `paths` first, then the installed ones."""
    program = (
        f"import sys; sys.path[:0] = {paths!r}; sys.argv[0] = 'lint-imports'; "
        "from importlinter.cli import lint_imports_command; "
        "lint_imports_command(['--no-cache', '--config', '.importlinter'])"
    )
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=False, capture_output=True, text=True
    )


def test_contracts_are_kept() -> None:
    result = lint([])

    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("contract", PLANTED)
def test_contract_breaks_on_a_planted_violation(contract: str, tmp_path: Path) -> None:
    room, statement = PLANTED[contract]
    service, _, package_and_room = room.partition("/src/")
    package = package_and_room.partition("/")[0]
    original = SERVICES / service / "src" / package
    copy = tmp_path / package
    for path in original.rglob("*.py"):
        target = copy / path.relative_to(original)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    planted = tmp_path / package_and_room / "planted.py"
    planted.write_text(f"{statement}\n", encoding="utf-8")

    result = lint([str(tmp_path)])

    assert result.returncode != 0
    assert any(contract in line and "BROKEN" in line for line in result.stdout.splitlines())
