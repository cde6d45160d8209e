"""What a testnet's folder remembers between two commands, and who may change it."""

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
    """Remembered until the testnet is purged."""

    runtime: str = ""
    """Where it was started last: `processes` or `containers`."""
    node_count: int | None = None
    """Number of nodes it was started with, where the topology file's was replaced."""
    seeds: dict[str, int | None] = field(default_factory=dict)
    """What the identities of each runtime were made with; None: with real randomness."""


def read_facts(layout: Layout) -> Facts:
    """Reads what is remembered; nothing where there is no such testnet.

    Raises:
        UnreadableStateError: The file is there and says nothing: the seed would be forgotten.
    """
    try:
        document = json.loads(layout.facts.read_text(encoding="utf-8"))
        return Facts(
            runtime=str(document["runtime"]),
            node_count=document["node_count"],
            seeds=dict(document["seeds"]),
        )
    except FileNotFoundError:
        return Facts()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableStateError(
            f"{layout.facts} cannot be read ({type(error).__name__}: {error}); mend it, or remove"
            " it and give `./logos up` the --runtime, --nodes and --seed of the first start again"
        ) from error


def seed_of(layout: Layout, runtime: str, seed: int | None) -> int | None:
    """The seed that holds for this runtime's identities: of the first start, until purged.

    Raises:
        SeedMismatchError: They were made with another seed.
    """
    facts = read_facts(layout)
    if runtime in facts.seeds:
        held = facts.seeds[runtime]
        if seed is not None and seed != held:
            made = "real randomness" if held is None else f"seed {held}"
            raise SeedMismatchError(
                f"the identities of {layout.directory.name} were made with {made};"
                f" `./logos down --testnet {layout.directory.name} --purge` forgets them"
            )
        return held
    return seed


def remember_start(
    layout: Layout, *, topology: str, node_count: int | None, runtime: str, seed: int | None
) -> None:
    """Notes what is about to be started."""
    facts = read_facts(layout)
    seeds = {**facts.seeds, runtime: seed}
    facts = replace(facts, runtime=runtime, node_count=node_count, seeds=seeds)
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
