"""Clients that know nothing but `proto/`, through the one address of each node."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from integration.commands import ROOT, skip_without
from logos_testnet.scenarios.files import sample
from logos_testnet.scenarios.mixing import until_mixes_are_known
from logos_testnet.testnet import Testnet

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """A file of three blocks and a bit."""
    path = tmp_path / "content"
    path.write_bytes(sample(200_001, str(tmp_path)))
    return path


def run(words: list[str], folder: Path, **variables: str | None) -> str:
    given = {name: value for name, value in variables.items() if value is not None}
    done = subprocess.run(
        words, cwd=folder, env=os.environ | given, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_go_client_puts_on_one_node_and_gets_from_another(
    testnet: Testnet, content: Path, tmp_path: Path
) -> None:
    skip_without("go")
    client, folder = tmp_path / "client", ROOT / "examples" / "go-client"
    run(["go", "build", "-o", str(client), "."], folder)
    first, fourth = testnet.plan.nodes[0].front, testnet.plan.nodes[3].front

    said = run(
        [str(client), "-put", first, "-get", fourth, str(content)],
        tmp_path,
        LOGOS_TOKEN=testnet.bearer,
    )

    assert said.startswith("zDvZ")


def test_a_go_client_asks_and_answers_through_the_mix(testnet: Testnet, tmp_path: Path) -> None:
    """mixnet.md 11, S2: made from `proto/` alone."""
    skip_without("go")
    client, folder = tmp_path / "mix", ROOT / "examples" / "go-client"
    run(["go", "build", "-o", str(client), "./mix"], folder)
    first, fourth = testnet.plan.nodes[0].front, testnet.plan.nodes[3].front
    asyncio.run(until_mixes_are_known(testnet))

    words = [str(client), "-from", first, "-to", fourth, "is anybody there?"]
    said = run(words, tmp_path, LOGOS_TOKEN=testnet.bearer)

    assert said == "IS ANYBODY THERE?\n"


def test_a_python_client_puts_on_one_node_and_gets_from_another(
    testnet: Testnet, content: Path, tmp_path: Path
) -> None:
    client = ROOT / "examples" / "python-client" / "client.py"
    first, fourth = testnet.plan.nodes[0].front, testnet.plan.nodes[3].front

    token = tmp_path / "token"
    token.write_text(f"{testnet.bearer}\n", encoding="utf-8")

    words = [sys.executable, str(client), str(content), first, fourth]
    said = run(words, tmp_path, LOGOS_TOKEN="", LOGOS_TOKEN_FILE=str(token))

    assert "zDvZ" in said
