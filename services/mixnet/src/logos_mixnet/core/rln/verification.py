"""Verifying the proofs that `ProofGuard` asks for. Takes milliseconds: call it off the loop."""

from collections.abc import Sequence

from logos_base.errors import LogosError
from logos_crypto import rln
from logos_crypto.refusals import PeerRefusedError, RefusedError
from logos_crypto.rln import Expected, Proof, RateLimitProof
from logos_crypto.rln_refusals import ProofInvalidError, RootUnknownError, SignalError
from logos_mixnet.core.rln.guard import Verify


def verify_all(checks: Sequence[Verify]) -> list[LogosError | None]:
    """Verifies proofs together (RLN-14); for each None, or why it is refused."""
    outcomes: list[LogosError | None] = [None] * len(checks)
    read: list[tuple[int, Proof, Expected]] = []
    for place, check in enumerate(checks):
        try:
            proof = RateLimitProof.from_bytes(check.raw).proof(check.external_nullifier)
        except RefusedError as error:
            outcomes[place] = error
            continue
        roots = (check.frame.root,)
        expected = Expected(roots, check.external_nullifier, check.frame.share_x)
        read.append((place, proof, expected))
    reasons = rln.verify_all([(proof, expected) for _, proof, expected in read])
    for (place, _, _), reason in zip(read, reasons, strict=True):
        if reason is not None:
            outcomes[place] = _refusal(reason)
    return outcomes


def is_false(error: LogosError | None) -> bool:
    """Says whether a proof was refused by its own points: its maker knows that it is false.

    Members and clocks of nodes may differ, so another root or epoch is no such fault.
    """
    others = (RootUnknownError, SignalError)
    return isinstance(error, PeerRefusedError) and not isinstance(error, others)


def _refusal(reason: str) -> LogosError:
    refused = RefusedError.of_reason.get(reason, ProofInvalidError)
    known = refused if issubclass(refused, PeerRefusedError) else ProofInvalidError
    return known("the proof does not verify")
