"""The rules of a header, in the order in which they are looked at: what is cheap first.

The last ones, proofs of leadership, signatures and the execution of the body, are work of others:
`claims` says what is to be proved, and the follower asks for it.

Spec: docs/protocol/chain-consensus.md, CON-30 to CON-33. Source: LIP-92, block header validation.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from logos_chain.core.consensus.epochs import EpochState, epoch_at
from logos_chain.core.consensus.errors import RejectReason
from logos_chain.core.consensus.fields import is_field
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.consensus.tree import BlockTree, TreeBlock
from logos_chain.core.consensus.types import ID_BYTES, Candidate, Header, SignedHeader
from logos_chain.core.consensus.uncles import is_uncle

VERSION: Final = 1
PROOF_BYTES: Final = 128
KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
_U64: Final = 1 << 64


@dataclass(frozen=True, slots=True)
class LeadershipClaim:
    """That a header's leader has won its slot: what a proof and a signature are verified for."""

    signed: SignedHeader
    epoch: EpochState
    """That of the header's slot, on the chain of its parent."""
    latest_root: bytes
    """The ledger root after its parent."""


@dataclass(frozen=True, slots=True)
class _Context:
    parameters: Parameters
    tree: BlockTree
    candidate: Candidate
    now_slot: int

    @property
    def header(self) -> Header:
        return self.candidate.header

    @property
    def parent(self) -> TreeBlock | None:
        return self.tree.get(self.header.parent)


def _is_new(of: _Context) -> bool:
    return of.tree.get(of.header.id) is None


def _is_well_formed(of: _Context) -> bool:
    return all(map(_has_sizes, (of.candidate.signed, *of.candidate.uncles)))


def _has_sizes(signed: SignedHeader) -> bool:
    header = signed.header
    return (
        len(header.id) == len(header.parent) == len(header.body_root) == ID_BYTES
        and 0 <= header.slot < _U64
        and is_field(header.voucher)
        and is_field(header.entropy)
        and len(header.proof) == PROOF_BYTES
        and len(header.leader_key) == KEY_BYTES
        and len(signed.signature) == SIGNATURE_BYTES
    )


def _has_version(of: _Context) -> bool:
    return of.header.version == VERSION


def _has_body_size(of: _Context) -> bool:
    return of.candidate.body_bytes <= of.parameters.max_body_bytes


def _has_transactions(of: _Context) -> bool:
    return of.candidate.transactions <= of.parameters.max_transactions


def _has_body_root(of: _Context) -> bool:
    return of.candidate.body_root == of.header.body_root


def _has_begun(of: _Context) -> bool:
    return of.header.slot <= of.now_slot


def _is_above_root(of: _Context) -> bool:
    return of.header.slot > of.tree.root.slot and not of.tree.is_below(of.header.parent)


def _has_parent(of: _Context) -> bool:
    return of.parent is not None


def _is_after_parent(of: _Context) -> bool:
    return of.parent is not None and of.header.slot > of.parent.slot


def _has_few_uncles(of: _Context) -> bool:
    return len(of.candidate.uncles) <= of.parameters.max_uncles


def _has_valid_uncles(of: _Context) -> bool:
    parent = of.parent
    return parent is not None and all(
        is_uncle(of.parameters, of.tree, each, parent=parent, slot=of.header.slot)
        for each in of.candidate.uncles
    )


CHECKS: Final[tuple[tuple[RejectReason, Callable[[_Context], bool]], ...]] = (
    (RejectReason.ALREADY_KNOWN, _is_new),
    (RejectReason.MALFORMED_HEADER, _is_well_formed),
    (RejectReason.WRONG_VERSION, _has_version),
    (RejectReason.BODY_TOO_LARGE, _has_body_size),
    (RejectReason.TOO_MANY_TRANSACTIONS, _has_transactions),
    (RejectReason.WRONG_BODY_ROOT, _has_body_root),
    (RejectReason.FUTURE_SLOT, _has_begun),
    (RejectReason.BELOW_LIB, _is_above_root),
    (RejectReason.PARENT_UNKNOWN, _has_parent),
    (RejectReason.SLOT_NOT_AFTER_PARENT, _is_after_parent),
    (RejectReason.TOO_MANY_UNCLES, _has_few_uncles),
    (RejectReason.INVALID_UNCLE, _has_valid_uncles),
)
"""What is looked at here, in this order; the first that does not hold is the reason."""


def first_fault(
    parameters: Parameters, tree: BlockTree, candidate: Candidate, now_slot: int
) -> RejectReason | None:
    """Returns the first rule that a block breaks, or None.

    Args:
        parameters: Of the network.
        tree: What the node has.
        candidate: Untrusted.
        now_slot: The slot that runs now, by this node's clock.
    """
    context = _Context(parameters, tree, candidate, now_slot)
    return next((reason for reason, holds in CHECKS if not holds(context)), None)


def claims(
    parameters: Parameters, tree: BlockTree, candidate: Candidate
) -> tuple[LeadershipClaim, ...]:
    """Returns what is to be verified of a block without a fault: its own claim comes first."""
    return tuple(_claim(parameters, tree, each) for each in (candidate.signed, *candidate.uncles))


def _claim(parameters: Parameters, tree: BlockTree, signed: SignedHeader) -> LeadershipClaim:
    parent = tree.get(signed.header.parent)
    if parent is None:
        raise ValueError("a block whose parent is unknown")
    epoch = epoch_at(parameters, parent.state, signed.header.slot)
    return LeadershipClaim(signed, epoch, parent.state.ledger_root)
