"""The wallet's machine, case by case (WAL-8 to WAL-18)."""

from dataclasses import replace

import pytest
from chain_wallet import (
    CHANNEL,
    PARAMETERS,
    PRICES,
    ROOT,
    SEED,
    SHARE,
    SHOP,
    WATCHED,
    Chain,
    Chance,
    named,
    payment,
    wallet,
)

from logos_base.machine import Answer, Ticket
from logos_chain.core.wallet.derivation import Account, Role
from logos_chain.core.wallet.errors import (
    FeeTooHighError,
    FundsInsufficientError,
    KeyUnknownError,
    NoteUnavailableError,
    RewardTooSmallError,
    TooManyPendingError,
    TransactionUnknownError,
    VoucherUnavailableError,
)
from logos_chain.core.wallet.ring import GAP_LIMIT, KeyRing, VoucherRing
from logos_chain.core.wallet.types import (
    Balances,
    Draft,
    Dropped,
    DropReason,
    Effect,
    Excluded,
    Included,
    Order,
    Prices,
    Recorded,
    Settled,
)
from logos_chain.core.wallet.wallet import Wallet
from logos_mantle.channels import ChannelDeposit
from logos_mantle.derivations import public_key, voucher_nullifier
from logos_mantle.notes import Note, note_id
from logos_mantle.operations import operation_id
from logos_mantle.transactions import Transaction
from logos_mantle.transfers import LeaderClaim, Transfer

ORDER = Order((Note(1_000, SHOP),))


def receive_key(number: int) -> bytes:
    return public_key(Account(SEED).secret_key(Role.RECEIVE, number))


def change_key(number: int) -> bytes:
    return public_key(Account(SEED).secret_key(Role.CHANGE, number))


def funded(*values: int) -> tuple[Wallet, Chain]:
    """A wallet with notes of receive key 0, in the first block."""
    made, chain = wallet(), Chain()
    key = made.keys.receive_key()
    paid = payment("funds", *[Note(each, key) for each in values])
    made.applied(chain.block(paid), 0)
    return made, chain


def draft(effects: list[Effect]) -> Draft:
    [answer] = [each for each in effects if isinstance(each, Answer)]
    assert isinstance(answer.value, Draft)
    return answer.value


def prepare(made: Wallet, order: Order = ORDER, now_ms: int = 0) -> Draft:
    return draft(made.prepare(Ticket(1), order, PRICES, now_ms))


def claim(made: Wallet, share: int = SHARE) -> Draft:
    return draft(made.claim(Ticket(1), root=named("root"), share=share, prices=PRICES, now_ms=0))


def with_vouchers(count: int) -> tuple[Wallet, Chain]:
    """A wallet with vouchers in the tree, from place 1 on."""
    made, chain = wallet(), Chain()
    made.applied(chain.block(), 0)
    for _ in range(count):
        made.applied(chain.block(voucher=made.issue_voucher().commitment), 0)
    made.applied(chain.block(ends_epoch=True), 0)
    return made, chain


def fates(effects: list[Effect]) -> list[Effect]:
    """What is told of transactions."""
    return [each for each in effects if not isinstance(each, Recorded)]


def test_a_payment_is_confirmed_then_safe_then_final() -> None:
    made, chain = funded(5_000)
    assert made.balances() == Balances(confirmed=5_000)

    for _ in range(PARAMETERS.safe_blocks - 1):
        made.applied(chain.block(), 0)
    assert made.balances() == Balances(confirmed=5_000, safe=5_000)

    made.finalised(chain.blocks[0].block, 0)
    assert made.balances() == Balances(confirmed=5_000, safe=5_000, final=5_000)
    assert made.balances().available == 5_000


def test_two_orders_never_choose_one_note() -> None:
    made, _ = funded(5_000, 5_000)

    first, second = prepare(made), prepare(made)

    inputs = [each.transaction.operations[0] for each in (first, second)]
    assert isinstance(inputs[0], Transfer)
    assert isinstance(inputs[1], Transfer)
    assert not set(inputs[0].inputs) & set(inputs[1].inputs)
    assert made.balances().available == 0
    with pytest.raises(FundsInsufficientError):
        prepare(made)


def test_change_and_what_is_paid_are_the_whole_note() -> None:
    made, _ = funded(5_000)

    drafted = prepare(made)

    assert drafted.change is not None
    assert drafted.change.public_key == change_key(0)
    assert drafted.change.value == 5_000 - 1_000 - drafted.fee - drafted.tip
    assert drafted.signing_keys == (receive_key(0),)
    assert public_key(made.keys.secret_key(receive_key(0))) == receive_key(0)
    balances = made.balances()
    assert (balances.reserved, balances.pending) == (5_000, drafted.change.value)


def test_only_the_keys_that_an_order_names_pay_for_it() -> None:
    """WAL-14."""
    made, chain = funded(5_000)
    other = receive_key(1)
    made.applied(chain.block(payment("more", Note(50_000, other))), 0)

    drafted = prepare(made, Order((Note(1_000, SHOP),), payers=frozenset({other})))

    assert drafted.signing_keys == (other,)
    with pytest.raises(FundsInsufficientError):
        prepare(made, Order((Note(10_000, SHOP),), payers=frozenset({receive_key(0)})))


def test_the_change_goes_to_the_own_key_that_an_order_names() -> None:
    """WAL-14."""
    made, _ = funded(5_000, 6_000)

    drafted = prepare(made, Order((Note(1_000, SHOP),), change_key=receive_key(0)))

    assert drafted.change is not None
    assert drafted.change.public_key == receive_key(0)
    assert drafted.keys == ()  # the fresh one is still another order's to take
    later = prepare(made).change
    assert later is not None
    assert later.public_key == change_key(0)


@pytest.mark.parametrize(
    "order",
    [
        Order((Note(1_000, SHOP),), payers=frozenset({SHOP})),
        Order((Note(1_000, SHOP),), payers=frozenset({WATCHED})),
        Order((Note(1_000, SHOP),), change_key=SHOP),
    ],
)
def test_keys_of_others_neither_pay_nor_get_the_change(order: Order) -> None:
    made, _ = funded(50_000)
    with pytest.raises(KeyUnknownError):
        prepare(made, order)
    assert made.reserved() == frozenset()


def test_an_order_that_would_cost_more_than_it_allows_reserves_nothing() -> None:
    """WAL-14."""
    made, _ = funded(50_000)
    usual = prepare(made)
    made.dropped(usual.hash, 0)
    paid = usual.fee + usual.tip

    with pytest.raises(FeeTooHighError):
        prepare(made, replace(ORDER, max_paid=paid - 1))
    assert made.reserved() == frozenset()
    again = prepare(made, replace(ORDER, max_paid=paid))
    assert again.fee + again.tip == paid


def test_owners_of_notes_are_told_in_turn() -> None:
    made, _ = funded(50_000, 1_000)
    notes = list(made.notes())
    assert made.owners([*notes, notes[0]]) == [receive_key(0)] * 3
    with pytest.raises(NoteUnavailableError):
        made.owners([notes[0], named("foreign")])


def test_a_dropped_transaction_gives_its_notes_back() -> None:
    made, _ = funded(5_000)
    drafted = prepare(made)
    made.submitted(drafted.hash, 0)

    assert made.dropped(drafted.hash, 0) == [Dropped(drafted.hash, DropReason.GIVEN_UP)]

    assert made.balances() == Balances(confirmed=5_000)
    assert prepare(made).change == drafted.change
    assert made.dropped(named("other"), 0) == []


def test_a_draft_expires_and_a_submitted_one_does_not() -> None:
    made, _ = funded(5_000, 5_000)
    left, kept = prepare(made, now_ms=100), prepare(made, now_ms=200)
    made.submitted(kept.hash, 300)

    assert made.next_wake_ms() == 100 + PARAMETERS.draft_ms
    assert made.tick(99 + PARAMETERS.draft_ms) == []
    assert made.tick(100 + PARAMETERS.draft_ms) == [Dropped(left.hash, DropReason.EXPIRED)]
    assert made.next_wake_ms() is None
    assert made.tick(10**9) == []
    with pytest.raises(TransactionUnknownError):
        made.submitted(left.hash, 0)


def test_a_transaction_waits_again_if_its_block_is_undone() -> None:
    made, chain = funded(5_000)
    drafted = prepare(made)
    made.submitted(drafted.hash, 0)
    first = chain.block(drafted.transaction)

    assert Included(drafted.hash, first.block) in made.applied(first, 0)
    assert made.dropped(drafted.hash, 0) == []  # too late: it is in a block
    chain.undo()
    assert Excluded(drafted.hash) in made.undone(first.block, 0)
    balances = made.balances()
    assert (balances.reserved, balances.pending) == (5_000, 4_000 - drafted.fee - drafted.tip)
    second = chain.block(drafted.transaction)
    made.applied(second, 0)
    assert fates(made.finalised(second.block, 0)) == [Settled(drafted.hash)]
    assert made.waiting() == []
    assert made.balances().confirmed == 4_000 - drafted.fee - drafted.tip


def test_a_draft_that_is_in_a_block_untold_expires_no_more() -> None:
    made, chain = funded(5_000)
    drafted = prepare(made)
    made.applied(chain.block(drafted.transaction), 0)

    assert made.next_wake_ms() is None


def test_what_another_wallet_of_the_phrase_has_spent_for_good_is_dropped() -> None:
    made, chain = funded(5_000)
    drafted = prepare(made)
    [spent] = made.reserved()
    block = chain.block(Transaction((Transfer((spent,), (Note(1, SHOP),)),)))
    made.applied(block, 0)

    assert [each.hash for each in made.waiting()] == [drafted.hash]  # the block may be undone
    assert fates(made.finalised(block.block, 0)) == [Dropped(drafted.hash, DropReason.CONFLICT)]
    assert made.balances() == Balances()


def test_two_claims_never_choose_one_voucher() -> None:
    made, _ = with_vouchers(2)

    first, second = claim(made), claim(made)

    assert {first.voucher, second.voucher} == {0, 1}
    assert not set(first.keys) & set(second.keys)
    with pytest.raises(VoucherUnavailableError):
        claim(made)
    made.dropped(first.hash, 0)
    assert claim(made).voucher == first.voucher


def test_a_voucher_is_claimed_when_its_epoch_has_ended_and_only_once() -> None:
    made, chain = wallet(), Chain()
    made.applied(chain.block(voucher=made.issue_voucher().commitment), 0)
    with pytest.raises(VoucherUnavailableError):
        claim(made)
    made.applied(chain.block(ends_epoch=True), 0)
    drafted = claim(made)
    block = chain.block(drafted.transaction)
    made.applied(block, 0)
    [state] = made.vouchers()
    assert (state.place, state.is_claimed) == (0, True)
    made.finalised(block.block, 0)

    with pytest.raises(VoucherUnavailableError):
        claim(made)
    assert made.balances().confirmed == SHARE - drafted.fee - drafted.tip


def test_a_claim_pays_for_itself() -> None:
    made, _ = with_vouchers(1)

    drafted = claim(made)

    first, second = drafted.transaction.operations
    assert isinstance(first, LeaderClaim)
    assert isinstance(second, Transfer)
    secret = Account(SEED).voucher_secret(0)
    assert first.voucher_nullifier == voucher_nullifier(secret)
    assert made.voucher_ring.secret(made.vouchers()[0].voucher) == secret
    assert first.public_key == drafted.signing_keys[0] == change_key(0)
    assert [each.public_key for each in second.outputs] == [change_key(1)]
    assert second.outputs[0].value == SHARE - drafted.fee - drafted.tip
    made.dropped(drafted.hash, 0)
    with pytest.raises(RewardTooSmallError):
        claim(made, share=drafted.fee)


def test_a_claim_of_the_voucher_by_another_wallet_of_the_phrase_is_a_conflict() -> None:
    made, chain = with_vouchers(1)
    drafted = claim(made)
    nullifier = voucher_nullifier(Account(SEED).voucher_secret(0))
    block = chain.block(Transaction((LeaderClaim(named("root"), nullifier, SHOP),)))
    made.applied(block, 0)

    assert fates(made.finalised(block.block, 0)) == [Dropped(drafted.hash, DropReason.CONFLICT)]


def test_locked_notes_and_those_of_channels_are_not_chosen() -> None:
    made, chain = funded(5_000, 6_000)
    notes = {each.note.value: key for key, each in made.notes().items()}
    deposit = Transaction((ChannelDeposit(CHANNEL, (notes[5_000],), b""),))
    made.applied(chain.block(deposit), 0)

    assert made.balances() == Balances(confirmed=6_000, in_channels=5_000)
    with pytest.raises(FundsInsufficientError):
        prepare(made, Order((Note(6_000, SHOP),)))
    with pytest.raises(NoteUnavailableError):
        prepare(made, Order(inputs=(notes[5_000],)))


def test_notes_of_operations_are_reserved_and_pay_for_nothing() -> None:
    made, _ = funded(5_000, 6_000)
    notes = {each.note.value: key for key, each in made.notes().items()}
    deposit = ChannelDeposit(CHANNEL, (notes[5_000],), b"")

    drafted = prepare(made, Order(operations=(deposit,)))

    assert drafted.transaction.operations[0] == deposit
    paying = drafted.transaction.operations[1]
    assert isinstance(paying, Transfer)
    assert paying.inputs == (notes[6_000],)
    assert made.reserved() == set(notes.values())
    with pytest.raises(NoteUnavailableError):
        prepare(made, Order(operations=(deposit,)))
    made.dropped(drafted.hash, 0)
    with pytest.raises(NoteUnavailableError):
        prepare(made, Order(operations=(deposit,), inputs=(notes[5_000],)))


def test_watched_notes_are_counted_and_never_spent() -> None:
    made, chain = funded(100)
    made.applied(chain.block(payment("theirs", Note(9_000, WATCHED))), 0)

    assert made.balances() == Balances(confirmed=100, watched=9_000)
    with pytest.raises(FundsInsufficientError):
        prepare(made)
    with pytest.raises(KeyUnknownError):
        made.keys.secret_key(WATCHED)
    assert [each.is_watched for each in made.history()] == [False, True]


def test_a_wallet_without_an_account_only_watches() -> None:
    made, chain = Wallet(None, Chance(), tip=ROOT), Chain()
    made.keys.watch(WATCHED)
    made.applied(chain.block(payment("theirs", Note(9_000, WATCHED))), 0)

    assert made.balances() == Balances(watched=9_000)
    for refused in (made.keys.receive_key, made.issue_voucher, lambda: prepare(made)):
        with pytest.raises(KeyUnknownError):
            refused()


def test_a_submitted_transaction_survives_a_restart() -> None:
    made, chain = funded(5_000)
    drafted = prepare(made)
    again = wallet()
    again.applied(chain.blocks[0], 0)

    again.resume(drafted, 0)

    assert again.balances() == made.balances()
    assert again.next_wake_ms() is None
    with pytest.raises(NoteUnavailableError):
        again.resume(drafted, 0)


def test_only_the_next_block_is_followed_and_only_the_last_undone() -> None:
    made, chain = funded(5_000)
    first = chain.blocks[0]
    second, third = chain.block(), chain.block()

    with pytest.raises(ValueError, match="follow"):
        made.applied(third, 0)
    made.applied(second, 0)
    with pytest.raises(ValueError, match="last"):
        made.undone(first.block, 0)
    made.finalised(second.block, 0)
    with pytest.raises(ValueError, match="final"):
        made.undone(second.block, 0)
    assert made.finalised(first.block, 0) == []
    assert (made.tip, made.height) == (second.block, 2)


def test_keys_are_given_out_in_turn_and_within_the_gap() -> None:
    ring = KeyRing(Account(SEED))
    given = [ring.receive_key() for _ in range(GAP_LIMIT)]

    assert given == [receive_key(number) for number in range(GAP_LIMIT)]
    assert ring.receive_key() == receive_key(0)  # a later one would not be found by a scan
    ring.use(receive_key(0))
    ring.use(receive_key(3))
    assert ring.receive_key() == receive_key(1)
    ring.disuse(receive_key(0))
    assert [ring.receive_key() for _ in range(GAP_LIMIT)][-1] != receive_key(0)


def test_a_scan_finds_keys_behind_a_gap_of_less_than_twenty() -> None:
    made, chain = wallet(), Chain()
    # In one block, in any order: each comes into sight by the one before it.
    numbers = [GAP_LIMIT * each - 1 for each in range(1, 7)]
    paid = [payment(f"{each}", Note(1, receive_key(each))) for each in reversed(numbers)]
    made.applied(chain.block(*paid), 0)
    made.applied(chain.block(payment("c", Note(1, receive_key(7 * GAP_LIMIT)))), 0)

    assert made.balances().confirmed == len(numbers)


def test_a_key_whose_note_is_spent_in_its_block_is_used() -> None:
    made, chain = wallet(), Chain()
    note = Note(5, receive_key(GAP_LIMIT - 1))
    paid = payment("a", note)
    [made_id] = [note_id(operation_id(each), 0, note) for each in paid.operations]
    spent = Transaction((Transfer((made_id,), (Note(4, SHOP),)),))
    made.applied(chain.block(paid, spent), 0)
    made.applied(chain.block(payment("b", Note(7, receive_key(2 * GAP_LIMIT - 1)))), 0)

    assert made.balances().confirmed == 7
    assert [(each.received, each.spent) for each in made.history()] == [(5, 0), (0, 5), (7, 0)]


def test_what_is_taken_again_shares_nothing_with_what_waits() -> None:
    made, chain = with_vouchers(1)
    made.applied(chain.block(payment("a", Note(5_000, made.keys.receive_key()))), 0)
    other = wallet()
    for each in chain.blocks:
        other.applied(each, 0)
    prepare(made)
    claim(made)

    for again in (prepare(other, Order((Note(999, SHOP),))), claim(other, SHARE - 1)):
        with pytest.raises(NoteUnavailableError):
            made.resume(again, 0)


def test_a_scan_finds_vouchers_and_goes_on_after_the_last() -> None:
    made, chain = wallet(), Chain()
    vouchers = VoucherRing(Account(SEED))
    issued = [vouchers.issue() for _ in range(GAP_LIMIT)]
    made.applied(chain.block(voucher=issued[-1].commitment), 0)

    assert made.issue_voucher().number == GAP_LIMIT
    assert [each.voucher for each in made.vouchers()] == [issued[-1]]


def test_waiting_transactions_leave_no_gap_of_twenty() -> None:
    made, _ = funded(*[5_000] * (GAP_LIMIT + 1))
    drafts = [prepare(made) for _ in range(GAP_LIMIT)]

    assert len({each.keys for each in drafts}) == GAP_LIMIT
    with pytest.raises(TooManyPendingError):
        prepare(made)


def test_prices_with_headroom_leave_a_tip() -> None:
    made, _ = funded(5_000)

    drafted = draft(made.prepare(Ticket(1), ORDER, Prices(1, 1, headroom_percent=50), 0))

    assert drafted.tip == (drafted.fee + 1) // 2


def test_a_block_that_was_undone_moves_no_gap() -> None:
    made, chain = wallet(), Chain()
    block = chain.block(payment("far", Note(1, receive_key(GAP_LIMIT - 1))))
    made.applied(block, 0)
    chain.undo()
    made.undone(block.block, 0)

    given = {made.keys.receive_key() for _ in range(3 * GAP_LIMIT)}

    assert given == {receive_key(number) for number in range(GAP_LIMIT - 1)}
