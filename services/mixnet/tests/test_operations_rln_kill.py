"""R4: a node that is killed in the middle of an epoch, and of its registration (RLN-18, RLN-26)."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

pytest.importorskip("logos_native")

from mixnet_rln import Node

from logos_mixnet.core.rln.application import Application
from logos_mixnet.core.rln.frame import ProofFrame
from logos_mixnet.core.rln.message_ids import Reserved, Save
from logos_mixnet.store.rln import SqlMembers, SqlMessageIdStore
from logos_mixnet.store.rln_secret import load_or_create_member
from logos_mixnet.store.schema import SCHEMA
from logos_module.database import open_database

pytestmark = [pytest.mark.native, pytest.mark.integration]

SPENDER: Final = Path(__file__).with_name("rln_spender.py")
DAY_MS: Final = 24 * 3600 * 1000
"""An epoch in which all lives of a node are, or two."""
SHORT_MS: Final = 2_000
LIMIT: Final = 1_000
PROOF_HEX: Final = 2 * 301


def command(folder: Path, period_ms: int, how: str) -> list[str]:
    return [sys.executable, str(SPENDER), str(folder), str(period_ms), str(LIMIT), how]


async def has_lived(folder: Path) -> None:
    """Leaves what a node leaves that was there before: a new one waits for an epoch (RLN-26)."""
    async with open_database(folder / "mixnet.sqlite", SCHEMA) as database:
        ids = SqlMessageIdStore(database, Application().identifier)
        await ids.save(Save(Reserved(1, 1), -1))


def live_until(words: list[str], proofs: int) -> list[ProofFrame]:
    """Runs a node until it has made so many proofs, then kills it with -9."""
    lines: list[str] = []
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while len(lines) < proofs:
            line = process.stdout.readline()
            assert line, "the node has ended by itself"
            lines += [line] if len(line.strip()) == PROOF_HEX else []
        process.kill()
        lines += process.stdout.readlines()  # what it had said when it was killed
    assert process.returncode == -signal.SIGKILL
    return [
        ProofFrame.decode(bytes.fromhex(line)) for line in lines if len(line.strip()) == PROOF_HEX
    ]


def kill_once_it_has(path: Path, words: list[str]) -> None:
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
        while not path.exists():
            assert process.poll() is None
        process.kill()


async def test_r4_no_id_is_used_twice_however_often_a_node_is_killed(tmp_path: Path) -> None:
    await has_lived(tmp_path)

    words = command(tmp_path, DAY_MS, "listed")
    lives = [live_until(words, proofs) for proofs in (1, 5, 2)]

    frames = [frame for life in lives for frame in life]
    assert len({frame.nullifier for frame in frames}) == len(frames)
    assert len({life[0].epoch for life in lives}) < len(lives)  # ids of one epoch in two lives


async def test_r4_a_node_that_is_killed_while_it_registers_registers_once(tmp_path: Path) -> None:
    """Killed before it has said anything: its secret is durable before its announcement is."""
    secret, words = tmp_path / "rln.key", command(tmp_path, SHORT_MS, "announced")
    kill_once_it_has(secret, words)
    first = load_or_create_member(secret)

    live_until(words, 1)

    async with open_database(tmp_path / "mixnet.sqlite", SCHEMA) as database:
        registry = await SqlMembers(database, is_open=True).load()
    announced = [(each.peer_id, each.commitment) for each in registry.announced]
    assert announced == [(Node.named("ada").peer_id, first.commitment)]
