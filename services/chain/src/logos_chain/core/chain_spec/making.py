"""Makes the wallets and the specification of a new chain.

Spec: docs/protocol/chain-genesis.md, GEN-3 to GEN-7.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from logos_chain.core.chain_spec.settings import GenesisSettings
from logos_chain.core.chain_spec.spec import ChainSpec
from logos_chain.core.chain_spec.wallets import Draw, FirstWallet
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.ledger.parameters import Emission, LedgerParameters
from logos_crypto.keys import KeySet
from logos_mantle.genesis import GenesisParameters, genesis_block, read_genesis
from logos_mantle.notes import Note

TEST_EMISSION: Final = 100
"""So many times as many new tokens has a block of a test network (GEN-15)."""


@dataclass(frozen=True, slots=True)
class FirstWallets:
    """Who has notes of the genesis."""

    nodes: Mapping[str, FirstWallet] = field(repr=False)
    """By the node's name; nodes without a stake have none."""
    faucet: FirstWallet | None = field(repr=False)


def first_wallets(settings: GenesisSettings, draw: Draw) -> FirstWallets:
    """Makes the wallets: a node's from `wallet <name>`, the faucet's from `faucet` (GEN-3)."""
    is_insecure = settings.seed is not None
    nodes = {
        name: FirstWallet.of(draw(f"wallet {name}"), is_insecure=is_insecure)
        for name, values in settings.stakes.items()
        if values
    }
    faucet = None
    if settings.faucet:
        faucet = FirstWallet.of(draw("faucet"), is_insecure=is_insecure)
    return FirstWallets(nodes, faucet)


def ledger_parameters(preset: Parameters) -> LedgerParameters:
    """Returns what the ledger of a new chain goes by (GEN-15)."""
    usual = Emission()
    if preset.name == "spec":
        return LedgerParameters(usual)
    more = TEST_EMISSION * usual.inflation_numerator
    return LedgerParameters(replace(usual, inflation_numerator=more))


def new_chain(
    settings: GenesisSettings, wallets: FirstWallets, keys: KeySet, draw: Draw, *, time_s: int
) -> ChainSpec:
    """Makes the specification (GEN-4, GEN-5); the nonce is drawn as `nonce`.

    Args:
        settings: Of the testnet.
        wallets: Made with the same settings.
        keys: Of all circuits of the chain.
        draw: As for the wallets.
        time_s: When slot 0 begins: Unix time, 32 bits.

    Raises:
        ChainSpecInvalidError: Its parts do not go together.
    """
    outputs = list[Note]()
    for name, wallet in wallets.nodes.items():
        values = settings.stakes[name]
        outputs += map(Note, values, islice(wallet.keys(), len(values)))
    if wallets.faucet is not None:
        outputs.append(Note(settings.faucet, next(wallets.faucet.keys())))
    # Their order would say whose they are.
    outputs.sort(key=lambda note: note.public_key)
    parameters = GenesisParameters(settings.chain_id, time_s, draw("nonce"))
    genesis = read_genesis(genesis_block(parameters, outputs, ()))
    made = ChainSpec(settings.preset, ledger_parameters(settings.preset), keys, genesis)
    return ChainSpec.decode(made.encode())
