"""Messages of channels, on the chain of a node that is served."""

from typing import Any

from chain_ledger import ALICE, CHANNEL, KEYS, signed
from chain_rpc import Served

from logos_mantle.blocks import Block
from logos_mantle.channels import ChannelConfig, ChannelInscribe, message_id
from logos_mantle.notes import Note
from logos_mantle.transactions import SignedTransaction
from logos_mantle.transfers import Transfer

Message = ChannelInscribe | ChannelConfig


def messages(count: int, parent: bytes = bytes(32), name: str = "") -> list[Message]:
    """Inscriptions that follow one another."""
    found: list[Message] = []
    for at in range(count):
        made = ChannelInscribe(CHANNEL, f"{name}{at}".encode(), parent, KEYS[0])
        found.append(made)
        parent = message_id(made)
    return found


def written(node: Served, number: int, *wanted: Message) -> SignedTransaction:
    """A transaction of messages that one of Alice's first notes pays."""
    payment = Transfer((node.world.funds[number],), (Note(500_000, ALICE),))
    return signed(*wanted, payment, signatures=(0,))  # which a channel's first configuration has


async def write(node: Served, name: str, number: int, *wanted: Message) -> Block:
    """Takes a block with messages on the tip."""
    return await node.extend(name, written(node, number, *wanted))


async def empty(node: Served, name: str, count: int) -> None:
    """Takes blocks without messages on the tip."""
    for at in range(count):
        await node.extend(f"{name} {at}")


def payload(response: Any) -> bytes:
    return bytes(response.message.inscription.payload)
