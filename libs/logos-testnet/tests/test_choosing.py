"""Which testnet a command means."""

from pathlib import Path

import pytest

from logos_testnet.choosing import chosen, chosen_to_start, known_testnets
from logos_testnet.errors import AmbiguousTestnetError, UnknownTestnetError
from logos_testnet.layout import layout_of
from logos_testnet.state import remember_start


def remember(root: Path, name: str, *, is_up: bool = False) -> None:
    layout = layout_of(root, name)
    layout.directory.mkdir(parents=True)
    remember_start(layout, topology="", node_count=None, runtime="processes", seed=None)
    if is_up:
        layout.endpoints.touch()


def test_where_none_is_remembered_none_is_meant(tmp_path: Path) -> None:
    (tmp_path / "bootstrap.lock").touch()
    (tmp_path / "half").mkdir()

    assert known_testnets(tmp_path) == []
    assert chosen(tmp_path, None) is None
    assert chosen_to_start(tmp_path, None) is None


@pytest.mark.parametrize("name", ["smal", "../small", "small/", "half", ""])
def test_a_name_that_is_not_there_is_refused_and_the_others_are_reported(
    tmp_path: Path, name: str
) -> None:
    remember(tmp_path, "small", is_up=True)
    (tmp_path / "half").mkdir()

    for choose in (chosen, chosen_to_start):
        with pytest.raises(UnknownTestnetError, match="there are small"):
            choose(tmp_path, name)


@pytest.mark.parametrize("is_up", [True, False])
def test_the_only_one_is_meant(tmp_path: Path, *, is_up: bool) -> None:
    remember(tmp_path, "relays", is_up=is_up)

    assert chosen(tmp_path, None) == "relays"
    assert chosen_to_start(tmp_path, None) == "relays"


def test_of_several_the_one_that_is_up_is_meant(tmp_path: Path) -> None:
    remember(tmp_path, "relays", is_up=True)
    remember(tmp_path, "small")

    assert chosen(tmp_path, None) == "relays"
    assert chosen(tmp_path, "small") == "small"
    with pytest.raises(AmbiguousTestnetError, match="relays, small"):
        chosen_to_start(tmp_path, None)


@pytest.mark.parametrize("is_up", [True, False])
def test_several_are_a_question(tmp_path: Path, *, is_up: bool) -> None:
    for name in ("relays", "small"):
        remember(tmp_path, name, is_up=is_up)

    with pytest.raises(AmbiguousTestnetError, match=r"relays, small; .*--testnet NAME"):
        chosen(tmp_path, None)
