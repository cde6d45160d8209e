"""Verifies what blocks claim: leadership, and what the ledger has put off.

Signatures are verified first, proofs after them, and all proofs of a block of one circuit at once.
All of it is done in worker threads.

Spec: docs/protocol/chain-following.md, FOL-3, FOL-4; chain-consensus.md, CON-33; chain-ledger.md,
LED-4; zk.md, ZK-7.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Protocol

from logos_chain.core.blocks import signed_bytes
from logos_chain.core.consensus.errors import RejectReason
from logos_chain.core.consensus.lottery import lottery_of
from logos_chain.core.consensus.types import SignedHeader
from logos_chain.core.consensus.validation import LeadershipClaim
from logos_chain.core.leadership import LEADERSHIP, public_values
from logos_chain.core.ledger.errors import Unmet
from logos_chain.core.ledger.obligations import (
    ActivityObligation,
    CircuitObligation,
    Ed25519Obligation,
    Obligation,
)
from logos_crypto.circuits import CircuitVerifier, public_inputs
from logos_crypto.keys import CircuitKeys, KeySet
from logos_crypto.refusals import RefusedError
from logos_module.keys import load_verifier
from logos_module.prover import default_workers
from logos_zone_sdk.core.signatures import is_signature

_KINDS: Final = {
    "signature2": Unmet.ZK_SIGNATURE,
    "signature32": Unmet.ZK_SIGNATURE,
    "claim": Unmet.CLAIM,
}
CIRCUITS: Final = (LEADERSHIP, *_KINDS)
"""Those whose proofs stand in blocks."""

Proof = tuple[bytes, bytes]
"""Public inputs, 32 bytes each in the verifier's order, and the proof, 128 bytes."""


class Verifier(Protocol):
    """Verifies the claims of blocks. What it is given is untrusted."""

    async def claims(self, claims: Sequence[LeadershipClaim]) -> RejectReason | None:
        """Verifies a block's own claim, the first, and its uncles'; returns what does not hold."""
        ...

    async def obligations(self, obligations: Sequence[Obligation]) -> Unmet | None:
        """Verifies what the ledger asks for; returns the kind of what does not hold."""
        ...


class Proofs(Protocol):
    """Verifies proofs of circuits."""

    def all_hold(self, circuit: str, proofs: Sequence[Proof]) -> bool:
        """Returns whether all proofs of a circuit are valid. Untrusted; blocks, never raises."""
        ...


@dataclass(frozen=True, slots=True)
class CircuitProofs:
    """`Proofs` by the verifying keys of the chain's circuits, which are loaded once."""

    verifiers: Mapping[str, CircuitVerifier]

    @classmethod
    async def load(cls, store: CircuitKeys, keys: KeySet) -> "CircuitProofs":
        """Loads the keys that a genesis names. Errors as `KeySet.load_verifier`."""
        return cls({each: await load_verifier(store, keys, each) for each in CIRCUITS})

    def all_hold(self, circuit: str, proofs: Sequence[Proof]) -> bool:
        try:
            return self.verifiers[circuit].verify_all(proofs)
        except RefusedError:  # a malformed proof proves nothing
            return False


class ProofVerifier:
    """`Verifier` by the circuits' keys."""

    def __init__(self, proofs: Proofs, activation: Fraction, *, workers: int | None = None) -> None:
        """
        Args:
            proofs: Of the network's keys.
            activation: f of the network, for the thresholds of its lottery.
            workers: Blocks that are looked at at once; None for the cores less one.
        """
        self._proofs = proofs
        self._activation = activation
        self._turn = asyncio.Semaphore(default_workers() if workers is None else workers)

    async def claims(self, claims: Sequence[LeadershipClaim]) -> RejectReason | None:
        async with self._turn:
            return await asyncio.to_thread(self._claims, claims)

    async def obligations(self, obligations: Sequence[Obligation]) -> Unmet | None:
        if not obligations:
            return None
        async with self._turn:
            return await asyncio.to_thread(self._obligations, obligations)

    def _claims(self, claims: Sequence[LeadershipClaim]) -> RejectReason | None:
        own, *uncles = claims
        if not _is_signed(own.signed):
            return RejectReason.INVALID_SIGNATURE
        if not all(_is_signed(each.signed) for each in uncles):
            return RejectReason.INVALID_UNCLE_PROOF
        proofs = [self._leadership(each) for each in claims]
        if self._proofs.all_hold(LEADERSHIP, proofs):
            return None
        if uncles and self._proofs.all_hold(LEADERSHIP, proofs[:1]):
            return RejectReason.INVALID_UNCLE_PROOF
        return RejectReason.INVALID_PROOF

    def _leadership(self, claim: LeadershipClaim) -> Proof:
        return leadership_inputs(claim, self._activation), claim.signed.header.proof

    def _obligations(self, obligations: Sequence[Obligation]) -> Unmet | None:
        proofs: defaultdict[str, list[Proof]] = defaultdict(list)
        signatures: list[Ed25519Obligation] = []
        for each in obligations:
            match each:
                case ActivityObligation():
                    return Unmet.ACTIVITY_UNVERIFIABLE
                case Ed25519Obligation():
                    signatures.append(each)
                case CircuitObligation():
                    proofs[each.circuit].append((each.public, each.proof))
        if not all(is_signature(each.key, each.message, each.signature) for each in signatures):
            return Unmet.SIGNATURE
        for circuit, asked in sorted(proofs.items()):
            if not self._proofs.all_hold(circuit, asked):
                return _KINDS[circuit]
        return None


def leadership_inputs(claim: LeadershipClaim, activation: Fraction) -> bytes:
    """Returns the public inputs of a proof of leadership: 9 of 32 bytes each (ZK-7).

    Args:
        claim: Its sizes and field values were looked at.
        activation: f of the network.
    """
    header = claim.signed.header
    values = public_values(
        lottery_of(claim.epoch, activation),
        aged_root=claim.epoch.aged_root,
        latest_root=claim.latest_root,
        slot=header.slot,
        entropy=header.entropy,
        leader_key=header.leader_key,
    )
    return public_inputs(LEADERSHIP, values)


def _is_signed(signed: SignedHeader) -> bool:
    header = signed.header
    return is_signature(header.leader_key, signed_bytes(header), signed.signature)
