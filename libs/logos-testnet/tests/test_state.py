"""What a testnet's folder remembers."""

from pathlib import Path

import pytest

from logos_testnet.errors import BusyError, SeedMismatchError, UnreadableStateError
from logos_testnet.layout import Layout, layout_of
from logos_testnet.state import Facts, exclusive, read_facts, remember_start, seed_of


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = layout_of(tmp_path, "small")
    layout.directory.mkdir()
    return layout


def start(layout: Layout, runtime: str, seed: int | None) -> None:
    remember_start(layout, topology="", node_count=3, runtime=runtime, seed=seed)


def test_nothing_is_remembered_of_what_never_was(layout: Layout) -> None:
    assert read_facts(layout) == Facts()
    assert seed_of(layout, "processes", 5) == 5


def test_the_first_seed_holds_until_purged(layout: Layout) -> None:
    start(layout, "processes", 7)

    assert seed_of(layout, "processes", None) == 7
    with pytest.raises(SeedMismatchError, match="down --testnet small --purge"):
        seed_of(layout, "processes", 8)
    assert seed_of(layout, "containers", None) is None


def test_identities_made_at_random_take_no_seed_later(layout: Layout) -> None:
    start(layout, "processes", None)

    with pytest.raises(SeedMismatchError):
        seed_of(layout, "processes", 7)


def test_the_last_runtime_and_number_of_nodes_are_remembered(layout: Layout) -> None:
    start(layout, "processes", 7)
    start(layout, "containers", None)

    facts = read_facts(layout)
    assert (facts.runtime, facts.node_count) == ("containers", 3)
    assert facts.seeds == {"processes": 7, "containers": None}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"runtime": "processes"}'])
def test_facts_that_cannot_be_read_are_not_forgotten(layout: Layout, text: str) -> None:
    start(layout, "processes", 7)
    layout.facts.write_text(text, encoding="utf-8")

    with pytest.raises(UnreadableStateError, match=str(layout.facts)):
        seed_of(layout, "processes", None)
    with pytest.raises(UnreadableStateError):
        start(layout, "processes", None)
    assert layout.facts.read_text(encoding="utf-8") == text


def test_two_commands_do_not_change_one_testnet_at_once(layout: Layout) -> None:
    with exclusive(layout), pytest.raises(BusyError), exclusive(layout):
        pytest.fail("two hold the lock")
    with exclusive(layout):
        assert layout.lock.exists()
