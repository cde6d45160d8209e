"""What a testnet's folder remembers, and what of it cannot be used."""

import tomllib
from pathlib import Path

import pytest

from logos_testnet.errors import TopologyError, UnreadableStateError
from logos_testnet.layout import Layout, layout_of
from logos_testnet.opening import Places, described_by, open_testnet, remember, remembered
from logos_testnet.state import remember_start

MANIFEST = 'name = "own"\nversion = "0.1.0"\ncommand = ["./own"]\n'
TOPOLOGY = 'schema = 1\nname = "small"\nnode_count = 3\n[modules.mixnet]\n'


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = layout_of(tmp_path, "small")
    layout.directory.mkdir()
    remember_start(layout, topology=TOPOLOGY, node_count=2, runtime="processes", seed=7)
    return layout


def test_the_topology_and_the_number_of_nodes_are_remembered(layout: Layout) -> None:
    held = remembered(layout)

    assert held is not None
    assert held.text == TOPOLOGY
    assert len(held.topology().nodes) == 2


def test_folders_of_modules_are_relative_to_the_file_also_later(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "module.toml").write_text(MANIFEST, encoding="utf-8")
    file = tmp_path / "x.toml"
    file.write_text(
        'schema = 1\nname = "x"\nnode_count = 1\n[modules.own]\nfolder = "own"\n', "utf-8"
    )
    places = Places(tmp_path, tmp_path / "state")
    layout = layout_of(places.state_root, "x")
    layout.directory.mkdir(parents=True)

    described = described_by(file)
    remember(described, open_testnet(described, places, runtime="processes"), places)
    held = remembered(layout)

    assert held is not None
    plan = open_testnet(held, places, runtime="processes").plan
    assert tomllib.loads(plan.profile(plan.nodes[0]))["modules"]["own"] == {
        "manifest": str(folder / "module.toml")
    }
    contained = open_testnet(held, places, runtime="containers").plan
    manifest = tomllib.loads(contained.profile(contained.nodes[0]))["modules"]["own"]["manifest"]
    assert manifest == "own.toml", "a kernel in a container does not see the folder"


def test_a_topology_that_cannot_be_used_is_no_other(layout: Layout) -> None:
    layout.topology.write_text("schema =", encoding="utf-8")

    with pytest.raises(UnreadableStateError, match=f"{layout.topology}.*--topology FILE"):
        remembered(layout)


def test_a_renamed_folder_does_not_act_for_the_testnet_in_it(layout: Layout) -> None:
    other = layout_of(layout.directory.parent, "other")
    layout.directory.rename(other.directory)

    with pytest.raises(UnreadableStateError, match="is that of small, not of other"):
        remembered(other)


def test_a_file_that_is_not_text_is_a_problem_of_the_topology(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"\xff")

    with pytest.raises(TopologyError, match="not UTF-8"):
        described_by(path)
