"""The import contracts hold for every service, and each breaks on a planted violation."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from architecture.contracts import ROOT, service_packages

CONTRACTS = Path(__file__).with_name("contracts.py")

PLANTED = {
    "Cores do no I/O": ("storage/src/logos_storage/core", "import socket"),
    "Rooms of a service": ("storage/src/logos_storage/core", "import logos_storage.node"),
    "Servicers call operations": ("storage/src/logos_storage/rpc", "import logos_storage.net"),
    "Only stores speak SQL": ("kernel/src/logos_kernel/rpc", "import sqlite3"),
    "Libraries sit under services": ("kernel/src/logos_kernel/net", "import logos_storage"),
    "The commands and the testnets": ("storage/src/logos_commands", "import logos_storage"),
    "Only the mixnet's bridge": ("storage/src/logos_storage/net", "import logos_native"),
}


def lint(*folders: Path) -> subprocess.CompletedProcess[str]:
    """Checks the contracts with the services below these folders too."""
    words = [sys.executable, str(CONTRACTS), *(str(folder) for folder in folders)]
    return subprocess.run(words, cwd=ROOT, check=False, capture_output=True, text=True)


def is_broken(contract: str, result: subprocess.CompletedProcess[str]) -> bool:
    lines = result.stdout.splitlines()
    return result.returncode != 0 and any(contract in each and "BROKEN" in each for each in lines)


def test_contracts_are_kept() -> None:
    result = lint()

    assert result.returncode == 0, result.stdout


def test_every_folder_in_services_holds_one_package() -> None:
    folders = [path.parent.parent.name for path in service_packages(ROOT).values()]

    assert sorted(folders) == sorted(
        path.name for path in (ROOT / "services").iterdir() if (path / "pyproject.toml").is_file()
    )


@pytest.mark.parametrize("contract", PLANTED)
def test_contract_breaks_on_a_planted_violation(contract: str, tmp_path: Path) -> None:
    room, statement = PLANTED[contract]
    service = room.partition("/")[0]
    sources = shutil.ignore_patterns("__pycache__", "tests")
    shutil.copytree(ROOT / "services" / service, tmp_path / "services" / service, ignore=sources)
    planted = tmp_path / "services" / room / "planted.py"
    planted.write_text(f"{statement}\n", encoding="utf-8")

    assert is_broken(contract, lint(tmp_path))


@pytest.mark.parametrize(
    ("contract", "file", "statement"),
    [
        ("Cores do no I/O", "core/rules.py", "import socket"),
        ("Rooms of a service", "core/rules.py", "import logos_planted.node"),
        ("Rooms of a service", "cellar.py", ""),
        ("Only stores speak SQL", "net/dial.py", "import sqlite3"),
        ("Libraries sit under services", "node.py", "import logos_storage"),
        ("Only the mixnet's bridge", "net/dial.py", "import logos_native"),
    ],
)
def test_the_contracts_hold_for_a_service_that_was_just_added(
    contract: str, file: str, statement: str, tmp_path: Path
) -> None:
    package = tmp_path / "services/planted/src/logos_planted"
    for name in ("__init__.py", "__main__.py", "node.py", "core/__init__.py", "net/__init__.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).touch()
    assert lint(tmp_path).returncode == 0

    (package / file).write_text(f"{statement}\n", encoding="utf-8")

    assert is_broken(contract, lint(tmp_path))
