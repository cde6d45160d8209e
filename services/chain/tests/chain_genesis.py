"""Genesis jobs for tests, with keys that take no time to make."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from logos_chain.core.chain_spec.making import FirstWallets, first_wallets, new_chain
from logos_chain.core.chain_spec.settings import GenesisSettings, settings_of
from logos_chain.core.chain_spec.spec import CIRCUITS, ChainSpec
from logos_chain.core.chain_spec.wallets import seeded
from logos_crypto.circuits import CircuitKey
from logos_crypto.keys import CircuitKeys, KeySet
from logos_mantle.derivations import blake2b
from logos_module.genesis import GenesisJob, NodeGenesis

SEED = 7
TIME_S = 1_800_000_000
NODES = ("node1", "node2", "node3", "node4")
USUAL: dict[str, Any] = {"genesis_time": TIME_S, "genesis_stake": [20_000_000]}
CHEAP = "signature2"
"""The circuit whose key is made in a tenth of a second."""


def hashes() -> dict[str, bytes]:
    return {circuit: blake2b(circuit.encode()) for circuit in CIRCUITS}


def settings(seed: Any = SEED, **changes: Any) -> GenesisSettings:
    return settings_of("t", seed, dict.fromkeys(NODES, USUAL | changes))


def chain(**changes: Any) -> tuple[ChainSpec, FirstWallets]:
    """A seeded chain of four nodes; its keys are hashes alone."""
    given, draw = settings(**changes), seeded(SEED)
    wallets = first_wallets(given, draw)
    spec = new_chain(given, wallets, KeySet(hashes(), is_insecure=True), draw, time_s=TIME_S)
    return spec, wallets


def job_of(
    folder: Path, nodes: Mapping[str, Mapping[str, Any]], seed: int | None = None
) -> GenesisJob:
    places = {name: folder / "private" / name for name in nodes}
    for each in (folder / "public", *places.values()):
        each.mkdir(parents=True, exist_ok=True, mode=0o700)
    given = {name: NodeGenesis(each, places[name]) for name, each in nodes.items()}
    return GenesisJob("t", "chain", seed, folder / "public", given)


def told(job: GenesisJob) -> str:
    """The job as a program is told of it."""
    nodes = {
        name: {"settings": dict(node.settings), "folder": str(node.folder)}
        for name, node in job.nodes.items()
    }
    known = {"testnet": job.testnet, "module": job.module, "seed": job.seed}
    return json.dumps(known | {"public": str(job.public), "nodes": nodes})


def cheap_keys(store: CircuitKeys, insecure_seed: bytes | None) -> KeySet:
    """A key of one circuit, and hashes of the others."""
    if insecure_seed is None:
        key = CircuitKey.generate(CHEAP)
    else:
        key = CircuitKey.insecure_from_seed(CHEAP, insecure_seed)
    store.add(key)
    return KeySet(hashes() | {CHEAP: key.verifying_key_hash}, insecure_seed is not None)


def files(folder: Path) -> dict[str, bytes]:
    """The content of all files below a folder, by path."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def leaves(document: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where a document has a value that is no table."""
    if isinstance(document, dict):
        for name, each in document.items():
            yield from leaves(each, (*place, name))
    else:
        yield place
