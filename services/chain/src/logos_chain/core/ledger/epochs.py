"""What happens to the ledger when an epoch begins, before its first block's transactions.

Spec: docs/protocol/chain-ledger.md, LED-22, LED-27, LED-30, LED-32, LED-34 to
LED-36. Sources: LIP-85; LIP-86; LIP-98, SDP Epoch Finalization; LIP-205.
"""

from dataclasses import replace

from logos_chain.core.ledger.parameters import LedgerParameters
from logos_chain.core.ledger.rewards import service_shares
from logos_chain.core.ledger.services import remove_withdrawn, snapshot
from logos_chain.core.ledger.state import State
from logos_chain.core.ledger.types import Head, Snapshot, Snapshots
from logos_crypto.trees import FrontierTree
from logos_mantle.fees import checked_u64
from logos_mantle.notes import Note
from logos_mantle.prices import StorageMarket
from logos_mantle.services import Service, reward_operation_id


def begin_epoch(parameters: LedgerParameters, state: State, head: Head, epoch: int) -> Head:
    """Returns the head with which the first block of an epoch is executed (LED-35).

    Args:
        parameters: Of the network.
        state: After the block before; is changed.
        head: After the block before.
        epoch: After the head's, maybe by more than one.

    Raises:
        AmountOverflowError: A price or the pool would have over 64 bits.
    """
    is_next = epoch == head.epoch + 1
    snapshots = _snapshots(parameters, state, head, epoch)
    paid = _pay_services(parameters, state, head)
    # Activity of the epoch that has just ended can be shown in the very next one only.
    lost = head.services_due - paid + (0 if is_next else head.services)
    remove_withdrawn(state, epoch)
    for key in [key for key, _ in state.activities.items()]:
        state.activities.write(key, None)
    return replace(
        _append_vouchers(state, head),
        epoch=epoch,
        aged_root=head.epoch_root if is_next else head.root,
        epoch_root=head.root,
        storage=_price(head.storage, head.stored_bytes, epoch - head.epoch),
        stored_bytes=0,
        burned=head.burned + lost,
        pool=checked_u64(head.pool + head.leaders),
        leaders=0,
        services=0,
        services_due=head.services if is_next else 0,
        snapshots=snapshots,
    )


def _pay_services(parameters: LedgerParameters, state: State, head: Head) -> int:
    """Makes the notes of a service's rewards; returns their sum (LED-32)."""
    if len(head.snapshots.last) < parameters.min_providers:
        return 0
    distances = dict(state.activities.items())
    rewards: dict[bytes, int] = {}
    for identifier, reward in service_shares(head.services_due, distances).items():
        declaration = state.declarations.get(identifier)
        if declaration is not None and reward:
            zk_id = declaration.message.zk_id
            rewards[zk_id] = rewards.get(zk_id, 0) + reward
    ordered = sorted(rewards, key=lambda each: int.from_bytes(each, "little"))
    notes = [Note(rewards[each], each) for each in ordered]
    if notes:
        state.notes.add(reward_operation_id(Service.BLEND_NETWORK, head.epoch - 1), notes)
    return sum(rewards.values())


def _append_vouchers(state: State, head: Head) -> Head:
    """Puts the vouchers of the ended epoch into their tree, whose root is then kept (LED-22)."""
    count = len(state.vouchers)
    places = range(head.vouchers, head.vouchers + count)
    commitments = [each for each in map(state.vouchers.get, places) if each is not None]
    tree = FrontierTree.restore(head.voucher_frontier)
    if commitments:
        tree.append_many(commitments)
    for place in places:
        state.vouchers.write(place, None)
    return replace(
        head,
        vouchers=head.vouchers + count,
        voucher_root=tree.root,
        voucher_frontier=tree.snapshot(),
    )


def _price(market: StorageMarket, stored_bytes: int, epochs: int) -> StorageMarket:
    """Returns the price after an epoch and the empty ones that follow it (LED-34)."""
    market = market.after_epoch(stored_bytes)
    for _ in range(epochs - 1):
        if not market.average_bytes:
            break  # it stays as it is, however many are empty
        market = market.after_epoch(0)
    return market


def _snapshots(parameters: LedgerParameters, state: State, head: Head, epoch: int) -> Snapshots:
    """Returns the snapshots of the epoch, with those beside it (LED-30)."""

    def of(wanted: int) -> Snapshot:
        if wanted >= head.epoch + 2:
            return snapshot(parameters, state, wanted - 2)
        return head.snapshots.coming if wanted == head.epoch + 1 else head.snapshots.present

    return Snapshots(of(epoch - 1), of(epoch), of(epoch + 1))
