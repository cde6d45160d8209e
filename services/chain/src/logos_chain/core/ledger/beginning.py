"""The ledger's state after a genesis block.

Spec: docs/protocol/chain-ledger.md, LED-12, LED-37. Source: LIP-90.
"""

from dataclasses import replace
from typing import Final

from logos_chain.core.ledger.channels import GENESIS_CHANNEL, new_channel
from logos_chain.core.ledger.context import BlockContext, TransactionContext
from logos_chain.core.ledger.errors import GenesisInvalidError, RefusedError
from logos_chain.core.ledger.parameters import LedgerParameters
from logos_chain.core.ledger.services import declare, snapshot
from logos_chain.core.ledger.state import State
from logos_chain.core.ledger.types import Head, Snapshots
from logos_crypto.trees import FrontierTree
from logos_mantle.channels import ChannelInscribe, message_id
from logos_mantle.errors import AmountOverflowError
from logos_mantle.fees import checked_sum
from logos_mantle.genesis import Genesis
from logos_mantle.octets import GROTH16_BYTES, SIGNATURE_BYTES, ZERO
from logos_mantle.operations import operation_id
from logos_mantle.prices import GENESIS_EXECUTION, GENESIS_STORAGE
from logos_mantle.proofs import DeclarationProof

MAX_GENESIS_SUPPLY: Final = (1 << 63) - 1
"""Leaves room for emission, so that sums of tokens have 64 bits."""

_PROOF: Final = DeclarationProof(bytes(GROTH16_BYTES), bytes(SIGNATURE_BYTES))


def genesis_state(parameters: LedgerParameters, genesis: Genesis) -> tuple[State, Head]:
    """Returns state and head after a genesis block (LED-37).

    Raises:
        GenesisInvalidError: Its notes or its declarations break a rule.
    """
    state = State.empty()
    try:
        total = checked_sum(each.value for each in genesis.transfer.outputs)
        state.notes.add(operation_id(genesis.transfer), genesis.transfer.outputs)
        head = _head(state.notes.root(), total)
        _declare(parameters, state, head, genesis)
    except (RefusedError, AmountOverflowError) as error:
        raise GenesisInvalidError(f"a genesis that the ledger refuses: {error}") from error
    if total > MAX_GENESIS_SUPPLY:
        raise GenesisInvalidError(f"{total} tokens, at most {MAX_GENESIS_SUPPLY}")
    for operation in genesis.block.transactions[0].transaction.operations:
        if isinstance(operation, ChannelInscribe):
            channel = replace(new_channel((), 0), tip=message_id(operation))
            state.channels.write(GENESIS_CHANNEL, channel)
    first = snapshot(parameters, state, 0)
    head = replace(head, snapshots=Snapshots((), first, first))
    state.collect(head, head)
    return state, head


def _declare(parameters: LedgerParameters, state: State, head: Head, genesis: Genesis) -> None:
    """Registers the first nodes; what they would have to prove is dropped, since it is agreed."""
    [signed] = genesis.block.transactions
    block = BlockContext(parameters, state, head, slot=0, epoch_nonce=ZERO, pool=0)
    context = TransactionContext(block, signed.transaction)
    for each in genesis.declarations:
        declare(context, each, _PROOF)


def _head(root: bytes, total: int) -> Head:
    vouchers = FrontierTree()
    return Head(
        slot=0,
        epoch=0,
        root=root,
        aged_root=root,
        epoch_root=root,
        execution=GENESIS_EXECUTION,
        storage=GENESIS_STORAGE,
        stored_bytes=0,
        fees=(),
        genesis=total,
        emitted=0,
        burned=0,
        pool=0,
        leaders=0,
        services=0,
        services_due=0,
        vouchers=0,
        voucher_root=vouchers.root,
        voucher_frontier=vouchers.snapshot(),
        snapshots=Snapshots((), (), ()),
    )
