"""Rate limits to messages of `logos.network.v1`."""

from typing import Final

from logos.network.v1 import rln_pb2 as pb
from logos_mixnet.core.rln.status import MembershipState, MembershipStatus
from logos_mixnet.operations.rln import RlnOperations
from logos_mixnet.operations.rln_signals import Judgement, Verdict

_STATES: Final = {
    MembershipStatus.NONE: pb.MEMBERSHIP_STATE_NONE,
    MembershipStatus.PENDING: pb.MEMBERSHIP_STATE_PENDING,
    MembershipStatus.ACTIVE: pb.MEMBERSHIP_STATE_ACTIVE,
    MembershipStatus.SLASHED: pb.MEMBERSHIP_STATE_SLASHED,
}
_VERDICTS: Final = {
    Verdict.VALID: pb.PROOF_VERDICT_VALID,
    Verdict.INVALID: pb.PROOF_VERDICT_INVALID,
    Verdict.DUPLICATE: pb.PROOF_VERDICT_DUPLICATE,
    Verdict.VIOLATION: pb.PROOF_VERDICT_RATE_LIMIT_VIOLATION,
}


def membership_to_pb(state: MembershipState) -> pb.Membership:
    """Packs this node's membership."""
    packed = pb.Membership(
        state=_STATES[state.status], commitment=state.commitment, limit=state.limit
    )
    if state.status is MembershipStatus.ACTIVE and state.place is not None:
        packed.leaf_index = state.place.index
        packed.root = state.place.root
    return packed


def verdict_to_pb(judgement: Judgement) -> pb.VerifyProofResponse:
    """Packs a judgement."""
    return pb.VerifyProofResponse(verdict=_VERDICTS[judgement.verdict], reason=judgement.reason)


def status_to_pb(rln: RlnOperations) -> pb.RlnGetStatusResponse:
    """Packs how rate limits stand."""
    now_ms, epochs, ids = rln.now_ms(), rln.member.epochs, rln.proofs.ids
    pool, guard, roots = rln.proofs.pool, rln.checks.guard, rln.standing.roots
    packed = pb.RlnGetStatusResponse(
        membership=membership_to_pb(rln.state()),
        epoch=epochs.at(now_ms),
        ids_left=ids.left(now_ms),
        prepared=len(pool),
        proofs_prepared=pool.found,
        proofs_not_prepared=pool.not_found,
        members=rln.members.machine.count,
        root=roots[0] if roots else b"",
        is_open=rln.members.machine.is_open,
        accepted=guard.accepted,
        dropped=guard.dropped,
        handed_out={each.value: count for each, count in ids.handed_out.items()},
        refused={each.value: count for each, count in ids.refused.items()},
        deferred=ids.deferred,
        convicted=rln.convicted,
        nullifiers=guard.noted,
    )
    packed.period.FromMilliseconds(epochs.period_ms)
    return packed
