"""From the words of a command to a testnet."""

from pathlib import Path

import pytest

from logos_cli.selection import Runtime, open_chosen, places_of, refuse_other_runtime, to_start
from logos_testnet.errors import AmbiguousTestnetError
from logos_testnet.layout import layout_of
from logos_testnet.state import remember_start

ROOT = Path(__file__).parents[3]
SMALL = ROOT / "deploy/topologies/small.toml"
RELAYS = ROOT / "deploy/topologies/relays.toml"


@pytest.fixture(autouse=True)
def checkout(state: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This checkout, with state of the test's own."""
    monkeypatch.setenv("LOGOS_ROOT", str(ROOT))
    monkeypatch.chdir(ROOT)
    return state


def remember(
    state: Path, name: str, text: str, *, runtime: str = "processes", node_count: int | None = None
) -> None:
    layout = layout_of(state, name)
    layout.directory.mkdir()
    remember_start(layout, topology=text, node_count=node_count, runtime=runtime, seed=None)


def test_the_default_topology_is_started_where_there_is_no_testnet() -> None:
    description = to_start(places_of(), None, None, None)

    assert description.topology().name == "small"


def test_a_testnet_resumes_with_its_topology_and_number_of_nodes(state: Path) -> None:
    text = SMALL.read_text(encoding="utf-8")
    remember(state, "small", text, node_count=2)

    assert len(to_start(places_of(), None, None, None).topology().nodes) == 2
    assert len(to_start(places_of(), None, "small", 4).topology().nodes) == 4
    opened = open_chosen(places_of(), SMALL, None, None)
    assert len(opened.plan.nodes) == 2


def test_a_default_topology_that_has_changed_since_is_reported(
    state: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    held = SMALL.read_text(encoding="utf-8").replace("node_count = 5", "node_count = 3")
    remember(state, "small", held)

    description = to_start(places_of(), None, None, None)

    assert len(description.topology().nodes) == 3
    said = capfd.readouterr().err
    assert "`./logos up --topology deploy/topologies/small.toml`" in said


def test_a_file_and_a_name_that_contradict_each_other_are_refused(state: Path) -> None:
    remember(state, "small", SMALL.read_text(encoding="utf-8"))

    with pytest.raises(AmbiguousTestnetError, match=r"that of relays, .* is 'small'"):
        to_start(places_of(), RELAYS, "small", None)
    with pytest.raises(AmbiguousTestnetError):
        open_chosen(places_of(), RELAYS, "small", None)


def test_a_file_is_the_way_out_where_the_remembered_topology_cannot_be_read(state: Path) -> None:
    remember(state, "small", "schema =")

    assert len(open_chosen(places_of(), SMALL, None, None).plan.nodes) == 5


async def test_a_missing_engine_is_no_other_runtime(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(state, "small", SMALL.read_text(encoding="utf-8"), runtime="containers")
    monkeypatch.setenv("PATH", "")
    opened = open_chosen(places_of(), SMALL, None, Runtime.PROCESSES)

    await refuse_other_runtime(places_of(), opened)
