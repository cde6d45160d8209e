"""The clients of examples/ that publish and subscribe: nothing but `proto/` and an address."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from integration.commands import ROOT, skip_without
from logos_testnet.testnet import Testnet, node_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

EXAMPLES = ROOT / "examples"
MAX_LINES = 40
TEXT = "hello, other node"


def said_by(words: list[str], folder: Path, **variables: str) -> list[str]:
    """What a program prints that succeeds."""
    done = subprocess.run(
        words,
        cwd=folder,
        env=os.environ | variables,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def fronts(testnet: Testnet) -> tuple[str, str]:
    """Addresses of the node to publish at, and of the one to subscribe at."""
    return node_of(testnet.plan, "publisher").front, node_of(testnet.plan, "other").front


@pytest.fixture
def token(testnet: Testnet, tmp_path: Path) -> dict[str, str]:
    """The operator's token, by a file."""
    path = tmp_path / "token"
    path.write_text(f"{testnet.bearer}\n", encoding="utf-8")
    return {"LOGOS_TOKEN": "", "LOGOS_TOKEN_FILE": str(path)}


def test_a_python_client_publishes_and_subscribes(
    fronts: tuple[str, str], token: dict[str, str], tmp_path: Path
) -> None:
    client = EXAMPLES / "python-client" / "messages.py"
    assert TEXT in said_by([sys.executable, str(client), TEXT, *fronts], tmp_path, **token)
    assert client.read_text(encoding="utf-8").count("\n") < MAX_LINES


def test_a_go_client_publishes_and_subscribes(
    fronts: tuple[str, str], token: dict[str, str], tmp_path: Path
) -> None:
    skip_without("go")
    client, folder = tmp_path / "messages", EXAMPLES / "go-client"
    said_by(["go", "build", "-o", str(client), "./messages"], folder)
    publish, subscribe = fronts
    words = [str(client), "-publish", publish, "-subscribe", subscribe, TEXT]
    assert TEXT in said_by(words, tmp_path, **token)
    assert (folder / "messages/main.go").read_text(encoding="utf-8").count("\n") < MAX_LINES


def test_a_typescript_client_publishes_and_subscribes(
    fronts: tuple[str, str], token: dict[str, str], tmp_path: Path
) -> None:
    skip_without("npm")
    made = tmp_path / "examples" / "typescript-client"
    made.mkdir(parents=True)
    (tmp_path / "proto").symlink_to(ROOT / "proto")
    source = EXAMPLES / "typescript-client"
    for name in ("package.json", "tsconfig.json", "messages.ts"):
        shutil.copy(source / name, made)
    install = ["npm", "install", "--ignore-scripts", "--no-package-lock", "--loglevel=error"]
    said_by([*install, "--no-audit", "--no-fund"], made)
    assert TEXT in said_by(["npm", "start", "--silent", "--", TEXT, *fronts], made, **token)
    assert (made / "messages.ts").read_text(encoding="utf-8").count("\n") < MAX_LINES
    needs = json.loads((source / "package.json").read_text(encoding="utf-8"))
    versions = [*needs["dependencies"].values(), *needs["devDependencies"].values()]
    assert all(version[0].isdigit() for version in versions), "exact versions: there is no lock"
