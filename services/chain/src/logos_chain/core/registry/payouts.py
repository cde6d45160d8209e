"""How the stake of a slashed member is divided: a part for who has reported it, the rest burned.

Spec: docs/protocol/rln-registry.md, RLC-12.
"""

from typing import Final

from logos_chain.core.registry.registry import Member
from logos_mantle.channels import ChannelTransfer, ChannelWithdraw
from logos_mantle.notes import Note, note_id
from logos_mantle.octets import ZERO
from logos_mantle.operations import operation_id

REWARD_PART: Final = 2
"""The reward is one of so many parts, rounded down."""
BURNED: Final = ZERO
"""A public key: no secret is known that hashes to it."""


def payout(member: Member, channel: bytes) -> tuple[ChannelTransfer, ChannelWithdraw]:
    """Returns the operations that pay a reward and burn the rest.

    Args:
        member: Slashed; its stake is in the channel.
        channel: The registry's, 32 bytes.

    Raises:
        ValueError: It was not slashed.
    """
    if member.removal is None or member.removal.reporter is None:
        raise ValueError("only the stake of a slashed member is divided")
    reward = member.stake.value // REWARD_PART
    burned = Note(member.stake.value - reward, BURNED)
    outputs = (Note(reward, member.removal.reporter), burned) if reward else (burned,)
    transfer = ChannelTransfer(channel, (member.stake.id,), outputs)
    made = operation_id(transfer)
    released = tuple([note_id(made, at, each) for at, each in enumerate(outputs)])
    return transfer, ChannelWithdraw(channel, released)
