"""The faucet's wallet, where the genesis has given it to this node."""

from dataclasses import dataclass
from typing import Final

from logos_chain.core.chain_spec.wallets import FirstWallet
from logos_chain.net.faucet import NetworkFaucets
from logos_chain.node.clocks import unix_ms
from logos_chain.node.surroundings import MODULE, Surroundings
from logos_chain.operations.faucet import FaucetOperations, OwnFaucet
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.opening import OpenChain
from logos_chain.operations.wallets.keystores import account_of
from logos_chain.operations.wallets.wallet import WalletOperations, WalletPorts
from logos_mantle.notes import Note
from logos_module.network.services import NetworkServices
from logos_module.network.streams import PeerStreams

FAUCET: Final = "faucet"
"""The name of its wallet."""


@dataclass(frozen=True, slots=True)
class FaucetRooms:
    """The faucet of one node, or its way to those of others."""

    wallet: WalletOperations | None
    operations: FaucetOperations
    peers: NetworkFaucets


def faucet_rooms(
    around: Surroundings, follow: FollowOperations, chain: OpenChain, ports: WalletPorts
) -> FaucetRooms:
    """Builds them; the wallet is to be opened and entered as any other."""
    given = around.given.faucet
    wallet = None if given is None else _wallet(given, follow, chain, ports)
    peers = NetworkFaucets(
        PeerStreams(around.channel, MODULE), NetworkServices(around.channel, MODULE)
    )
    own = None if wallet is None else _own(around, wallet)
    genesis = around.given.spec.genesis_id
    return FaucetRooms(wallet, FaucetOperations(own, peers, genesis), peers)


def _wallet(
    given: FirstWallet, follow: FollowOperations, chain: OpenChain, ports: WalletPorts
) -> WalletOperations:
    return WalletOperations(
        follow, chain, account_of(given.phrase), ports=ports, unix_ms=unix_ms, name=FAUCET
    )


def _own(around: Surroundings, wallet: WalletOperations) -> OwnFaucet:
    parameters = around.given.spec.consensus

    async def pay(public_key: bytes, value: int) -> bytes:
        return await wallet.send([Note(value, public_key)])

    return OwnFaucet(
        pay,
        lambda: wallet.balances().reserved,
        value=around.config.faucet_value,
        block_ms=round(parameters.slot_ms / parameters.activation),
    )
