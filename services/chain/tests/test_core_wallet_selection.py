"""Which notes pay, and what is left of them (WAL-13, WAL-14)."""

from collections.abc import Callable

import pytest
from chain_wallet import SHOP, Chance, named
from hypothesis import given
from hypothesis import strategies as st

from logos_chain.core.wallet.errors import (
    FundsInsufficientError,
    NotesTooSmallError,
    OrderInvalidError,
)
from logos_chain.core.wallet.selection import choose, plan, shuffled, unsigned_fee
from logos_chain.core.wallet.types import Order, Prices
from logos_mantle.channels import ChannelInscribe, ChannelTransfer
from logos_mantle.derivations import PADDING_KEY
from logos_mantle.fees import mandatory_fee
from logos_mantle.notes import Note
from logos_mantle.operations import Operation
from logos_mantle.proofs import null_proof
from logos_mantle.transactions import SignedTransaction
from logos_mantle.transfers import Transfer

CHANGE = PADDING_KEY
MOVE = ChannelTransfer(named("c"), (named("i"),), ())
INSCRIPTION = ChannelInscribe(named("c"), b"x" * 9, named("parent"), named("signer"))


def notes(*values: int) -> dict[bytes, int]:
    return {named(f"note {at}"): value for at, value in enumerate(values)}


def need(target: int, each: int = 10) -> Callable[[int], int]:
    return lambda count: target + each * count


def chosen(target: int, *values: int, seed: int = 1) -> list[int]:
    held = notes(*values)
    return sorted(held[each] for each in choose(held, need(target), Chance(seed)))


def test_one_note_is_better_than_two_and_the_smallest_that_is_enough() -> None:
    assert chosen(100, 60, 60, 500, 111, 109) == [111]


def test_two_notes_are_better_than_more_and_leave_the_least() -> None:
    assert chosen(100, 30, 90, 40, 80, 20) == [30, 90]


def test_more_are_the_largest() -> None:
    assert chosen(100, 1, 40, 50, 45, 20, 15) == [40, 45, 50]


def test_notes_that_cost_more_than_they_are_worth_stay() -> None:
    with pytest.raises(FundsInsufficientError):
        chosen(100, 99, *[10] * 50)


def test_too_many_small_notes_are_told_from_too_little() -> None:
    assert len(chosen(320, *[20] * 32)) == 32
    with pytest.raises(NotesTooSmallError):
        chosen(321, *[20] * 40)
    with pytest.raises(FundsInsufficientError):
        chosen(10_000, *[20] * 40)
    with pytest.raises(FundsInsufficientError):
        chosen(1)


def test_chance_decides_between_equal_notes_and_nothing_else_does() -> None:
    held = notes(*[50] * 8)
    found = {tuple(choose(held, need(30), Chance(seed))) for seed in range(60)}

    assert len(found) == 8
    backwards = dict(reversed(held.items()))
    assert choose(held, need(30), Chance(3)) == choose(backwards, need(30), Chance(3))


def test_shuffling_reaches_every_order() -> None:
    assert len({tuple(shuffled("abc", Chance(seed))) for seed in range(200)}) == 6


@given(
    values=st.lists(st.integers(1, 5_000), max_size=40),
    wanted=st.lists(st.integers(1, 4_000), max_size=3),
    price=st.integers(0, 20),
    headroom=st.sampled_from([0, 20, 100]),
    tip=st.integers(0, 50),
    seed=st.integers(0, 9),
)
def test_a_plan_pays_exactly(
    *, values: list[int], wanted: list[int], price: int, headroom: int, tip: int, seed: int
) -> None:
    held = notes(*values)
    prices = Prices(1, price, headroom)
    operations: tuple[Operation, ...] = (MOVE, INSCRIPTION) if seed % 2 else ()
    order = Order(tuple(Note(each, SHOP) for each in wanted), operations, signatures=(3,), tip=tip)
    if not wanted and not operations:
        return
    try:
        made = plan(order, held, prices=prices, change_key=CHANGE, rng=Chance(seed))
    except (FundsInsufficientError, NotesTooSmallError):
        best = sum(sorted(values)[-32:])
        assert best < sum(wanted) + tip + 4 * (1_500 + price * 4_000)  # nowhere near enough
        return

    *before, transfer = made.transaction.operations
    assert tuple(before) == operations
    assert isinstance(transfer, Transfer)
    counts = {0x14: 3}
    proofs = [
        null_proof(each.opcode, signatures=counts.get(each.opcode, 1))
        for each in made.transaction.operations
    ]
    signed = SignedTransaction(made.transaction, tuple(proofs))
    assert made.fee == mandatory_fee(signed, execution_price=1, storage_price=price)
    paid = sum(held[each] for each in transfer.inputs) - sum(e.value for e in transfer.outputs)
    assert paid == made.fee + made.tip
    assert made.tip >= tip + made.fee * headroom // 100
    assert 1 <= len(transfer.inputs) == len(set(transfer.inputs)) <= 32
    assert set(transfer.inputs) == set(made.inputs)
    others = list(transfer.outputs)
    if made.change is not None:
        others.remove(made.change)
        assert made.change.public_key == CHANGE
        assert made.change.value > 32 * price
    assert sorted(each.value for each in others) == sorted(wanted)


def test_change_that_is_not_worth_its_bytes_is_the_leaders() -> None:
    prices = Prices(1, 1, 0)
    order = Order((Note(1_000, SHOP),))
    fee = unsigned_fee([Transfer((named("n"),), order.outputs)], prices)
    with_change = fee + 40

    made = {
        left: plan(order, notes(1_000 + fee + left), prices=prices, change_key=CHANGE, rng=Chance())
        for left in (0, 40, 72, 73)
    }

    assert [each.change for each in made.values()] == [None, None, None, Note(33, CHANGE)]
    assert [each.tip for each in made.values()] == [0, 40, 72, 0]
    assert made[73].fee == with_change


def test_chosen_notes_are_all_spent() -> None:
    held = notes(5_000, 6_000, 7_000)

    made = plan(
        Order(inputs=tuple(held)), held, prices=Prices(1, 1), change_key=CHANGE, rng=Chance()
    )

    assert sorted(made.inputs) == sorted(held)
    assert made.change is not None
    assert made.change.value == 18_000 - made.fee - made.tip


def test_chosen_notes_that_do_not_suffice_are_refused() -> None:
    held = notes(500)

    with pytest.raises(FundsInsufficientError):
        plan(Order(inputs=tuple(held)), held, prices=Prices(1, 1), change_key=CHANGE, rng=Chance())


@pytest.mark.parametrize(
    "order",
    [
        Order(),
        Order((Note(0, SHOP),)),
        Order((Note(1, SHOP),), (Transfer((named("n"),), ()),)),
        Order((Note(1, SHOP),), tip=-1),
        Order((Note(1, SHOP),) * 256),
        Order(inputs=(named("n"), named("n"))),
        Order(inputs=tuple(named(f"{each}") for each in range(33))),
    ],
)
def test_orders_that_no_transaction_fulfils_are_refused(order: Order) -> None:
    with pytest.raises(OrderInvalidError):
        plan(order, notes(10**9), prices=Prices(1, 1), change_key=CHANGE, rng=Chance())
