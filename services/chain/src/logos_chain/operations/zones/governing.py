"""What the keys of a channel decide by their signatures, and what the node's wallet deposits.

A change is drafted, with what the wallet pays for it; the holders of the channel's keys sign the
draft, and it comes back with their signatures. Until then nothing is kept of it but the wallet's
reservation.

Spec: docs/protocol/zone-sdk.md, ZON-27 to ZON-30, ZON-33.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from logos_chain.core.errors import NoteUnknownError
from logos_chain.core.ledger.types import Channel
from logos_chain.core.wallet.errors import OrderInvalidError
from logos_chain.core.wallet.types import Deposit, Order
from logos_chain.core.zone_errors import (
    DraftSubmittedError,
    NoteForeignError,
    NotesInsufficientError,
    ThresholdNotReachedError,
    TransactionUnexpectedError,
)
from logos_chain.operations.wallets.submitting import Prepared
from logos_chain.operations.zones.channel_chain import ChannelChain
from logos_chain.operations.zones.signing import ZonePorts, check_signature
from logos_mantle.channels import ChannelConfig
from logos_mantle.errors import MalformedError
from logos_mantle.limits import MAX_METADATA_BYTES
from logos_mantle.notes import Note
from logos_mantle.octets import GROTH16_BYTES
from logos_mantle.proofs import IndexedSignature, OperationProof, ThresholdProof, ZkSignatureProof
from logos_mantle.transactions import SignedTransaction, Transaction
from logos_zone_sdk.core.errors import DraftMalformedError, NotAccreditedError
from logos_zone_sdk.core.governing import Change, Withdrawal, change_of, operations_of

MAX_NOTES: Final = 255
"""In one withdrawal (MAN-7)."""


@dataclass(frozen=True, slots=True)
class Drafted:
    """A change that its keys are to sign."""

    prepared: Prepared
    channel: Channel
    """At the tip."""
    threshold: int
    """How many of its keys."""


class GovernOperations:
    """Configurations, deposits and withdrawals at one node."""

    def __init__(
        self, chain: ChannelChain, ports: ZonePorts, deposit: Callable[..., Awaitable[bytes]]
    ) -> None:
        """
        Args:
            chain: Of the node.
            ports: What the node does for it.
            deposit: Of the wallet (WAL-32).
        """
        self._chain = chain
        self._ports = ports
        self._deposit = deposit

    async def configuration(self, config: ChannelConfig) -> Drafted:
        """Drafts new keys and rules of a channel that there is (ZON-29).

        Raises:
            ChannelReservedError, NodeBehindError, ChannelUnknownError
            OrderInvalidError: A threshold is 0, or above the number of keys.
            LogosError: As of the wallet's `prepare`.
        """
        most = len(config.keys)
        for field in ("configuration_threshold", "transfer_threshold"):
            if not 0 < getattr(config, field) <= most:
                raise OrderInvalidError(f"1 to {most}, the number of keys", field=field)
        channel, _ = await self._chain.governed(config.channel)
        return await self._drafted(channel, config)

    async def withdrawal(
        self, channel_id: bytes, notes: Sequence[bytes], output: Note | None
    ) -> Drafted:
        """Drafts the release of notes, or of one note that is made of them (ZON-30).

        Args:
            channel_id: 32 bytes.
            notes: Ids of notes of the channel, 1 to 255, each once.
            output: What to pay; None: the notes are released as they are.

        Raises:
            ChannelReservedError, NodeBehindError, ChannelUnknownError
            NoteUnknownError, NoteForeignError
            OrderInvalidError: Too many notes or none, or a value of 0.
            NotesInsufficientError: The notes are worth less than the output.
            LogosError: As of the wallet's `prepare`.
        """
        if not 0 < len(notes) == len(set(notes)) <= MAX_NOTES:
            raise OrderInvalidError(f"1 to {MAX_NOTES} notes, each once", field="notes")
        channel, found = await self._chain.governed(channel_id, notes)
        there: list[Note] = []
        for each in found:
            if each is None:
                raise NoteUnknownError("no such note is unspent at the tip")
            if each.channel != channel_id:
                raise NoteForeignError("the note is not the channel's")
            there.append(each.note)
        rest = None if output is None else _rest(there, output)
        return await self._drafted(channel, Withdrawal(channel_id, tuple(notes), output, rest))

    async def deposit(self, deposit: Deposit, request: bytes) -> bytes:
        """Gives a value of the wallet to a channel; returns the transaction's hash (ZON-27).

        Raises:
            ChannelReservedError, NodeBehindError, ChannelUnknownError
            OrderInvalidError: The value is 0, or there is too much metadata.
            LogosError: As of the wallet's `deposit`.
        """
        if len(deposit.metadata) > MAX_METADATA_BYTES:
            raise OrderInvalidError(f"at most {MAX_METADATA_BYTES} bytes", field="metadata")
        await self._chain.governed(deposit.channel)
        return await self._deposit(deposit, request=request)

    async def signed(
        self, raw: bytes, transfer_proof: bytes, signatures: Mapping[bytes, bytes]
    ) -> bytes:
        """Submits a drafted change; returns its hash, 32 bytes (ZON-28).

        Args:
            raw: The transaction without proofs, encoded.
            transfer_proof: Of what pays, 128 bytes.
            signatures: By key.

        Raises:
            TransactionUnexpectedError
            ChannelReservedError, NodeBehindError, ChannelUnknownError
            NotAccreditedError: A key is not the channel's.
            SignatureInvalidError: A signature is not its key's.
            ThresholdNotReachedError: There are too few.
            LogosError: As of what takes transactions.
        """
        transaction, change = _read_draft(raw)
        if len(transfer_proof) != GROTH16_BYTES:
            raise TransactionUnexpectedError(f"a proof has {GROTH16_BYTES} bytes")
        channel, _ = await self._chain.governed(change.channel)
        wanted = _threshold(channel, change)
        found = await asyncio.to_thread(_checked, channel, transaction.hash, signatures)
        if len(found) < wanted:
            raise ThresholdNotReachedError(f"{len(found)} of {wanted} signatures")
        proof = ThresholdProof(tuple(found[:wanted]))
        proofs: list[OperationProof] = [proof for _ in transaction.operations[:-1]]
        proofs.append(ZkSignatureProof(transfer_proof))
        whole = SignedTransaction(transaction, tuple(proofs))
        if not await self._ports.adopt(whole):
            await self._ports.submit(whole.encoded)
        return transaction.hash

    def abandon(self, raw: bytes) -> None:
        """Frees the notes that a drafted change reserves (ZON-33).

        Args:
            raw: The transaction without proofs, encoded.

        Raises:
            TransactionUnexpectedError
            DraftSubmittedError: It was submitted, and is not final.
        """
        transaction, _ = _read_draft(raw)
        hash_, ports = transaction.hash, self._ports
        if ports.is_submitted(hash_) or ports.mempool.get(hash_) is not None:
            raise DraftSubmittedError("the draft was submitted, and is not final")
        ports.give_up(hash_)

    async def _drafted(self, channel: Channel, change: Change) -> Drafted:
        wanted, operations = _threshold(channel, change), operations_of(change)
        order = Order(operations=operations, signatures=(wanted,) * len(operations))
        return Drafted(await self._ports.prepare(order), channel, wanted)


def _rest(there: Sequence[Note], output: Note) -> Note | None:
    if not output.value:
        raise OrderInvalidError("a note has a value", field="output")
    rest = sum(each.value for each in there) - output.value
    if rest < 0:
        raise NotesInsufficientError("the notes are worth less than what is to be paid")
    return Note(rest, there[0].public_key) if rest else None


def _read_draft(raw: bytes) -> tuple[Transaction, Change]:
    try:
        transaction = Transaction.decode(raw)
        return transaction, change_of(transaction)
    except (MalformedError, DraftMalformedError) as error:
        raise TransactionUnexpectedError(f"it is no draft: {error}") from error


def _checked(
    channel: Channel, hash_: bytes, signatures: Mapping[bytes, bytes]
) -> list[IndexedSignature]:
    """Returns signatures by the places of their keys; some 0.1 ms each, all keys being known first.

    Raises:
        NotAccreditedError, SignatureInvalidError
    """
    places: dict[bytes, int] = {}
    for place, key in enumerate(channel.keys):
        places.setdefault(key, place)
    if not signatures.keys() <= places.keys():
        raise NotAccreditedError("the key is not among the channel's")
    for key, signature in signatures.items():
        check_signature(key, hash_, signature)
    found = [IndexedSignature(each, places[key]) for key, each in signatures.items()]
    return sorted(found, key=lambda each: each.index)


def _threshold(channel: Channel, change: Change) -> int:
    is_config = isinstance(change, ChannelConfig)
    return channel.configuration_threshold if is_config else channel.transfer_threshold
