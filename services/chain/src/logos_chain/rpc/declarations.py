"""Declarations of services in messages."""

from typing import Final

from logos.chain.v1 import chain_pb2 as pb
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.ledger.declared import DeclaredNode, Standing
from logos_mantle.octets import HASH_BYTES

_STATES: Final = {
    Standing.ACTIVE: pb.DECLARATION_STATE_ACTIVE,
    Standing.INACTIVE: pb.DECLARATION_STATE_INACTIVE,
    Standing.WITHDRAWN: pb.DECLARATION_STATE_WITHDRAWN,
}


def from_declared(found: DeclaredNode, parameters: Parameters) -> pb.Declaration:
    """Returns a declaration with the slot in which its note is unlocked."""
    declaration, message = found.declaration, found.declaration.message
    made = pb.Declaration(
        id=found.identifier,
        service=message.service.name,
        state=_STATES[found.standing],
        is_serving=found.serves,
        provider_id=message.provider_id,
        zk_id=message.zk_id,
        locators=message.locators,
        locked_note=message.locked_note_id,
        locked_value=found.locked_value,
        created_epoch=declaration.created_epoch,
        nonce=declaration.nonce,
    )
    if declaration.active_epoch is not None:
        made.active_epoch = declaration.active_epoch
    if declaration.withdrawn_epoch is not None:
        made.withdrawn_epoch = declaration.withdrawn_epoch
    if found.unlock_epoch is not None:
        made.unlock_slot = parameters.epoch_begins(found.unlock_epoch)
    return made


def token_to_id(token: str) -> bytes:
    """Reads the id before a page; raises `ValueError`."""
    raw = bytes.fromhex(token)
    if len(raw) != HASH_BYTES:
        raise ValueError("a token of another listing")
    return raw
