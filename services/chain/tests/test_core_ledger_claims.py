"""Vouchers and claims (LED-21 to LED-23): acceptance 13 of the chain."""

import pytest
from chain_ledger import BOB, EPOCH_SLOTS, Chain, epoch_state, field_of, named, notes_of, pay

from logos_chain.core.ledger.errors import Refusal
from logos_chain.core.ledger.ledger import Applied, Refused
from logos_chain.core.ledger.obligations import CircuitObligation
from logos_crypto.circuits import public_inputs
from logos_crypto.trees import FrontierTree
from logos_mantle.derivations import voucher_commitment, voucher_nullifier
from logos_mantle.notes import Note
from logos_mantle.transfers import LeaderClaim, Transfer

INFLATING = 1_000_000
"""Inferred stake far below its target: every block emits 57 tokens for services, 38 for leaders."""
SECRETS = [field_of(100 + each) for each in range(3)]


@pytest.fixture
def chain() -> Chain:
    """In epoch 1, after an epoch of three blocks, with vouchers of which the secrets are known."""
    made = Chain(stake=INFLATING)
    for secret in SECRETS:
        made.block(voucher=voucher_commitment(secret))
    made.to_epoch(1)
    return made


def claim(chain: Chain, secret: bytes, **changes: bytes) -> LeaderClaim:
    values = {
        "rewards_root": chain.ledger.head.voucher_root,
        "voucher_nullifier": voucher_nullifier(secret),
        "public_key": BOB,
    }
    return LeaderClaim(**values | changes)


def test_vouchers_wait_for_the_next_epoch() -> None:
    chain = Chain(stake=INFLATING)
    for secret in SECRETS:
        chain.block(voucher=voucher_commitment(secret))
    empty = chain.ledger.head.voucher_root
    assert empty == FrontierTree().root

    applied = chain.to_epoch(1)

    tree = FrontierTree()
    tree.append_many([voucher_commitment(each) for each in SECRETS])
    assert chain.ledger.head.voucher_root == tree.root
    assert applied.vouchers == tuple(voucher_commitment(each) for each in SECRETS)
    assert (applied.delta.before.vouchers, chain.ledger.head.vouchers) == (0, 3)
    chain.block()
    assert chain.ledger.head.voucher_root == tree.root  # for the whole epoch


def test_claim_makes_a_note_of_the_share(chain: Chain) -> None:
    pool = chain.ledger.head.pool
    assert pool == 3 * 38
    operation = claim(chain, SECRETS[0])
    transaction = chain.paid(operation)

    result = chain.block(transaction)

    entry = chain.ledger.note(notes_of(operation, [Note(38, BOB)])[0])
    assert entry is not None
    assert chain.ledger.head.pool == pool - 38
    assert chain.ledger.is_claimed(operation.voucher_nullifier)
    numbers = [
        int.from_bytes(each, "little")
        for each in (
            operation.voucher_nullifier,
            transaction.transaction.hash_value,
            operation.rewards_root,
        )
    ]
    names = ("voucher_nullifier", "transaction_hash", "voucher_root")
    assert isinstance(result, Applied)
    public = public_inputs("claim", dict(zip(names, numbers, strict=True)))
    assert result.obligations[0] == CircuitObligation("claim", public, bytes(128))


def test_reward_can_be_spent_by_the_next_operation(chain: Chain) -> None:
    operation = claim(chain, SECRETS[0])
    reward = notes_of(operation, [Note(38, BOB)])

    chain.accept(operation, Transfer(tuple(reward), ()))

    assert chain.ledger.note(reward[0]) is None
    assert chain.ledger.supply.is_conserved


def test_voucher_is_claimed_once(chain: Chain) -> None:
    first = claim(chain, SECRETS[0])

    assert chain.refuse(first, claim(chain, SECRETS[0])) is Refusal.DUPLICATE_NULLIFIER
    chain.accept(first)
    again = claim(chain, SECRETS[0], public_key=named("other"))
    assert chain.refuse(again) is Refusal.DUPLICATE_NULLIFIER
    chain.undo()
    chain.accept(again)  # on another branch it may be another claim


def test_wrong_root_is_refused(chain: Chain) -> None:
    old = chain.ledger.head.voucher_root
    for root in (named("root"), FrontierTree().root, field_of(0)):
        operation = claim(chain, SECRETS[0], rewards_root=root)
        assert chain.refuse(operation) is Refusal.WRONG_REWARDS_ROOT

    chain.to_epoch(2)

    stale = claim(chain, SECRETS[0], rewards_root=old)
    assert chain.refuse(stale) is Refusal.WRONG_REWARDS_ROOT


def test_claim_in_its_own_epoch_is_refused() -> None:
    chain = Chain(stake=INFLATING)
    chain.block(voucher=voucher_commitment(SECRETS[0]))

    reason = chain.refuse(claim(chain, SECRETS[0], rewards_root=named("with it")))

    assert reason is Refusal.WRONG_REWARDS_ROOT
    # With the root of the time the proof would be false, and there is nothing to have.
    assert chain.refuse(claim(chain, SECRETS[0])) is Refusal.NO_REWARD


def test_claim_in_the_first_block_of_the_epoch() -> None:
    chain = Chain(stake=INFLATING)
    tree = FrontierTree()
    tree.append(voucher_commitment(SECRETS[0]))
    chain.block(voucher=voucher_commitment(SECRETS[0]))
    early = claim(chain, SECRETS[0], rewards_root=tree.root)

    result = chain.block(chain.paid(early), slot=EPOCH_SLOTS)

    assert isinstance(result, Applied)
    assert chain.ledger.head.pool == 0


def test_shares_differ_by_one_token_at_most() -> None:
    # 114 tokens and a tip of 2 for three: the first gets 38, the last two 39.
    chain = Chain(stake=INFLATING)
    made = pay(chain.ledger, next(chain.funds), 1_000_000, tip=2)
    for at, secret in enumerate(SECRETS):
        chain.block(*[made] * (at == 0), voucher=voucher_commitment(secret))
    chain.to_epoch(1)
    pool = chain.ledger.head.pool
    low, rest = divmod(pool, 3)
    assert (low, rest) == (38, 2)

    paid = []
    for secret in SECRETS:
        before = chain.ledger.head.pool
        assert chain.ledger.reward_share == before // (3 - len(paid))
        chain.accept(claim(chain, secret))
        paid.append(before - chain.ledger.head.pool)

    assert paid == [low] * (3 - rest) + [low + 1] * rest
    assert chain.ledger.head.pool == 0  # the last one, for whom n_cm - n_nf is 1, gets all
    assert chain.refuse(claim(chain, field_of(999))) is Refusal.NO_REWARD


def test_claims_of_one_block_use_distinct_vouchers(chain: Chain) -> None:
    both = [chain.paid(claim(chain, secret)) for secret in SECRETS[:2]]
    twice = [chain.paid(claim(chain, SECRETS[2])) for _ in range(2)]

    assert isinstance(chain.block(*both), Applied)
    assert chain.block(*twice) == Refused(Refusal.DUPLICATE_NULLIFIER, 1, 0)


def test_pool_that_is_too_small_keeps_the_voucher() -> None:
    chain = Chain()  # nothing is emitted beside what was burned, which is nothing
    for secret in SECRETS:
        chain.block(voucher=voucher_commitment(secret))
    chain.to_epoch(1)

    assert chain.ledger.reward_share == 0
    assert chain.refuse(claim(chain, SECRETS[0])) is Refusal.NO_REWARD


def test_share_is_the_same_whichever_block_was_whose(chain: Chain) -> None:
    state = epoch_state(1)

    rehearsed = chain.ledger.rehearse(
        [chain.paid(claim(chain, each)) for each in SECRETS], slot=chain.slot + 1, epoch=state
    )

    assert not any(isinstance(each, Refused) for each in rehearsed)
    assert chain.ledger.head.pool == 3 * 38
