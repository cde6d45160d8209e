"""FOL-16: paths to aged roots are there when the notes take part, and few."""

import pytest
from chain_ledger import ALICE, BOB, FUNDS, Chain, named

from logos_chain.core.aged import MAX_KEYS, MAX_ROOTS, AgedPaths
from logos_crypto.trees import LedgerTree
from logos_mantle.notes import Note
from logos_mantle.transfers import Transfer


def test_paths_of_watched_notes_lead_to_the_root_they_were_taken_at() -> None:
    chain, aged = Chain(), AgedPaths([ALICE])
    root = chain.ledger.root
    notes = [each for each, _ in chain.ledger.notes_of({ALICE})]

    aged.take(chain.ledger)
    chain.accept(Transfer((next(chain.funds),), (Note(1000, BOB),)))

    assert len(notes) == len(FUNDS)
    for note in notes:
        path = aged.path(root, note)
        assert path is not None
        assert LedgerTree.verify(note, path, root)
    assert aged.path(chain.ledger.root, notes[-1]) is None
    assert aged.path(root, named("no note")) is None


def test_notes_of_other_keys_are_not_looked_for() -> None:
    chain, aged = Chain(), AgedPaths([BOB])
    note, _ = chain.ledger.notes_of({ALICE})[0]

    aged.take(chain.ledger)

    assert aged.path(chain.ledger.root, note) is None


def test_the_most_valuable_notes_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logos_chain.core.aged.MAX_NOTES", 1)
    chain, aged = Chain(), AgedPaths([BOB])
    small, large = Note(1000, BOB), Note(5000, BOB)
    chain.accept(Transfer((next(chain.funds),), (small, large)))

    aged.take(chain.ledger)

    root = chain.ledger.root
    taken = [entry.note for note, entry in chain.ledger.notes_of({BOB}) if aged.path(root, note)]
    assert taken == [large]


def test_roots_are_few_and_those_of_the_chain_stay() -> None:
    chain, aged = Chain(), AgedPaths([ALICE])
    first = chain.ledger.root
    aged.hold(chain.ledger.head)
    note = [each for each, _ in chain.ledger.notes_of({ALICE})][-1]

    roots = []
    for _ in range(MAX_ROOTS + 3):
        aged.take(chain.ledger)
        roots.append(chain.ledger.root)
        chain.accept()

    there = [each for each in roots if aged.path(each, note)]
    assert there == [first, *roots[1 - MAX_ROOTS :]]


def test_keys_are_few() -> None:
    aged = AgedPaths([ALICE])
    chain = Chain()
    aged.watch(named(f"{each}") for each in range(MAX_KEYS))
    aged.take(chain.ledger)
    note, _ = chain.ledger.notes_of({ALICE})[0]

    assert aged.path(chain.ledger.root, note) is None
