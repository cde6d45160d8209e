"""State that was kept and read again, and what a block costs with many notes (LED-5)."""

from hashlib import blake2b

from chain_ledger import ALICE, EPOCH_SLOTS, KEYS, Chain, contents, copied, declaration, named

from logos_chain.core.ledger.ledger import Applied, Ledger
from logos_chain.core.ledger.types import UnspentNote
from logos_mantle.channels import ChannelConfig
from logos_mantle.notes import Note


def test_state_that_was_kept_goes_on_as_before() -> None:
    chain = Chain()
    chain.accept(declaration("new", next(chain.funds)))
    chain.accept(ChannelConfig(named("channel"), KEYS, 0, 0, 1, 1), signatures=[0])
    chain.block(chain.paid(), chain.paid())
    ledger = chain.ledger

    chain.ledger = Ledger(chain.parameters, copied(ledger._state), ledger.head)

    assert contents(chain.ledger) == contents(ledger)
    assert isinstance(chain.block(chain.paid(tip=9999), slot=EPOCH_SLOTS), Applied)
    assert contents(chain.replayed()) == contents(chain.ledger)
    for each in reversed(chain.applied):
        chain.ledger.undo(each.delta)
    assert contents(chain.ledger) == contents(Chain().ledger)


def test_changes_of_a_block_are_what_it_touches() -> None:
    chain = Chain()
    notes = chain.ledger._state.notes
    for each in range(2000):
        identifier = blake2b(each.to_bytes(8, "little"), digest_size=31).digest() + b"\0"
        entry = UnspentNote(Note(1, ALICE), notes._tree.lowest_empty())
        notes.write(identifier, entry)
    notes.collect()
    root = notes.root()
    head = chain.ledger.head
    chain.ledger._head = type(head)(
        **{name: getattr(head, name) for name in head.__slots__}
        | {"root": root, "genesis": head.genesis + 2000}
    )

    result = chain.block(chain.paid())

    assert isinstance(result, Applied)
    delta = result.delta
    assert len(delta.notes) == 2
    assert len(delta.vouchers) == 1
    assert not delta.channels
    assert not delta.nullifiers
