"""State of a testnet that is kept between commands, and its lock."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Final

from logos_testnet.errors import BusyError, SeedMismatchError, UnreadableStateError
from logos_testnet.layout import Layout
from logos_testnet.replacing import replace_text

PROCESSES: Final = "processes"
CONTAINERS: Final = "containers"


@dataclass(frozen=True, slots=True)
class Facts:
    """Kept until the testnet is purged."""

    runtime: str = ""
    """Runtime of the last start: `processes` or `containers`."""
    node_count: int | None = None
    """Number of nodes of the last start, if an option replaced the topology file's."""
    seeds: dict[str, int | None] = field(default_factory=dict)
    """Seed of the identities of each runtime; None: real randomness."""
    base: str = ""
    """Folder that relative paths in the topology start at."""


def read_facts(layout: Layout) -> Facts:
    """Reads the state; empty if there is no such testnet.

    Raises:
        UnreadableStateError: The file is not valid. To ignore it would lose the seed.
    """
    try:
        document = json.loads(layout.facts.read_text(encoding="utf-8"))
        return Facts(
            runtime=str(document["runtime"]),
            node_count=document["node_count"],
            seeds=dict(document["seeds"]),
            base=str(document.get("base", "")),
        )
    except FileNotFoundError:
        return Facts()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableStateError(
            f"{layout.facts} cannot be read ({type(error).__name__}: {error}); repair it, or remove"
            " it and give `./logos up` the --runtime, --nodes and --seed of the first start again"
        ) from error


def seed_of(layout: Layout, runtime: str, seed: int | None) -> int | None:
    """Returns the seed of this runtime's identities: that of the first start, until purged.

    Raises:
        SeedMismatchError: `seed` is another one.
    """
    facts = read_facts(layout)
    if runtime in facts.seeds:
        held = facts.seeds[runtime]
        if seed is not None and seed != held:
            made = "real randomness" if held is None else f"seed {held}"
            raise SeedMismatchError(
                f"the identities of {layout.directory.name} were made with {made};"
                f" omit --seed, or remove them by `./logos down --testnet"
                f" {layout.directory.name} --purge`"
            )
        return held
    return seed


def remember_start(
    layout: Layout,
    *,
    topology: str,
    node_count: int | None,
    runtime: str,
    seed: int | None,
    base: str = "",
) -> None:
    """Writes the state of the start that is about to happen."""
    facts = read_facts(layout)
    seeds = {**facts.seeds, runtime: seed}
    facts = replace(facts, runtime=runtime, node_count=node_count, seeds=seeds, base=base)
    replace_text(layout.facts, json.dumps({"schema": 1, **asdict(facts)}) + "\n")
    replace_text(layout.topology, topology)


@contextmanager
def exclusive(layout: Layout) -> Iterator[None]:
    """Holds the testnet's lock for as long as a command changes it.

    Raises:
        BusyError: Another command holds it.
    """
    layout.directory.mkdir(parents=True, exist_ok=True)
    with layout.lock.open("a", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyError(
                f"another command is starting or stopping {layout.directory.name};"
                " wait until it is done"
            ) from error
        yield
