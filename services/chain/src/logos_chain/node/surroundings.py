"""What the rooms of one node share: settings, genesis, database, prover, network."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc

from logos_chain.config import Config
from logos_chain.core.leadership import LEADERSHIP
from logos_chain.core.network_names import ChainTopics
from logos_chain.operations.importing import Importing
from logos_chain.operations.opening import Network
from logos_chain.operations.wallets.payments import Tell
from logos_chain.operations.wallets.proving import CIRCUITS as OF_WALLET
from logos_chain.operations.wallets.purse import Secrets
from logos_chain.store.genesis import KEYS, Given
from logos_chain.store.opening import OpenStore
from logos_crypto.circuits import CircuitKey
from logos_crypto.keys import CircuitKeys
from logos_module.keys import load_key
from logos_module.prover import Prover

MODULE: Final = "chain"

PROVED: Final = (LEADERSHIP, *OF_WALLET)
"""Circuits that a node makes proofs of."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the rooms of one node share."""

    config: Config
    given: Given
    store: OpenStore
    prover: Prover
    keys: dict[str, CircuitKey] = field(repr=False)
    """Proving keys, of `PROVED`."""
    secrets: Secrets = field(repr=False)
    channel: grpc.aio.Channel = field(repr=False)
    """To the network module."""
    stopping: asyncio.Event = field(repr=False)
    """Set when the module is to stop."""
    folder: Path
    """Of the node, for files that last as long as a call."""
    paid: Tell
    """Is told of payments."""

    @property
    def network(self) -> Network:
        """What the nodes of the chain agree on."""
        spec = self.given.spec
        return Network(spec.consensus, spec.ledger, spec.genesis)

    @property
    def topics(self) -> ChainTopics:
        """Of gossip."""
        return ChainTopics.of(self.given.spec.hash)


def importing_of(around: Surroundings) -> Importing | None:
    """Returns what begins the chain with the checkpoint that the settings name, if they do."""
    config = around.config
    if config.checkpoint is None:
        return None
    return Importing(
        around.store.chain,
        around.network,
        around.given.spec.hash,
        path=config.checkpoint,
        wanted=config.checkpoint_hash,
    )


async def proving_keys(config: Config, given: Given) -> dict[str, CircuitKey]:
    """Loads the keys of proofs; errors as `KeySet.load_key`."""
    store = await asyncio.to_thread(CircuitKeys, config.genesis / KEYS)
    return {each: await load_key(store, given.spec.keys, each) for each in PROVED}
