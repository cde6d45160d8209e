"""RLN-39: the genesis job, and nodes that begin with what it made."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("logos_native")

from mixnet_store_contract import slash

from logos_crypto.rln import Identity
from logos_mixnet.core.capability.keys import Secp256k1Signer
from logos_mixnet.core.identity import seeded_secret
from logos_mixnet.core.rln.announcements import Announcement
from logos_mixnet.core.rln.errors import GenesisDamagedError
from logos_mixnet.core.rln.genesis import decode_members
from logos_mixnet.core.rln.signing import is_signed_by
from logos_mixnet.genesis import make
from logos_mixnet.store.files import load_or_create_secret
from logos_mixnet.store.genesis import Secrets, first_members, given_secrets
from logos_mixnet.store.rln import SqlMembers
from logos_mixnet.store.rln_secret import load_or_create_member, seeded_member
from logos_mixnet.store.schema import SCHEMA
from logos_module.database import open_database
from logos_module.genesis import GenesisJob, NodeGenesis

USUAL: dict[str, Any] = {"listen": ["/ip4/127.0.0.1/tcp/1"]}


@pytest.fixture
def job(tmp_path: Path) -> GenesisJob:
    return job_of(tmp_path, {"node1": USUAL, "node2": USUAL})


def job_of(folder: Path, nodes: Mapping[str, Mapping[str, Any]]) -> GenesisJob:
    places = {name: folder / "private" / name for name in nodes}
    for each in (folder / "public", *places.values()):
        each.mkdir(parents=True, exist_ok=True)
    given = {name: NodeGenesis(settings, places[name]) for name, settings in nodes.items()}
    return GenesisJob("t", "mixnet", None, folder / "public", given)


def secrets_of(job: GenesisJob, node: str = "node1") -> Secrets:
    folder = job.nodes[node].folder
    return Secrets((folder / "identity.key").read_bytes(), (folder / "rln.key").read_bytes())


def members_of(job: GenesisJob) -> tuple[Announcement, ...]:
    return decode_members((job.public / "members").read_bytes(), is_signed_by)


def claim(secrets: Secrets) -> tuple[bytes, bytes]:
    """Peer id and commitment."""
    peer_id = Secp256k1Signer(secrets.identity).public_key.peer_id
    return peer_id, Identity.from_secret(secrets.member).commitment


def begun(job: GenesisJob, secrets: Secrets, limit: int = 100) -> tuple[Announcement, ...]:
    peer_id, commitment = claim(secrets)
    return first_members(job.public, peer_id=peer_id, commitment=commitment, limit=limit)


def test_each_node_gets_its_secrets_and_all_get_its_announcement(job: GenesisJob) -> None:
    make(job)

    members = members_of(job)
    found = {(each.peer_id, each.commitment, each.limit) for each in members}
    assert found == {(*claim(secrets_of(job, name)), 100) for name in job.nodes}
    assert [path.name for path in job.public.iterdir()] == ["members"]
    for node in job.nodes.values():
        files = sorted(node.folder.iterdir())
        assert [path.name for path in files] == ["identity.key", "rln.key"]
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_seed_gives_the_members_and_no_secret_is_written(tmp_path: Path) -> None:
    seeded = {**USUAL, "seed": 7}
    job = job_of(tmp_path, {"node1": seeded, "node2": seeded})

    make(job)
    once = (job.public / "members").read_bytes()
    make(job)

    assert (job.public / "members").read_bytes() == once
    own = Secrets(seeded_secret(7, "node2"), seeded_member(7, "node2").secret())
    assert len(begun(job, own)) == 2
    assert not list(job.nodes["node2"].folder.iterdir())


@pytest.mark.parametrize(
    "settings",
    [
        {"rln": "off"},
        {"key_type": "ed25519"},
        {"rln_membership": "genesis", "rln_genesis": ["05" + "00" * 31]},
        {"rln_membership": "registry", "rln_registry": "unix:/r"},
    ],
)
def test_a_node_that_would_not_announce_itself_is_left_out(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    job = job_of(tmp_path, {"node1": {**USUAL, **settings}, "node2": {**USUAL, "mix": "off"}})

    make(job)

    assert [each.peer_id for each in members_of(job)] == [claim(secrets_of(job, "node2"))[0]]
    assert not list(job.nodes["node1"].folder.iterdir())


def test_a_member_has_the_limit_of_its_network(tmp_path: Path) -> None:
    job = job_of(tmp_path, {"node1": {**USUAL, "rln_limit": 7}, "node2": USUAL})

    make(job)

    assert [each.limit for each in begun(job, secrets_of(job), limit=7)] == [7]
    assert begun(job, secrets_of(job), limit=8) == ()


def test_as_a_program_it_leaves_a_node_out_whose_settings_are_not_valid(job: GenesisJob) -> None:
    settings = {"node1": USUAL, "node2": {"listen": 3}}
    nodes = {
        name: {"settings": settings[name], "folder": str(node.folder)}
        for name, node in job.nodes.items()
    }
    told = {"testnet": "t", "module": "mixnet", "seed": None, "public": str(job.public)}

    ended = subprocess.run(
        [sys.executable, "-m", "logos_mixnet.genesis"],
        env={**os.environ, "LOGOS_GENESIS": json.dumps(told | {"nodes": nodes})},
        capture_output=True,
        text=True,
        check=True,
    )

    assert ended.stderr.startswith("node2 is left out: listen: must")
    assert [each.peer_id for each in members_of(job)] == [claim(secrets_of(job))[0]]
    assert not list(job.nodes["node2"].folder.iterdir())


def test_a_new_node_takes_both_secrets_into_its_state(job: GenesisJob, tmp_path: Path) -> None:
    make(job)
    folder, state = job.nodes["node1"].folder, tmp_path / "state"
    state.mkdir()

    for _ in range(2):  # the second time as after a crash between the two
        given = given_secrets(folder, state)
        assert given == secrets_of(job)
        key = load_or_create_secret(
            state / "identity.key", database=state / "d", given=given.identity
        )
        assert key == given.identity
    member = load_or_create_member(state / "rln.key", given=given.member)

    assert member.secret() == given.member
    assert {stat.S_IMODE(path.stat().st_mode) for path in state.iterdir()} == {0o600}
    assert given_secrets(folder, state) is None  # it lacks none any more


@pytest.mark.parametrize("kept", ["identity.key", "rln.key"])
def test_a_node_with_a_secret_of_its_own_takes_neither(
    job: GenesisJob, tmp_path: Path, kept: str
) -> None:
    """A state older than the genesis: the node announces itself, and is one member."""
    make(job)
    state = tmp_path / "state"
    state.mkdir()
    (state / kept).write_bytes(b"\x07" * 32)

    assert given_secrets(job.nodes["node1"].folder, state) is None


def test_a_node_that_came_later_is_given_nothing(job: GenesisJob, tmp_path: Path) -> None:
    make(job)
    (tmp_path / "empty").mkdir()

    for folder in (None, tmp_path / "missing", tmp_path / "empty"):
        assert given_secrets(folder, tmp_path) is None
    own = Secrets(b"\x07" * 32, Identity.random().secret())
    assert begun(job, own) == ()
    assert first_members(None, peer_id=b"", commitment=b"", limit=1) == ()


@pytest.mark.parametrize(
    ("name", "content"),
    [("identity.key", None), ("rln.key", None), ("rln.key", b"short"), ("identity.key", bytes(32))],
)
def test_a_private_folder_with_anything_else_is_refused(
    job: GenesisJob, tmp_path: Path, name: str, content: bytes | None
) -> None:
    make(job)
    folder = job.nodes["node1"].folder
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)

    with pytest.raises(GenesisDamagedError, match=f"{folder}: does not hold the two secrets"):
        given_secrets(folder, tmp_path)


def test_members_that_were_changed_are_refused_and_missing_ones_are_none(job: GenesisJob) -> None:
    make(job)
    own, path = secrets_of(job), job.public / "members"
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(GenesisDamagedError, match=rf"{path}: .*; purge the testnet, or remove"):
        begun(job, own)
    path.unlink()
    assert begun(job, own) == ()


def test_a_secret_stands_in_no_text(job: GenesisJob) -> None:
    make(job)

    assert repr(secrets_of(job)) == "Secrets()"


async def test_a_first_member_that_was_slashed_does_not_come_back(
    job: GenesisJob, tmp_path: Path
) -> None:
    make(job)
    slashed = claim(secrets_of(job, "node2"))[1]
    record = slash(1)

    for _ in range(2):
        async with open_database(tmp_path / "mixnet.sqlite", SCHEMA) as database:
            members = SqlMembers(database, is_open=True, first=lambda: begun(job, secrets_of(job)))
            registry = await members.load()
            await members.save_slash(record, slashed)

    assert registry.slashed == {slashed}
    assert registry.announced == members_of(job)


async def test_a_new_store_begins_with_the_first_members_once(
    job: GenesisJob, tmp_path: Path
) -> None:
    make(job)
    asked = []

    def first() -> tuple[Announcement, ...]:
        asked.append(1)
        return begun(job, secrets_of(job))

    async with open_database(tmp_path / "mixnet.sqlite", SCHEMA) as database:
        assert (await SqlMembers(database, first=first).load()).announced == ()
        for _ in range(2):
            registry = await SqlMembers(database, is_open=True, first=first).load()
            assert registry.announced == members_of(job)
            assert registry.genesis == ()

    assert asked == [1]
