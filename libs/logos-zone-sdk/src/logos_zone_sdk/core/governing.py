"""Changes of a channel that its keys sign: what was asked for, and what a node has drafted.

Holders of the keys may be apart: a draft is a file, which each of them signs, and the signatures
are brought together afterwards.

Spec: docs/protocol/zone-sdk.md, ZON-28 to ZON-32.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from logos_mantle import octets
from logos_mantle.channels import ChannelConfig, ChannelTransfer, ChannelWithdraw
from logos_mantle.errors import MalformedError
from logos_mantle.limits import MAX_BODY_BYTES, MAX_CHANNEL_KEYS
from logos_mantle.notes import Note, note_id
from logos_mantle.octets import GROTH16_BYTES, KEY_BYTES, SIGNATURE_BYTES, Reader
from logos_mantle.operations import Operation, operation_id
from logos_mantle.transactions import Transaction
from logos_mantle.transfers import Transfer
from logos_zone_sdk.core.errors import (
    DraftForeignError,
    DraftMalformedError,
    NotAccreditedError,
)
from logos_zone_sdk.core.signatures import is_signature

VERSION: Final = 1
MAX_DRAFT_BYTES: Final = (
    1024 + MAX_BODY_BYTES + MAX_CHANNEL_KEYS * (KEY_BYTES + 2 + SIGNATURE_BYTES)
)


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Notes that leave a channel (ZON-30)."""

    channel: bytes
    """32 bytes."""
    notes: tuple[bytes, ...]
    """Ids of notes of the channel, 32 bytes each; 1 to 255, each once."""
    output: Note | None = None
    """What is made of them, and leaves; None: they leave as they are."""
    rest: Note | None = None
    """What is made beside an output, and stays."""


Change = ChannelConfig | Withdrawal


def operations_of(change: Change) -> tuple[Operation, ...]:
    """Returns the operations that make a change, without the transfer that pays for them.

    Raises:
        ValueUnencodableError: An id or a key of it is no field value, or a value has over 64 bits.
    """
    if isinstance(change, ChannelConfig):
        return (change,)
    if change.output is None:
        return (ChannelWithdraw(change.channel, change.notes),)
    rest = () if change.rest is None else (change.rest,)
    made = ChannelTransfer(change.channel, change.notes, (change.output, *rest))
    paid = note_id(operation_id(made), 0, change.output)
    return made, ChannelWithdraw(change.channel, (paid,))


def change_of(transaction: Transaction) -> Change:
    """Returns what a drafted transaction changes (ZON-28).

    Raises:
        DraftMalformedError: It is no configuration or withdrawal of one channel with a transfer.
    """
    found: Change
    match transaction.operations:
        case (ChannelConfig() as found, Transfer()):
            pass
        case (ChannelWithdraw(channel=channel, inputs=notes), Transfer()):
            found = Withdrawal(channel, notes)
        case (ChannelTransfer(outputs=(output, *rest)) as made, ChannelWithdraw(), Transfer()):
            found = Withdrawal(made.channel, made.inputs, output, rest[0] if rest else None)
        case _:
            raise DraftMalformedError("no configuration or withdrawal of one channel")
    if operations_of(found) != transaction.operations[:-1]:
        raise DraftMalformedError("what is withdrawn is not the first note that is made")
    return found


@dataclass(frozen=True, slots=True)
class Draft:
    """A change that keys of its channel are to sign, and their signatures so far."""

    transaction: Transaction
    """The change, and a transfer of a node's wallet that pays for it."""
    transfer_proof: bytes
    """Of the transfer, 128 bytes."""
    fee: int
    """Mandatory, as the node says; 64 bits."""
    threshold: int
    """How many keys are to sign, 16 bits."""
    keys: tuple[bytes, ...]
    """Of which keys, Ed25519, 32 bytes each."""
    signatures: Mapping[bytes, bytes] = field(default_factory=dict)
    """64 bytes each, over the transaction's hash; by key."""

    @property
    def hash(self) -> bytes:
        """What is signed, 32 bytes; computed here, not taken from a node."""
        return self.transaction.hash

    @property
    def change(self) -> Change:
        """What it would do; raises `DraftMalformedError`."""
        return change_of(self.transaction)

    @property
    def missing(self) -> int:
        """How many signatures it lacks."""
        return max(0, self.threshold - len(self.signatures))

    def check(self, asked: Change) -> None:
        """Raises `DraftForeignError` unless it does what was asked, and pays for it (ZON-31)."""
        *changes, payment = self.transaction.operations or (None,)
        if tuple(changes) != operations_of(asked) or not isinstance(payment, Transfer):
            raise DraftForeignError("the draft is of another change than the one asked for")

    def signed(self, key: Ed25519PrivateKey, asked: Change) -> Self:
        """Adds a signature.

        Args:
            key: Of the channel.
            asked: What the holder of the key agrees to.

        Raises:
            DraftForeignError: It does something else.
            NotAccreditedError: The key is not among the channel's.
        """
        self.check(asked)
        public = key.public_key().public_bytes_raw()
        if public not in self.keys:
            raise NotAccreditedError("the key is not among the channel's")
        return replace(self, signatures={**self.signatures, public: key.sign(self.hash)})

    def joined(self, other: Self) -> Self:
        """Adds the signatures of another copy; raises `DraftForeignError` if it is none."""
        if replace(other, signatures=self.signatures) != self:
            raise DraftForeignError("the drafts are different: signatures of one are for it alone")
        return replace(self, signatures={**self.signatures, **other.signatures})

    def encode(self) -> bytes:
        """Returns its encoding (ZON-32), at most `MAX_DRAFT_BYTES`."""
        places = sorted((self.keys.index(key), each) for key, each in self.signatures.items())
        signatures = [
            octets.number(place, 2, "signatures")
            + octets.fixed(each, SIGNATURE_BYTES, "signatures")
            for place, each in places
        ]
        keys = [octets.fixed(each, KEY_BYTES, "keys") for each in self.keys]
        return b"".join(
            [
                bytes([VERSION]),
                octets.sized(self.transaction.encoded, 4, MAX_BODY_BYTES, "transaction"),
                octets.fixed(self.transfer_proof, GROTH16_BYTES, "transfer_proof"),
                octets.number(self.fee, 8, "fee"),
                octets.number(self.threshold, 2, "threshold"),
                octets.listed(keys, 2, MAX_CHANNEL_KEYS, "keys"),
                octets.listed(signatures, 2, MAX_CHANNEL_KEYS, "signatures"),
            ]
        )

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Decodes one. Untrusted; raises `DraftMalformedError`."""
        try:
            reader = Reader(raw, limit=MAX_DRAFT_BYTES)
            found = cls._read(reader)
            reader.end()
        except MalformedError as error:
            raise DraftMalformedError(f"no draft: {error}") from error
        if found.encode() != raw:
            raise DraftMalformedError("no draft: it is written in another way")
        return found

    @classmethod
    def _read(cls, reader: Reader) -> Self:
        if reader.number(1) != VERSION:
            raise DraftMalformedError("no draft, or one of another version")
        transaction = Transaction.decode(reader.take(reader.number(4)))
        change_of(transaction)
        proof, fee, threshold = reader.take(GROTH16_BYTES), reader.number(8), reader.number(2)
        keys = tuple([reader.take(KEY_BYTES) for _ in range(reader.number(2))])
        signatures: dict[bytes, bytes] = {}
        for _ in range(reader.number(2)):
            place, signature = reader.number(2), reader.take(SIGNATURE_BYTES)
            if place >= len(keys) or not is_signature(keys[place], transaction.hash, signature):
                raise DraftMalformedError("no draft: a signature is not that of its key")
            signatures[keys[place]] = signature
        return cls(transaction, proof, fee, threshold, keys, signatures)
