"""RLC-1 to RLC-8, RLC-10: the members that final blocks make."""

from dataclasses import replace

import pytest
from chain_ledger import ALICE, BOB, CAROL, named
from chain_registry import (
    BEGIN,
    LIMIT,
    RULES,
    STAKE,
    Registering,
    commitment,
    deposit,
    identity,
    outcome,
    registry_of,
    root_of,
    slashing,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from logos_chain.core.registry import state
from logos_chain.core.registry.errors import (
    EvidenceError,
    RegistryStateDamagedError,
    SlashMalformedError,
)
from logos_chain.core.registry.evidence import identity_of_record, identity_of_secret
from logos_chain.core.registry.messages import Registration, Slash, decode
from logos_chain.core.registry.registry import MAX_ROOTS, Registry
from logos_chain.core.registry.rules import RegistryRules
from logos_crypto.hashes import MODULUS
from logos_mantle.channels import ChannelConfig, ChannelInscribe, ChannelTransfer, ChannelWithdraw
from logos_mantle.notes import Note
from logos_mantle.octets import ZERO
from logos_mantle.transactions import Transaction

REGISTERED = tuple([Registering(each).transaction for each in range(4)])


def test_other_rules_are_another_channel() -> None:
    others = [
        replace(RULES, genesis=named("other")),
        replace(RULES, limit=LIMIT + 1),
        replace(RULES, stake=STAKE + 1),
        replace(RULES, keeper=named("keeper")),
    ]
    assert len({each.channel for each in [RULES, *others]}) == 5
    assert replace(RULES, max_members=1).channel == RULES.channel
    assert RULES.beginning.keys == (RULES.key,)
    assert others[-1].beginning.keys == (named("keeper"),)


def test_a_registration_is_a_member_from_its_block_on() -> None:
    registry = registry_of((BEGIN, REGISTERED[0]), (), (REGISTERED[1],))

    assert [each.leaf for each in registry.members] == [0, 1]
    assert [each.height for each in registry.members] == [1, 3]
    one = registry.find(commitment(1))
    assert one is not None
    assert (one.transaction, one.stake.value) == (REGISTERED[1].hash, STAKE)
    assert [each.height for each in registry.roots] == [1, 3]
    assert registry.roots[0].root == root_of({0: 0})
    assert registry.root == registry.roots[1].root == root_of({0: 0, 1: 1})
    assert registry.log == [0, 1]


@pytest.mark.parametrize(
    "transaction",
    [
        Registering(1, value=STAKE - 1).transaction,
        Registering(1, limit=LIMIT + 1).transaction,
        Registering(0, owner=CAROL).transaction,
        deposit(Registration(commitment(1), LIMIT).encode() + b"\0", Note(STAKE, ALICE), "long"),
        deposit(Registration(ZERO, LIMIT).encode(), Note(STAKE, ALICE), "zero"),
        deposit(
            Registration(commitment(1), LIMIT).encode(),
            Note(STAKE, ALICE),
            "elsewhere",
            channel=named("another channel"),
        ),
    ],
)
def test_what_is_no_registration_changes_nothing(transaction: Transaction) -> None:
    registry = registry_of((BEGIN, REGISTERED[0]))
    before = state.encode(registry)

    assert not registry.apply(2, (transaction,))
    registry.height = 1
    assert state.encode(registry) == before


def test_a_deposit_of_a_note_that_its_transaction_does_not_make_says_nothing() -> None:
    [transfer, told] = REGISTERED[0].operations
    registry = registry_of((BEGIN, Transaction((told, transfer)), Transaction((told,))))
    assert registry.members == []


@pytest.mark.parametrize(
    "first",
    [
        Transaction((replace(RULES.beginning, keys=(named("squatter"),)),)),
        Transaction((ChannelInscribe(RULES.channel, b"", ZERO, named("squatter")),)),
    ],
)
def test_a_channel_that_began_otherwise_has_no_members(first: Transaction) -> None:
    registry = registry_of((first,), (BEGIN, REGISTERED[0]))
    assert registry.is_begun is False
    assert registry.members == []


def test_what_comes_before_the_channel_or_after_its_beginning_changes_no_rule() -> None:
    again = Transaction((replace(RULES.beginning, transfer_threshold=9),))
    registry = registry_of((REGISTERED[0],), (BEGIN,), (again, REGISTERED[1]))
    assert registry.is_begun
    assert outcome(registry) == [(commitment(1), False)]


def test_a_slash_empties_the_leaf_once_and_names_who_is_rewarded() -> None:
    registry = registry_of((BEGIN, *REGISTERED), (slashing(1, BOB), slashing(1, CAROL)))

    [owed] = registry.owed()
    assert owed.removal is not None
    assert (owed.leaf, owed.removal.reporter, owed.removal.height) == (1, BOB, 2)
    assert registry.log == [0, 1, 2, 3, 1]
    assert registry.root == root_of({0: 0, 2: 2, 3: 3})
    assert not registry.apply(
        3, (slashing(1), slashing(7), Registering(1, owner=CAROL).transaction)
    )
    registry.apply(4, (Registering(5).transaction,))
    assert registry.root == root_of({0: 0, 2: 2, 3: 3, 4: 5})


@pytest.mark.parametrize("kind", [ChannelTransfer, ChannelWithdraw])
def test_a_member_whose_stake_leaves_the_channel_is_none(kind: type) -> None:
    registry = registry_of((BEGIN, *REGISTERED), (slashing(1),))
    notes = tuple([registry.members[each].stake.id for each in (0, 1)])
    outputs = () if kind is ChannelWithdraw else ((Note(2 * STAKE, ALICE),),)
    registry.apply(3, (Transaction((kind(RULES.channel, notes, *outputs),)),))

    assert registry.owed() == []
    assert [each.removal is None for each in registry.members] == [False, False, True, True]
    assert registry.members[0].removal is not None
    assert registry.members[0].removal.reporter is None
    assert registry.log == [0, 1, 2, 3, 1, 0]


def test_there_are_so_many_members_and_roots_at_most() -> None:
    few = replace(RULES, max_members=2)
    assert len(registry_of((BEGIN, *REGISTERED), rules=few).members) == 2

    many = [(Registering(each).transaction,) for each in range(MAX_ROOTS + 3)]
    registry = registry_of((BEGIN,), *many)
    assert [each.height for each in registry.roots] == list(range(5, MAX_ROOTS + 5))


def test_blocks_come_in_their_order() -> None:
    registry = registry_of((BEGIN,))
    for height in (1, 3):
        with pytest.raises(ValueError, match="does not follow"):
            registry.apply(height, ())


def _messages() -> st.SearchStrategy[Transaction]:
    members = st.integers(0, 5)
    return st.one_of(
        st.builds(Registering, members, st.sampled_from([STAKE, STAKE - 1])).map(
            lambda each: each.transaction
        ),
        st.builds(slashing, members, st.sampled_from([BOB, CAROL])),
        st.just(BEGIN),
    )


@pytest.mark.property
@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(_messages(), max_size=4), max_size=8), st.integers(0, 8))
def test_a_restart_anywhere_changes_nothing(blocks: list[list[Transaction]], at: int) -> None:
    whole = registry_of(*[tuple(each) for each in blocks])
    part = registry_of(*[tuple(each) for each in blocks[:at]])

    taken_up = state.decode(state.encode(part), RULES)
    for height, each in enumerate(blocks[at:], len(blocks[:at]) + 1):
        taken_up.apply(height, each)

    assert state.encode(taken_up) == state.encode(whole)
    assert taken_up.root == whole.root
    live = {each.leaf: each.commitment for each in whole.members if each.removal is None}
    numbers = {commitment(each): each for each in range(6)}
    if live:
        assert whole.root == root_of({leaf: numbers[each] for leaf, each in live.items()})


@pytest.mark.property
@settings(max_examples=30, deadline=None)
@given(st.permutations(range(6)), st.integers(0, 6))
def test_the_order_of_slashes_changes_no_root(order: list[int], count: int) -> None:
    members = tuple([Registering(each).transaction for each in range(6)])
    mixed = order[:count]

    one = registry_of((BEGIN, *members), tuple([slashing(each) for each in sorted(mixed)]))
    other = registry_of((BEGIN, *members), *[(slashing(each),) for each in mixed])

    assert outcome(one) == outcome(other)
    assert one.root == other.root


@pytest.mark.property
@given(st.binary(max_size=80))
def test_any_metadata_is_a_message_of_its_bytes_or_none(raw: bytes) -> None:
    for each in (raw, b"\1\1" + raw, b"\1\2" + raw):
        found = decode(each)
        assert found is None or found.encode() == each


def test_messages_hold_values_of_the_field() -> None:
    beyond = MODULUS.to_bytes(32, "little")
    for each in (Registration(beyond, 1), Registration(ZERO, 1), Slash(beyond), Slash(ZERO)):
        assert decode(each.encode()) is None


@pytest.mark.property
@settings(max_examples=50)
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_kept_state_that_was_changed_is_refused_or_another(at: int, by: int) -> None:
    raw = bytearray(state.encode(registry_of((BEGIN, *REGISTERED), (slashing(2),))))
    raw[at % len(raw)] ^= by
    try:
        found = state.decode(bytes(raw), RULES)
    except RegistryStateDamagedError:
        return
    assert isinstance(found, Registry)


def test_a_kept_state_of_other_rules_is_refused() -> None:
    raw = state.encode(registry_of((BEGIN,)))
    for rules in (replace(RULES, stake=STAKE + 1), RegistryRules(named("other"), LIMIT, STAKE)):
        with pytest.raises(RegistryStateDamagedError):
            state.decode(raw, rules)
    with pytest.raises(RegistryStateDamagedError):
        state.decode(raw + b"\0", RULES)


def test_a_secret_convicts_its_member() -> None:
    assert identity_of_secret(identity(3).secret()).commitment == commitment(3)
    for each in (b"", ZERO, MODULUS.to_bytes(32, "little")):
        with pytest.raises(EvidenceError):
            identity_of_secret(each)


@pytest.mark.parametrize("raw", [b"", b"\1" * 247, b"\2" * 250, b"\1" * 313, b"\1" + b"\xff" * 250])
def test_what_is_no_record_is_refused(raw: bytes) -> None:
    with pytest.raises(SlashMalformedError):
        identity_of_record(raw)


def test_shares_that_are_of_no_line_convict_none() -> None:
    with pytest.raises(EvidenceError):
        identity_of_record(b"\1" * 256)


def test_the_config_that_begins_it_can_be_encoded() -> None:
    assert isinstance(RULES.beginning, ChannelConfig)
    assert len(RULES.beginning.payload()) == 32 + 2 + 32 + 4 + 4 + 2 + 2
