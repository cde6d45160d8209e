"""CON-30 to CON-33: each rule of a header has its reason, and the first in order is told."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from chain_blocks import CLOCK, GENESIS, SMALL, candidate, chain, deliver, identified, new_follower

from logos_chain.core.consensus.errors import RejectReason
from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.types import Candidate
from logos_chain.core.consensus.validation import CHECKS, claims, first_fault
from logos_crypto.hashes import MODULUS

BLOCKS = chain("a", GENESIS, range(1, 9))
NOW_SLOT = 20
TOO_BIG = MODULUS.to_bytes(32, "little")


@pytest.fixture(scope="module")
def tree() -> Any:
    follower = new_follower(SMALL, Rule.ONLINE)
    for each in BLOCKS:
        deliver(follower, each)
    return follower.tree


TIP = BLOCKS[-1].header.id


def good(**changes: Any) -> Candidate:
    return candidate("new", TIP, 10, **changes)


BROKEN: dict[RejectReason, Callable[[], Candidate]] = {
    RejectReason.ALREADY_KNOWN: lambda: BLOCKS[-1],
    RejectReason.MALFORMED_HEADER: lambda: good(proof=bytes(127)),
    RejectReason.WRONG_VERSION: lambda: good(version=2),
    RejectReason.BODY_TOO_LARGE: lambda: replace(good(), body_bytes=SMALL.max_body_bytes + 1),
    RejectReason.TOO_MANY_TRANSACTIONS: lambda: replace(good(), transactions=1025),
    RejectReason.WRONG_BODY_ROOT: lambda: good(body_root=identified("another")),
    RejectReason.FUTURE_SLOT: lambda: candidate("new", TIP, NOW_SLOT + 1),
    RejectReason.BELOW_LIB: lambda: candidate("new", BLOCKS[4].header.id, 9),
    RejectReason.PARENT_UNKNOWN: lambda: candidate("new", identified("nowhere"), 9),
    RejectReason.SLOT_NOT_AFTER_PARENT: lambda: candidate("new", TIP, 8),
    RejectReason.TOO_MANY_UNCLES: lambda: good(uncles=tuple(each.signed for each in BLOCKS[:5])),
    RejectReason.INVALID_UNCLE: lambda: good(uncles=(BLOCKS[-1].signed,)),
}


def test_a_good_block_has_no_fault(tree: Any) -> None:
    assert first_fault(SMALL, tree, good(), NOW_SLOT) is None
    assert len(claims(SMALL, tree, good())) == 1


@pytest.mark.parametrize("reason", BROKEN)
def test_each_broken_rule_has_its_reason(reason: RejectReason, tree: Any) -> None:
    assert first_fault(SMALL, tree, BROKEN[reason](), NOW_SLOT) is reason


def test_every_rule_is_broken_above() -> None:
    assert list(BROKEN) == [reason for reason, _ in CHECKS]


@pytest.mark.parametrize(
    "change",
    [
        {"entropy": TOO_BIG},
        {"entropy": bytes(31)},
        {"voucher": TOO_BIG},
        {"leader_key": bytes(33)},
        {"body_root": bytes(31)},
        {"slot": 1 << 64},
        {"slot": -1},
    ],
)
def test_a_field_value_at_or_above_p_and_other_sizes_are_malformed(
    change: dict[str, Any], tree: Any
) -> None:
    block = good(**change) if "slot" not in change else candidate("new", TIP, change["slot"])

    assert first_fault(SMALL, tree, block, NOW_SLOT) is RejectReason.MALFORMED_HEADER


def test_the_first_broken_rule_in_order_is_told(tree: Any) -> None:
    worse = replace(
        candidate("new", identified("nowhere"), NOW_SLOT + 5, version=9, proof=b""),
        body_bytes=1 << 30,
        transactions=1 << 20,
    )
    mend: list[Callable[[Candidate], Candidate]] = [
        lambda block: replace(block, signed=replace(block.signed, header=good(version=9).header)),
        lambda block: replace(block, signed=good().signed),
        lambda block: replace(block, body_bytes=0),
        lambda block: replace(block, transactions=0),
    ]
    found = [first_fault(SMALL, tree, worse, NOW_SLOT)]
    for step in mend:
        worse = step(worse)
        found.append(first_fault(SMALL, tree, worse, NOW_SLOT))

    order = [reason for reason, _ in CHECKS]
    assert found[-1] is None
    assert all(order.index(one) < order.index(two) for one, two in pairwise(found[:-1]))  # type: ignore[arg-type]


def test_a_limit_itself_is_allowed(tree: Any) -> None:
    full = replace(good(), body_bytes=SMALL.max_body_bytes, transactions=1024)

    assert first_fault(SMALL, tree, full, NOW_SLOT) is None
    assert first_fault(SMALL, tree, candidate("new", TIP, NOW_SLOT), NOW_SLOT) is None


def test_a_block_that_is_not_after_the_last_final_one_cannot_descend_from_it(tree: Any) -> None:
    late = candidate("late", identified("nowhere"), tree.root.slot)

    assert first_fault(SMALL, tree, late, NOW_SLOT) is RejectReason.BELOW_LIB


def test_reasons_say_whether_a_peer_is_at_fault() -> None:
    innocent = {each for each in RejectReason if not each.is_fault}

    late = {"FUTURE_SLOT", "BELOW_LIB", "PARENT_UNKNOWN"}
    assert innocent == {"ALREADY_KNOWN", "BUSY", "NOT_STORED", *late}


def test_a_clock_before_the_genesis_takes_nothing(tree: Any) -> None:
    slot = CLOCK.slot_at(-1)

    assert first_fault(SMALL, tree, good(), slot) is RejectReason.FUTURE_SLOT
