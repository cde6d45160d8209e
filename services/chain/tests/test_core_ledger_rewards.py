"""Emission, prices and what is conserved (LED-33 to LED-36, LED-39): acceptance 11 and 12."""

import pytest
from chain_ledger import EPOCH_SLOTS, PARAMETERS, STAKE, Chain, genesis, outputs_of, pay, signed
from chain_ledger_oracle import reward_by_the_text
from hypothesis import given
from hypothesis import strategies as st

from logos_base.errors import ConfigError
from logos_chain.core.ledger.errors import Refusal
from logos_chain.core.ledger.ledger import Applied, Refused
from logos_chain.core.ledger.parameters import Emission, LedgerParameters
from logos_chain.core.ledger.rewards import block_reward, service_shares
from logos_mantle.prices import GENESIS_STORAGE
from logos_mantle.transfers import Transfer

INFLATING = 1_000_000
amounts = st.integers(0, 1 << 40)


@given(
    st.integers(2_900_000_000, 3_100_000_000),
    st.lists(st.integers(0, 10**5), min_size=1, max_size=120),
)
def test_reward_is_that_of_the_formula_rounded_down(total_stake: int, fees: list[int]) -> None:
    whole = reward_by_the_text(total_stake, fees)

    services, leaders = block_reward(Emission(), total_stake, fees)

    assert services == whole * 6 // 10
    assert leaders == whole * 4 // 10


@given(st.integers(1, (1 << 64) - 1), st.lists(amounts, min_size=1, max_size=120))
def test_reward_is_no_more_than_inflation_or_what_was_burned(stake: int, fees: list[int]) -> None:
    reward = sum(block_reward(Emission(), stake, fees))

    assert 0 <= reward <= max(96, fees[-1])


def test_reward_at_its_bounds() -> None:
    assert block_reward(Emission(), 0, [0]) == (57, 38)  # 62,500 / 657 is 95.1
    assert block_reward(Emission(), 1 << 63, [100]) == (60, 40)


@given(amounts, st.dictionaries(st.binary(max_size=2), st.integers(0, 5), max_size=6))
def test_shares_of_a_service(income: int, distances: dict[bytes, int]) -> None:
    shares = service_shares(income, distances)

    assert sum(shares.values()) <= income
    assert shares.keys() == distances.keys()
    if distances:
        base = min(shares.values(), default=0)
        parts = sum(2 if each == min(distances.values()) else 1 for each in distances.values())
        assert income - sum(shares.values()) < parts
        assert all(
            each == income // parts * (2 if distances[key] == min(distances.values()) else 1)
            for key, each in shares.items()
        )
        assert base >= income // parts


def test_only_the_last_blocks_count() -> None:
    chain = Chain(stake=STAKE)
    chain.block(chain.paid())
    for _ in range(119):
        chain.block(slot=chain.slot + 1)
    assert chain.ledger.head.fees[0] > 0

    chain.block()

    assert len(chain.ledger.head.fees) == 120
    assert not any(chain.ledger.head.fees)


def test_price_of_storage_changes_with_the_epoch() -> None:
    chain = Chain()
    transaction = chain.paid()
    chain.block(transaction)
    size = len(transaction.encoded)
    assert chain.ledger.head.stored_bytes == size
    assert chain.ledger.head.storage == GENESIS_STORAGE

    chain.block(slot=2 * EPOCH_SLOTS)

    assert chain.ledger.head.storage == GENESIS_STORAGE.after_epoch(size).after_epoch(0)
    assert chain.ledger.head.stored_bytes == 0


def test_epochs_that_pass_without_end_are_done_at_once() -> None:
    chain = Chain()
    chain.block(chain.paid())

    chain.block(slot=10**15)

    assert chain.ledger.head.storage.average_bytes == 0
    assert chain.ledger.supply.is_conserved


def test_fee_is_that_of_the_price_the_block_begins_with() -> None:
    chain = Chain()
    ids = outputs_of(chain.genesis.transfer)
    chain.block(pay(chain.ledger, ids[0], 1_000_000))
    cheap = pay(chain.ledger, ids[1], 1_000_000)

    refused = chain.block(cheap, slot=EPOCH_SLOTS)  # the price of storage has become 2

    assert refused == Refused(Refusal.FEE_TOO_LOW, 0, None)
    chain.to_epoch(1)
    assert isinstance(chain.block(pay(chain.ledger, ids[1], 1_000_000)), Applied)


class TestRoots:
    def test_aged_root_is_that_of_the_epoch_before(self) -> None:
        chain = Chain()
        genesis_root = chain.ledger.root
        chain.block(chain.paid())
        first = chain.ledger.root

        chain.block(chain.paid(tip=9999), slot=EPOCH_SLOTS)
        assert chain.ledger.head.aged_root == genesis_root
        assert chain.ledger.head.epoch_root == first
        second = chain.ledger.root
        chain.block(chain.paid(tip=9999), slot=2 * EPOCH_SLOTS)

        assert chain.ledger.head.aged_root == first
        assert chain.ledger.head.epoch_root == second

    @pytest.mark.parametrize(("slot", "is_aged"), [(EPOCH_SLOTS - 1, True), (EPOCH_SLOTS, False)])
    def test_note_just_before_and_just_after_the_snapshot(
        self, slot: int, *, is_aged: bool
    ) -> None:
        chain = Chain()
        chain.block(chain.paid(tip=9999), slot=slot)
        root = chain.ledger.root
        if slot < EPOCH_SLOTS:
            chain.to_epoch(1)

        chain.to_epoch(2)

        assert (chain.ledger.head.aged_root == root) is is_aged

    def test_skipped_epoch_takes_the_state_of_the_last_block(self) -> None:
        chain = Chain()
        chain.block(chain.paid())
        root = chain.ledger.root

        chain.to_epoch(3)

        assert (chain.ledger.head.aged_root, chain.ledger.head.epoch_root) == (root, root)

    def test_agree_with_those_of_consensus(self) -> None:
        # CON-6 and CON-10 derive C_LEAD from roots of blocks; the ledger keeps the same ones.
        chain = Chain()
        roots = {0: chain.ledger.root}
        for slot in (5, 99, 100, 150, 250, 450, 460):
            chain.block(*[chain.paid(tip=9999)] * (slot != 150), slot=slot)
            roots[slot] = chain.ledger.root

            begins = (slot // EPOCH_SLOTS - 1) * EPOCH_SLOTS
            before = [each for each in roots if each < max(begins, 1) or each == 0]
            assert chain.ledger.head.aged_root == roots[max(before)]


class TestSupply:
    def test_everything_burned_and_emitted_is_counted(self) -> None:
        chain = Chain(genesis=genesis(declared=("a",)), stake=INFLATING)
        for epoch in range(5):
            for _ in range(3):
                chain.block(chain.paid())
                supply = chain.ledger.supply
                assert supply.is_conserved
                notes = [entry for _, entry in chain.ledger._state.notes.items()]
                free = sum(each.note.value for each in notes if each.declaration is None)
                assert supply.notes.free == free
                assert supply.notes.locked == 1_000_000
            chain.to_epoch(epoch + 1)

        emitted = 57 + 38
        assert chain.ledger.supply.emitted == emitted * len(chain.blocks)
        assert PARAMETERS.min_providers == 1

    def test_whole_note_can_be_given_as_a_tip(self) -> None:
        chain = Chain()
        [source, *_] = outputs_of(chain.genesis.transfer)

        chain.block(signed(Transfer((source,), ())))

        assert chain.ledger.supply.is_conserved
        assert chain.ledger.supply.notes.free == 23_000_000


@pytest.mark.parametrize(
    "changes",
    [
        {"min_stake": 0},
        {"inactivity_epochs": 1},
        {"min_providers": 0},
        {"expected_tokens": 0},
        {"emission": Emission(scale=0)},
        {"emission": Emission(inflation_numerator=-1)},
        {"emission": Emission(stake_target=-1)},
    ],
)
def test_parameters_that_make_no_sense_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        LedgerParameters(**changes)
