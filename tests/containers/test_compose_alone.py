"""docker-compose.yml without `./logos`: up, a file from node 1 to node 4, down, nothing left."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from logos_testnet.ports import taken_ports
from own_topology import ROOT

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1800)]

PROJECT = "logos-small"


def docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def logosctl(state: Path, *words: str, given: bytes | None = None) -> bytes:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("LOGOS_")}
    around = {**kept, "LOGOS_STATE": str(state)}
    return subprocess.run(
        [sys.executable, "-P", "-c", "from logos_cli.entry import logosctl; logosctl()", *words],
        input=given,
        env=around,
        check=True,
        capture_output=True,
        timeout=120,
    ).stdout


def test_compose_needs_nothing_else(tmp_path: Path) -> None:
    if taken_ports(list(range(17001, 17006))) and not os.environ.get("CI"):
        pytest.skip("the testnet `small` is up here")
    content = b"one node to another" * 10_000
    try:
        docker("compose", "up", "--build", "--wait", "--quiet-pull")

        cid = logosctl(tmp_path, "--node", "node1", "storage", "put", "-", given=content)
        fetched = logosctl(tmp_path, "--node", "node4", "storage", "get", cid.decode().strip())

        assert fetched == content
        address = ("--address", "127.0.0.1:17001", "--token-file")
        printed = docker("compose", "exec", "-T", "node2-kernel", "logos-token")
        (tmp_path / "token").write_text(printed, encoding="utf-8")
        assert b"mixnet" in logosctl(tmp_path, *address, str(tmp_path / "token"), "module", "list")
    finally:
        docker("compose", "down", "--volumes")
    mine = f"label=com.docker.compose.project={PROJECT}"
    for words in (["ps", "--all"], ["network", "ls"], ["volume", "ls"]):
        assert docker(*words, "--quiet", "--filter", mine) == ""
