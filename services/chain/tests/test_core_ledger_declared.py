"""LED-40: where declared nodes stand, through their whole life."""

import pytest
from chain_ledger import EPOCH_SLOTS, Chain, declaration, genesis, outputs_of

from logos_chain.core.ledger.declared import DeclaredNode, Standing, declared_node, declared_nodes
from logos_mantle.services import SdpDeclare, SdpWithdraw

NAMES = ("a", "b", "c")


@pytest.fixture
def chain() -> Chain:
    """With three nodes declared in the genesis."""
    return Chain(genesis=genesis(declared=NAMES))


def message(chain: Chain, name: str) -> SdpDeclare:
    return declaration(name, outputs_of(chain.genesis.transfer)[NAMES.index(name)])


def node(chain: Chain, message: SdpDeclare) -> DeclaredNode:
    found = declared_node(chain.ledger, message.declaration_id())
    assert found is not None
    return found


def test_nodes_of_the_genesis_serve_at_once(chain: Chain) -> None:
    for name in NAMES:
        found = node(chain, message(chain, name))
        assert (found.standing, found.serves, found.unlock_epoch) == (Standing.ACTIVE, True, None)
        note = chain.ledger.note(found.declaration.message.locked_note_id)
        assert note is not None
        assert found.locked_value == note.note.value > 0


def test_a_new_node_is_active_before_it_serves(chain: Chain) -> None:
    new = declaration("new", next(chain.funds))
    chain.accept(new)

    assert (node(chain, new).standing, node(chain, new).serves) == (Standing.ACTIVE, False)
    chain.to_epoch(1)
    assert not node(chain, new).serves
    chain.to_epoch(2)
    assert node(chain, new).serves


def test_a_silent_node_becomes_inactive(chain: Chain) -> None:
    first = message(chain, "a")
    last = chain.parameters.inactivity_epochs
    standings = []
    for epoch in range(1, last + 4):
        chain.to_epoch(epoch)
        standings.append(node(chain, first).standing)

    assert standings == [Standing.ACTIVE] * last + [Standing.INACTIVE] * 3
    assert not node(chain, first).serves


def test_a_withdrawn_node_is_locked_until_it_is_removed(chain: Chain) -> None:
    first = message(chain, "a")
    chain.to_epoch(1)
    chain.accept(SdpWithdraw(first.declaration_id(), 1, first.locked_note_id))

    found = node(chain, first)
    assert (found.standing, found.serves, found.unlock_epoch) == (Standing.WITHDRAWN, True, 3)
    chain.block(slot=3 * EPOCH_SLOTS - 1)
    assert node(chain, first).standing is Standing.WITHDRAWN
    note = chain.ledger.note(first.locked_note_id)
    assert note is not None
    assert note.declaration is not None
    chain.to_epoch(3)
    assert declared_node(chain.ledger, first.declaration_id()) is None
    note = chain.ledger.note(first.locked_note_id)
    assert note is not None
    assert note.declaration is None


def test_they_are_listed_by_their_ids_page_by_page(chain: Chain) -> None:
    every = sorted(message(chain, name).declaration_id() for name in NAMES)
    for limit in (1, 2, 3, 9):
        found, after = list[bytes](), b""
        while page := declared_nodes(chain.ledger, after, limit):
            assert len(page) <= limit
            found += [each.identifier for each in page]
            after = found[-1]
        assert found == every
    assert declared_node(chain.ledger, bytes(32)) is None
