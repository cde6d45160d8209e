"""`logosctl channel` towards a node of the tests."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from logos_cli.main import app


@dataclass
class ChannelCommands:
    """The command line towards one address."""

    address: str

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["--address", self.address, "channel", *words])

    def json(self, *words: str) -> Any:
        """What it tells as JSON; of a list with one thing, that."""
        told = self.run(*words, "--output", "json")
        assert told.exit_code == 0, told.output
        found = json.loads(told.stdout)
        return found[0] if isinstance(found, list) else found


def use_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands have a token, and no output is chosen."""
    monkeypatch.setenv("LOGOS_TOKEN", f"logos_{43 * 'b'}")
    monkeypatch.delenv("LOGOS_OUTPUT", raising=False)
