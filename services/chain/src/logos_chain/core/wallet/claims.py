"""The transaction that claims a leader's reward, and pays for itself out of it.

Spec: docs/protocol/chain-wallet.md, WAL-15. Source: LIP-85; LIP-98, LEADER_CLAIM.
"""

from collections.abc import Sequence

from logos_chain.core.wallet.errors import RewardTooSmallError
from logos_chain.core.wallet.ring import Voucher
from logos_chain.core.wallet.selection import unsigned_fee, with_headroom
from logos_chain.core.wallet.types import Draft, Prices
from logos_mantle.notes import Note, note_id
from logos_mantle.operations import operation_id
from logos_mantle.transactions import Transaction
from logos_mantle.transfers import LeaderClaim, Transfer


def plan_claim(
    voucher: Voucher, *, root: bytes, share: int, prices: Prices, keys: Sequence[bytes]
) -> Draft:
    """Makes the draft of a claim.

    Args:
        voucher: In the tree, not claimed.
        root: Of the tree of vouchers in this epoch, 32 bytes.
        share: What the claim gets.
        prices: Of the next block.
        keys: Two fresh public keys of the wallet: the reward's, and that of what is left of it.

    Raises:
        RewardTooSmallError: The share does not cover the fee.
    """
    reward_key, left_key = keys
    operation = LeaderClaim(root, voucher.nullifier, reward_key)
    reward = note_id(operation_id(operation), 0, Note(share, reward_key))

    def transfer(value: int) -> Transfer:
        return Transfer((reward,), (Note(value, left_key),))

    fee = unsigned_fee([operation, transfer(share)], prices)
    left = share - with_headroom(fee, prices)
    if left <= 0:
        raise RewardTooSmallError(f"a share of {share} does not pay the fee of {fee}; claim later")
    paying = transfer(left)
    return Draft(
        transaction=Transaction((operation, paying)),
        fee=fee,
        tip=share - left - fee,
        signing_keys=(reward_key,),
        change=paying.outputs[0],
        keys=(reward_key, left_key),
        voucher=voucher.number,
    )
