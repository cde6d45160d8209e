"""Blocks of simulated chains, and the oracle that stands for their proofs of leadership.

Here, and in nothing else of the simulated chain, something of the product is replaced: nothing is
proven. A proof names its note and a digest of the very public values that a real one is bound to
(slot, nonce, thresholds, both ledger roots, entropy, leader's key). The oracle, which knows the
secret keys of all notes, is asked in place of the verifier: it holds the real lottery again, looks
whether the note is in both ledgers, and whether the entropy is that of the note. So a block that
nobody has won is refused, as it would be by the circuit. Ed25519 signatures are real ones.

What has been found is remembered, for all nodes ask the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import blake2b

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from logos_chain.core.blocks import candidate_of, signed_bytes, uncle_of
from logos_chain.core.consensus.epochs import EpochState
from logos_chain.core.consensus.errors import RejectReason
from logos_chain.core.consensus.lottery import LeaderNote, entropy_contribution, lottery_of
from logos_chain.core.consensus.types import BlockId, Candidate, SignedHeader
from logos_chain.core.consensus.validation import LeadershipClaim
from logos_chain.core.leadership import public_values
from logos_mantle.blocks import Block, body_root
from logos_mantle.headers import Header, ProofOfLeadership
from logos_mantle.transactions import SignedTransaction


def digest(*parts: bytes | str) -> bytes:
    encoded = (each.encode() if isinstance(each, str) else each for each in parts)
    return blake2b(b"|".join(encoded), digest_size=32).digest()


def field(*parts: bytes | str) -> bytes:
    """32 bytes that are a field value."""
    return digest(*parts)[:31] + b"\0"


@dataclass(frozen=True, slots=True)
class Parcel:
    """A block on its way, decoded once for all."""

    candidate: Candidate
    transactions: tuple[SignedTransaction, ...]

    @property
    def id(self) -> BlockId:
        return self.candidate.header.id

    @property
    def parent(self) -> BlockId:
        return self.candidate.header.parent


@dataclass(frozen=True, slots=True)
class Place:
    """Where a block is to stand: what its proof is bound to."""

    parent: BlockId
    slot: int
    epoch: EpochState
    latest_root: bytes
    """The ledger root after the parent."""


class Oracle:
    """Knows every note with its key."""

    def __init__(self, activation: Fraction, notes: Iterable[LeaderNote]) -> None:
        self._activation = activation
        self._notes = {each.note_id: each for each in notes}
        self._members: dict[bytes, frozenset[bytes]] = {}
        self._wins: dict[tuple[bytes, int, bytes, int, int], list[int]] = {}
        self._verdicts: dict[tuple[LeadershipClaim, bool], RejectReason | None] = {}

    def learn(self, root: bytes, members: Iterable[bytes]) -> None:
        """Takes note of the notes that a ledger of this root has."""
        if root not in self._members:
            self._members[root] = frozenset(members)

    def members(self, root: bytes) -> frozenset[bytes]:
        return self._members.get(root, frozenset())

    def winning_slots(self, epoch: EpochState, note: bytes, first: int, end: int) -> list[int]:
        """Holds the product's lottery."""
        key = (epoch.nonce, epoch.total_stake, note, first, end)
        if key not in self._wins:
            drawn = lottery_of(epoch, self._activation)
            self._wins[key] = list(drawn.winning_slots(self._notes[note], first, end))
        return self._wins[key]

    def prove(self, note: bytes, place: Place, leader_key: bytes) -> tuple[bytes, bytes]:
        """Returns a proof and its entropy, whether the slot is won or not."""
        entropy = entropy_contribution(place.slot, self._notes[note])
        proof = self._proof(
            note,
            epoch=place.epoch,
            latest_root=place.latest_root,
            slot=place.slot,
            entropy=entropy,
            leader_key=leader_key,
        )
        return proof, entropy

    def fault(self, claims: Sequence[LeadershipClaim]) -> RejectReason | None:
        """Says what does not hold of a block and its uncles, as CON-33 has it."""
        for place, claim in enumerate(claims):
            key = (claim, place > 0)
            if key not in self._verdicts:
                self._verdicts[key] = self._fault(claim, is_uncle=place > 0)
            if self._verdicts[key] is not None:
                return self._verdicts[key]
        return None

    def _fault(self, claim: LeadershipClaim, *, is_uncle: bool) -> RejectReason | None:
        header = claim.signed.header
        try:
            public = Ed25519PublicKey.from_public_bytes(header.leader_key)
            public.verify(claim.signed.signature, signed_bytes(header))
        except (InvalidSignature, ValueError):
            return RejectReason.INVALID_UNCLE_PROOF if is_uncle else RejectReason.INVALID_SIGNATURE
        if self._holds(claim):
            return None
        return RejectReason.INVALID_UNCLE_PROOF if is_uncle else RejectReason.INVALID_PROOF

    def _holds(self, claim: LeadershipClaim) -> bool:
        header, epoch = claim.signed.header, claim.epoch
        named = header.proof[:32]
        note = self._notes.get(named)
        is_member = named in self.members(epoch.aged_root) & self.members(claim.latest_root)
        if note is None or not is_member:
            return False
        entropy = entropy_contribution(header.slot, note)
        made = self._proof(
            named,
            epoch=epoch,
            latest_root=claim.latest_root,
            slot=header.slot,
            entropy=entropy,
            leader_key=header.leader_key,
        )
        is_bound = (header.proof, header.entropy) == (made, entropy)
        return is_bound and lottery_of(epoch, self._activation).wins(header.slot, note)

    def _proof(
        self,
        note: bytes,
        *,
        epoch: EpochState,
        latest_root: bytes,
        slot: int,
        entropy: bytes,
        leader_key: bytes,
    ) -> bytes:
        values = public_values(
            lottery_of(epoch, self._activation),
            aged_root=epoch.aged_root,
            latest_root=latest_root,
            slot=slot,
            entropy=entropy,
            leader_key=leader_key,
        )
        return note + digest(repr(sorted(values.items()))) + bytes(64)


def make_block(
    oracle: Oracle,
    note: bytes,
    place: Place,
    name: str,
    *,
    uncles: Sequence[SignedHeader] = (),
    transactions: Sequence[SignedTransaction] = (),
    key_name: str | None = None,
) -> Parcel:
    """Makes a block as a leader does, and decodes it from its bytes as its receivers do.

    Args:
        oracle: Of the network.
        note: Its id.
        place: Where it is to stand.
        name: Of what is to be this block's alone: its voucher and its key.
        uncles: That it carries.
        transactions: Likewise.
        key_name: Of a key that is used again; None: of a key of its own.
    """
    key = Ed25519PrivateKey.from_private_bytes(digest("key", key_name or name))
    public = key.public_key().public_bytes_raw()
    proof, entropy = oracle.prove(note, place, public)
    carried = tuple(map(uncle_of, uncles))
    leadership = ProofOfLeadership(field("voucher", name), entropy, proof, public)
    root = body_root(carried, [each.hash for each in transactions])
    header = Header(place.parent, place.slot, root, leadership)
    raw = Block(header, key.sign(header.encoded), carried, tuple(transactions)).encode()
    block = Block.decode(raw)
    return Parcel(candidate_of(block, len(raw)), block.transactions)
