"""The registry of members, where the settings have one."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from logos_chain.core.registry.rules import RegistryRules
from logos_chain.node.surroundings import Surroundings
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.registry.members import RegistryOperations
from logos_chain.operations.registry.reading import RegistryReader
from logos_chain.operations.wallets.wallet import WalletOperations


@dataclass(frozen=True, slots=True)
class RegistryRooms:
    """The registry of one node."""

    reader: RegistryReader
    operations: RegistryOperations


def registry_rooms(
    around: Surroundings, follow: FollowOperations, wallet: WalletOperations
) -> RegistryRooms | None:
    """Builds them; None: the settings have no registry."""
    config = around.config
    if not config.rln_registry:
        return None
    rules = RegistryRules(
        genesis=around.given.spec.genesis_id,
        limit=config.rln_limit,
        stake=config.rln_stake,
        keeper=config.rln_keeper,
    )
    store = around.store
    reader = RegistryReader(rules, follow, store.chain, store.registries)
    there = _channels(follow)
    operations = RegistryOperations(reader, wallet.deposit, there, around.stopping)
    return RegistryRooms(reader, operations)


def _channels(follow: FollowOperations) -> Callable[[bytes], Awaitable[bool]]:
    async def is_there(channel: bytes) -> bool:
        found = await follow.at_tip(lambda ledger: ledger.channel(channel) is not None)
        return found.value

    return is_there
