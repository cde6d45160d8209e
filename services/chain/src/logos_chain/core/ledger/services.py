"""The service declaration protocol: declaring, withdrawing, showing activity, snapshots.

Spec: docs/protocol/chain-ledger.md, LED-24 to LED-31. Sources: LIP-87; LIP-98, SDP Operations;
LIP-95, Activity Proof, Activity Threshold.
"""

from dataclasses import replace
from hashlib import blake2b
from typing import Final

from logos_chain.core.ledger.context import TransactionContext
from logos_chain.core.ledger.errors import Refusal, RefusedError, refuse_unless
from logos_chain.core.ledger.obligations import (
    ActivityObligation,
    Ed25519Obligation,
    zk_signature,
)
from logos_chain.core.ledger.parameters import LedgerParameters
from logos_chain.core.ledger.state import State
from logos_chain.core.ledger.types import Declaration, Provider, Snapshot
from logos_mantle.proofs import DeclarationProof, ZkSignatureProof
from logos_mantle.services import Activity, SdpActive, SdpDeclare, SdpWithdraw

SETTLING_EPOCHS: Final = 2
"""After its last epoch, a declaration is kept until that epoch's reward is paid (LED-27)."""
_SENSITIVITY: Final = 1
"""theta of the activity threshold."""


def identity_keys(message: SdpDeclare) -> tuple[bytes, bytes]:
    """Returns the entries of a declaration among the identities: provider id, zk id (LED-24)."""
    service = bytes([message.service])
    return service + b"p" + message.provider_id, service + b"z" + message.zk_id


def declare(context: TransactionContext, operation: SdpDeclare, proof: DeclarationProof) -> None:
    """Registers a node and locks its collateral (LED-24, LED-25); raises `RefusedError`."""
    state, identifier = context.state, operation.declaration_id()
    refuse_unless(bool(operation.locators), Refusal.NO_LOCATORS)
    refuse_unless(identifier not in state.declarations, Refusal.DUPLICATE_DECLARATION)
    identities = identity_keys(operation)
    is_new = not any(each in state.identities for each in identities)
    refuse_unless(is_new, Refusal.DUPLICATE_PROVIDER)
    locked = state.notes.existing(operation.locked_note_id)
    refuse_unless(locked.channel is None, Refusal.CHANNEL_NOTE)
    refuse_unless(locked.declaration is None, Refusal.LOCKED_NOTE)
    refuse_unless(locked.note.value >= context.block.parameters.min_stake, Refusal.STAKE_TOO_LOW)
    keys = [locked.note.public_key, operation.zk_id]
    context.obligations += [
        zk_signature(context.transaction, keys, proof.zk_signature),
        Ed25519Obligation(
            operation.provider_id, context.transaction.hash, proof.provider_signature
        ),
    ]
    state.notes.lock(operation.locked_note_id, identifier)
    for each in identities:
        state.identities.write(each, identifier)
    state.declarations.write(identifier, Declaration(operation, context.block.epoch))


def sdp_withdraw(
    context: TransactionContext, operation: SdpWithdraw, proof: ZkSignatureProof
) -> None:
    """Makes this epoch a declaration's last (LED-26); raises `RefusedError`."""
    declarations = context.state.declarations
    found = _existing(context, operation.declaration_id)
    locked = context.state.notes.existing(operation.locked_note_id)
    is_its_note = found.message.locked_note_id == operation.locked_note_id
    refuse_unless(is_its_note, Refusal.WRONG_LOCKED_NOTE)
    refuse_unless(found.withdrawn_epoch is None, Refusal.ALREADY_WITHDRAWN)
    refuse_unless(operation.nonce > found.nonce, Refusal.STALE_NONCE)
    keys = [locked.note.public_key, found.message.zk_id]
    context.obligations.append(zk_signature(context.transaction, keys, proof.signature))
    withdrawn = replace(found, nonce=operation.nonce, withdrawn_epoch=context.block.epoch)
    declarations.write(operation.declaration_id, withdrawn)


def show_activity(
    context: TransactionContext, operation: SdpActive, proof: ZkSignatureProof
) -> None:
    """Records that a node was active in the epoch before (LED-28); raises `RefusedError`."""
    block, state, activity = context.block, context.state, operation.metadata
    identifier = operation.declaration_id
    found = _existing(context, identifier)
    refuse_unless(operation.nonce > found.nonce, Refusal.STALE_NONCE)
    refuse_unless(activity.epoch == block.epoch - 1, Refusal.WRONG_ACTIVITY_EPOCH)
    refuse_unless(identifier not in state.activities, Refusal.DUPLICATE_ACTIVITY)
    providers = block.head.snapshots.last
    index = _place(providers, identifier)
    distance = activity_distance(block.parameters, activity, block.epoch_nonce)
    limit = activity_threshold(block.parameters, len(providers))
    refuse_unless(distance < limit, Refusal.TOO_FAR)
    message = found.message
    context.obligations += [
        zk_signature(context.transaction, [message.zk_id], proof.signature),
        ActivityObligation(activity, message.provider_id, index, len(providers)),
    ]
    shown = replace(found, nonce=operation.nonce, active_epoch=activity.epoch)
    state.declarations.write(identifier, shown)
    state.activities.write(identifier, distance)


def activity_distance(parameters: LedgerParameters, activity: Activity, nonce: bytes) -> int:
    """Returns in how many bits a blending token differs from an epoch's randomness (LED-29).

    Args:
        parameters: Of the network.
        activity: With the token: nullifier, proof of quota, proof of selection.
        nonce: Of the epoch after the activity's, 32 bytes.
    """
    size = (parameters.expected_tokens.bit_length() + 7) // 8
    token = activity.key_nullifier + activity.quota_proof + activity.selection_randomness
    pair = [blake2b(each, digest_size=size).digest() for each in (token, nonce)]
    return (int.from_bytes(pair[0], "big") ^ int.from_bytes(pair[1], "big")).bit_count()


def activity_threshold(parameters: LedgerParameters, providers: int) -> int:
    """Returns what the distance of an active node is below, for a number of nodes (LED-29)."""
    return parameters.expected_tokens.bit_length() - providers.bit_length() - _SENSITIVITY


def snapshot(parameters: LedgerParameters, state: State, epoch: int) -> Snapshot:
    """Returns who serves two epochs after this one (LED-30, LED-31).

    Args:
        parameters: Of the network.
        state: As this epoch ended.
        epoch: This one.
    """
    serving = [
        Provider(identifier, each.message.provider_id, each.message.zk_id, each.message.locators)
        for identifier, each in state.declarations.items()
        if each.withdrawn_epoch is None and epoch - last_sign(each) <= parameters.inactivity_epochs
    ]
    return tuple(sorted(serving, key=lambda each: each.provider_id))


def last_sign(declaration: Declaration) -> int:
    """Returns the last epoch in which a node was declared or active (LED-31)."""
    return max(declaration.created_epoch, declaration.active_epoch or 0)


def remove_withdrawn(state: State, epoch: int) -> None:
    """Removes, as an epoch begins, declarations whose last reward is paid (LED-27).

    Source: LIP-98, SDP Epoch Finalization.
    """
    last = epoch - SETTLING_EPOCHS
    ended = [
        (identifier, each.message)
        for identifier, each in state.declarations.items()
        if each.withdrawn_epoch is not None and each.withdrawn_epoch <= last
    ]
    for identifier, message in ended:
        state.notes.lock(message.locked_note_id, None)
        for key in identity_keys(message):
            state.identities.write(key, None)
        state.declarations.write(identifier, None)


def _existing(context: TransactionContext, identifier: bytes) -> Declaration:
    found = context.state.declarations.get(identifier)
    if found is None:
        raise RefusedError(Refusal.UNKNOWN_DECLARATION)
    return found


def _place(providers: Snapshot, identifier: bytes) -> int:
    for index, each in enumerate(providers):
        if each.declaration_id == identifier:
            return index
    raise RefusedError(Refusal.NOT_A_PROVIDER)
