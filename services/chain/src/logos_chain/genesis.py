"""Makes what the nodes of a new chain begin with: `python -m logos_chain.genesis`.

A testnet runs it once, before its first start (docs/modules.md). Each node gets a wallet with its
stake, the first one the faucet's too; all get keys of the circuits and the chain specification.

Spec: docs/protocol/chain-genesis.md, GEN-1 to GEN-7.
"""

import logging
import secrets
import sys
import time
from collections.abc import Callable
from typing import Final

from logos_base.errors import LogosError
from logos_chain.core.chain_spec.making import first_wallets, new_chain
from logos_chain.core.chain_spec.settings import MAX_TIME_S, settings_of
from logos_chain.core.chain_spec.spec import CIRCUITS, ChainSpec
from logos_chain.core.chain_spec.wallets import SECRET_BYTES, seeded
from logos_chain.store.genesis import FAUCET, KEYS, WALLET, write_spec, write_wallet
from logos_crypto.keys import CircuitKeys, KeySet
from logos_module.genesis import GenesisJob, read_job
from logos_module.keys import make_keys

LEAD_S: Final = 5
"""From the end of the job to slot 0, at least, if no setting names its time."""
_SECOND_NS: Final = 1_000_000_000

MakeKeys = Callable[[CircuitKeys, bytes | None], KeySet]


def all_keys(store: CircuitKeys, insecure_seed: bytes | None) -> KeySet:
    """Makes a key for each circuit of a chain; 5 to 8 seconds of one core."""
    return make_keys(store, insecure_seed=insecure_seed, circuits=CIRCUITS)


def make(
    job: GenesisJob,
    *,
    make_keys: MakeKeys = all_keys,
    now_ns: Callable[[], int] = time.time_ns,
) -> ChainSpec:
    """Writes the files of a job, the private ones first and the specification last (GEN-1).

    Args:
        job: Its folders exist, and are empty.
        make_keys: Makes keys in a folder, from a seed or at random.
        now_ns: Unix time.

    Raises:
        ConfigError: The settings of some node are not valid, or do not go together.
        KeyFileError, OSError: A file cannot be written.
    """
    nodes = {name: node.settings for name, node in job.nodes.items()}
    settings = settings_of(job.testnet, job.seed, nodes)
    draw = _random if settings.seed is None else seeded(settings.seed)
    wallets = first_wallets(settings, draw)
    for name, wallet in wallets.nodes.items():
        write_wallet(job.nodes[name].folder, WALLET, wallet)
    if wallets.faucet is not None:
        first = next(iter(job.nodes.values()))
        write_wallet(first.folder, FAUCET, wallets.faucet)
    keys = make_keys(
        CircuitKeys(job.public / KEYS), None if settings.seed is None else draw("circuits")
    )
    # Keys take seconds: the time is looked at after they were made.
    time_s = _soon(now_ns) if settings.time_s is None else settings.time_s
    spec = new_chain(settings, wallets, keys, draw, time_s=time_s)
    write_spec(job.public, spec)
    return spec


def _random(_name: str) -> bytes:
    return secrets.token_bytes(SECRET_BYTES)


def _soon(now_ns: Callable[[], int]) -> int:
    return min(-(-now_ns() // _SECOND_NS) + LEAD_S, MAX_TIME_S)


def _warning(job: GenesisJob, spec: ChainSpec) -> str:
    text = f"INSECURE: all secrets of {spec.chain_id} follow from its seed, those of proofs too"
    if any("genesis_time" in node.settings for node in job.nodes.values()):
        return text
    return f"{text}; with genesis_time = {spec.genesis_ms // 1000}, the seed makes it again"


def main() -> int:
    """Runs the job that LOGOS_GENESIS names; returns its exit code."""
    # What the making of keys logs is in the line below.
    logging.basicConfig(handlers=[logging.NullHandler()])
    try:
        job = read_job()
        spec = make(job)
    except LogosError as error:
        sys.stderr.write(f"{error.reason}: {error}\n")
        return 1
    if spec.is_insecure:
        sys.stderr.write(_warning(job, spec) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
