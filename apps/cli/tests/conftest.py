"""A checkout of its own for each test."""

from pathlib import Path

import pytest


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder where the commands look for testnets."""
    for name in ("LOGOS_NODE", "LOGOS_OUTPUT", "LOGOS_TESTNET", "LOGOS_TOKEN", "LOGOS_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOGOS_ROOT", str(tmp_path))
    monkeypatch.setenv("LOGOS_STATE", str(tmp_path / "state"))
    (tmp_path / "state").mkdir()
    return tmp_path / "state"
