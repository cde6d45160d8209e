"""Has the proofs of a draft made.

Spec: docs/protocol/chain-wallet.md, WAL-14, WAL-15; zk.md, ZK-9, ZK-10.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from logos_chain.core.wallet.signing import claim_witness, signature_witness
from logos_chain.core.wallet.types import Draft
from logos_chain.core.wallet.wallet import Wallet
from logos_chain.operations.leading import Make
from logos_crypto.circuits import CircuitKey, Witness
from logos_crypto.jobs import CircuitJob
from logos_crypto.prover import Priority
from logos_crypto.trees import MerklePath
from logos_mantle.channels import ChannelConfig, ChannelDeposit
from logos_mantle.limits import MAX_SIGNING_KEYS
from logos_mantle.notes import note_id
from logos_mantle.operations import Operation, operation_id
from logos_mantle.proofs import ClaimProof, OperationProof, ThresholdProof, ZkSignatureProof
from logos_mantle.transactions import SignedTransaction, Transaction
from logos_mantle.transfers import LeaderClaim, Transfer

CIRCUITS: Final = ("signature2", "signature32", "claim")
"""Those whose proving keys a wallet needs."""


_Part = tuple[type[ClaimProof] | type[ZkSignatureProof], Witness] | ThresholdProof


@dataclass(frozen=True, slots=True)
class DraftWitnesses:
    """What is to be proven of a draft, for each operation in turn. Secret."""

    draft: Draft
    parts: tuple[_Part, ...] = field(repr=False)
    """A threshold's proof is there already: that of a new channel, which has no signatures."""


def is_provable(operation: Operation) -> bool:
    """Returns whether the wallet proves this operation of an order by itself.

    A small deposit, and the configuration of a new channel, which has no signatures.
    """
    if isinstance(operation, ChannelDeposit):
        return 1 <= len(operation.inputs) <= MAX_SIGNING_KEYS
    return isinstance(operation, ChannelConfig)


def witnesses(machine: Wallet, draft: Draft, path: MerklePath | None = None) -> DraftWitnesses:
    """Returns what is to be proven of a transfer, its deposits, or a claim of the wallet.

    Args:
        machine: The wallet.
        draft: Of it; without operations that others sign.
        path: Of the voucher, for a claim.

    Raises:
        KeyUnknownError: The wallet only watches, or a note of a deposit is not its own.
        NoteUnavailableError: A note of a deposit is not there.
        ValueError: It has operations that the wallet does not prove by itself.
    """
    parts: list[_Part] = []
    transaction = draft.transaction
    for operation in transaction.operations:
        match operation:
            case Transfer():
                parts.append((ZkSignatureProof, transfer_witness(machine, draft)))
            case ChannelDeposit():
                parts.append((ZkSignatureProof, deposit_witness(machine, transaction, operation)))
            case ChannelConfig():  # of a channel that there is, the ledger refuses it
                parts.append(ThresholdProof(()))
            case LeaderClaim() if path is not None and draft.voucher is not None:
                ring = machine.voucher_ring
                secret = ring.secret(ring.by_number(draft.voucher))
                parts.append((ClaimProof, claim_witness(transaction, operation, secret, path)))
            case _:
                raise ValueError("an operation that the wallet does not prove by itself")
    return DraftWitnesses(draft, tuple(parts))


def transfer_witness(machine: Wallet, draft: Draft) -> Witness:
    """Returns what is to be proven of a draft's transfer. Secret; raises `KeyUnknownError`."""
    secrets = [machine.keys.secret_key(each) for each in draft.signing_keys]
    return signature_witness(draft.transaction, draft.signing_keys, secrets)


def deposit_witness(machine: Wallet, transaction: Transaction, deposit: ChannelDeposit) -> Witness:
    """Returns what is to be proven of a deposit, at most 32 notes. Secret; errors as above.

    Its notes are the wallet's, or those that transfers of the same transaction make.
    """
    made = {
        note_id(operation_id(each), index, note): note.public_key
        for each in transaction.operations
        if isinstance(each, Transfer)
        for index, note in enumerate(each.outputs)
    }
    keys = [made.get(each) or machine.owners([each])[0] for each in deposit.inputs]
    return signature_witness(transaction, keys, [machine.keys.secret_key(each) for each in keys])


class DraftProver:
    """The node's prover, with the keys of the wallet's circuits."""

    def __init__(self, keys: Mapping[str, CircuitKey], make: Make) -> None:
        """
        Args:
            keys: Proving keys by the names of `CIRCUITS`.
            make: `prove` of the node's prover.
        """
        self._keys = keys
        self._make = make

    async def signed(self, wanted: DraftWitnesses) -> SignedTransaction:
        """Returns a draft with its proofs; behind proofs of leadership. Errors of `LogosError`."""
        proofs: list[OperationProof] = []
        for part in wanted.parts:
            if isinstance(part, ThresholdProof):
                proofs.append(part)
            else:
                kind, witness = part
                proofs.append(kind(await self.proof(witness)))
        return SignedTransaction(wanted.draft.transaction, tuple(proofs))

    async def proof(self, witness: Witness) -> bytes:
        """Returns one proof, 128 bytes; behind proofs of leadership. Errors of `LogosError`."""
        return await self._make(CircuitJob(witness, self._keys[witness.circuit]), Priority.ORDINARY)
