"""Opens a `Testnet` from a topology file, or from the state in a testnet's folder."""

from dataclasses import dataclass, replace
from pathlib import Path

from logos_testnet.container_testnet import ContainerTestnet
from logos_testnet.errors import TopologyError, UnreadableStateError
from logos_testnet.layout import Layout, layout_of
from logos_testnet.manifests import load_manifests
from logos_testnet.plan import container_plan, process_plan
from logos_testnet.process_testnet import ProcessTestnet
from logos_testnet.state import CONTAINERS, PROCESSES, read_facts, remember_start, seed_of
from logos_testnet.testnet import Testnet
from logos_testnet.topology import Topology, parse_topology


@dataclass(frozen=True, slots=True)
class Places:
    """Folders that commands work in."""

    repository: Path
    state_root: Path
    """`.logos`"""


@dataclass(frozen=True, slots=True)
class Description:
    """A topology file, and the options of the command line that change it."""

    text: str
    source: str
    node_count: int | None = None
    base: Path = Path()
    """Folder that relative paths in it start at."""

    def topology(self) -> Topology:
        """Reads it; raises `TopologyError`."""
        return parse_topology(
            self.text, source=self.source, node_count=self.node_count, base=self.base
        )


def described_by(path: Path, node_count: int | None = None) -> Description:
    """Reads a topology file.

    Raises:
        TopologyError: It is not UTF-8.
        OSError: It cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return Description(text, str(path), node_count, path.parent.resolve())
    except UnicodeDecodeError as error:
        raise TopologyError([f"{path}: is not UTF-8"]) from error


def remembered(layout: Layout) -> Description | None:
    """Returns the topology that was started last in a testnet's folder; None if none was.

    Raises:
        UnreadableStateError: It is not valid, or is another testnet's.
    """
    if not layout.topology.exists():
        return None
    way_out = "`--topology FILE` names the file that it was started from"
    facts = read_facts(layout)
    description = replace(described_by(layout.topology, facts.node_count), base=Path(facts.base))
    try:
        name = description.topology().name
    except TopologyError as error:
        raise UnreadableStateError(f"{error}; {way_out}") from error
    if name != layout.directory.name:
        raise UnreadableStateError(
            f"{layout.topology} is that of {name}, not of {layout.directory.name}; if the folder"
            f" was renamed, rename it back to {name}"
        )
    return description


def open_testnet(
    description: Description, places: Places, *, runtime: str | None, seed: int | None = None
) -> Testnet:
    """Makes the object for a testnet. Starts and writes nothing.

    Args:
        description: The topology.
        places: Folders.
        runtime: `processes` or `containers`; None for the last one.
        seed: For new identities; None for real randomness.

    Raises:
        TopologyError: The topology or a manifest is wrong.
        SeedMismatchError: Its identities were made with another seed.
    """
    topology = description.topology()
    layout = layout_of(places.state_root, topology.name)
    manifests = load_manifests(topology)
    chosen = runtime or read_facts(layout).runtime or PROCESSES
    held = seed_of(layout, chosen, seed)
    if chosen == CONTAINERS:
        plan = container_plan(topology, manifests, held)
        return ContainerTestnet(plan, layout, places.repository)
    return ProcessTestnet(process_plan(topology, manifests, held, layout), layout)


def remember(description: Description, testnet: Testnet, places: Places) -> None:
    """Writes the topology that is about to be started into the testnet's folder."""
    remember_start(
        layout_of(places.state_root, testnet.plan.topology.name),
        topology=description.text,
        node_count=description.node_count,
        runtime=testnet.runtime,
        seed=testnet.plan.seed,
        base=str(description.base),
    )
