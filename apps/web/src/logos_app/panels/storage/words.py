"""What the panel says. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from logos.storage.v1 import storage_pb2
from logos_app.nodes.reading import milliseconds
from logos_app.shown import formats, words

_STATES: Final = {
    storage_pb2.FETCH_STATE_QUEUED: "queued",
    storage_pb2.FETCH_STATE_FETCHING: "fetching",
    storage_pb2.FETCH_STATE_WAITING: "waiting",
    storage_pb2.FETCH_STATE_DONE: "done",
    storage_pb2.FETCH_STATE_FAILED: "failed",
    storage_pb2.FETCH_STATE_CANCELLED: "cancelled",
}
RUNNING: Final = frozenset({"queued", "fetching", "waiting"})


def sentence(node: str, space: storage_pb2.SpaceResponse | None, moving: int, failed: int) -> str:
    """How the files of a node are."""
    if space is None:
        return f"Asking {node} for its files."
    if space.datasets == 0:
        first = f"Nothing is stored on {node} yet"
    else:
        room = formats.amount(space.used_bytes, space.quota_bytes)
        used = room.replace(" of ", " of its ", 1)
        first = f"{node} keeps {words.counted(space.datasets, 'file')}, {used}"
    clauses = []
    if moving:
        verb = "is" if moving == 1 else "are"
        clauses.append(f"{words.spelled(moving)} {verb} on the way in")
    if failed:
        clauses.append(f"{words.spelled(failed)} could not be fetched")
    return f"{first}. {words.capital(words.listed(clauses))}." if clauses else f"{first}."


@dataclass(frozen=True, slots=True)
class Move:
    """A transfer, as it is shown."""

    cid: str
    name: str
    state: str
    done: int
    total: int
    how: str
    reason: str

    @property
    def part(self) -> float:
        """What is here, in percent of the whole."""
        return 100 * self.done / self.total if self.total else 0


def move_of(
    fetch: storage_pb2.FetchProgress,
    names: Mapping[str, str],
    sentence_of: Mapping[str, str],
    at: str,
) -> Move:
    """A transfer to the node `at`. `names`: nodes by peer id."""
    state = _STATES.get(fetch.state, "queued")
    done, total = fetch.held_bytes, fetch.total_bytes
    return Move(
        fetch.cid,
        fetch.dataset.filename or formats.short_id(fetch.cid),
        state,
        done,
        total,
        _how(fetch, state, names, sentence_of, at),
        fetch.reason if state in {"waiting", "failed"} else "",
    )


def _how(
    fetch: storage_pb2.FetchProgress,
    state: str,
    names: Mapping[str, str],
    sentence_of: Mapping[str, str],
    at: str,
) -> str:
    """Amount, rate and time left; or what it waits for, or why it has ended."""
    done, total = fetch.held_bytes, fetch.total_bytes
    amount = f"{formats.percent(done, total)} · {formats.amount(done, total)}" if total else ""
    why = sentence_of.get(fetch.reason, "").format(at=at, detail=fetch.detail) or fetch.detail
    match state:
        case "queued":
            parts = [amount, "waits for its turn"]
        case "fetching" if fetch.bytes_per_second:
            providers = [names.get(peer, "another node") for peer in fetch.providers]
            source = f"from {words.listed(sorted(set(providers)))}" if providers else ""
            left = ""
            if fetch.HasField("time_left"):
                left = f"{formats.duration(fetch.time_left.ToMilliseconds())} left"
            parts = [amount, formats.rate(fetch.bytes_per_second), left, source]
        case "fetching":
            parts = [amount, "looks for nodes that hold it"]
        case "waiting":
            parts = [amount, why, "It goes on by itself."]
        case "done":
            took = milliseconds(fetch.ended_at) - milliseconds(fetch.started_at)
            parts = [amount, f"in {formats.duration(took)}"]
        case "failed":
            parts = [f"Stopped at {formats.percent(done, total)}" if total else "Stopped", why]
        case _:
            parts = ["Cancelled", amount]
    return " · ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Holding:
    """On which nodes a file is."""

    marks: tuple[float | str, ...]
    """A node each: `whole`, `none`, `unknown`, or the part that is there."""
    nodes: tuple[str, ...]

    @property
    def whole(self) -> list[str]:
        """The nodes that hold all of it."""
        return [n for n, mark in zip(self.nodes, self.marks, strict=True) if mark == "whole"]

    @property
    def text(self) -> str:
        """`3 of 5`, or `only here` where one node holds it and all have answered."""
        if len(self.whole) == 1 and "unknown" not in self.marks:
            return f"only on {self.whole[0]}"
        return f"{len(self.whole)} of {len(self.nodes)}"

    @property
    def label(self) -> str:
        """The same in words."""
        parts = [f"whole on {words.listed(self.whole) or 'no node'}"]
        for name, mark in zip(self.nodes, self.marks, strict=True):
            if isinstance(mark, float):
                parts.append(f"{int(mark * 100)} percent on {name}")
            elif mark == "unknown":
                parts.append(f"{name} did not answer")
        return ", ".join(parts)


def mark_of(dataset: storage_pb2.Dataset | None) -> float | str:
    """What a node holds of a file."""
    if dataset is None or dataset.blocks_held == 0 < dataset.block_count:
        return "none"
    if dataset.blocks_held >= dataset.block_count:
        return "whole"
    return dataset.blocks_held / dataset.block_count


def is_last_copy(holding: Holding, node: str) -> bool:
    """Whether no other node is known to hold all of a file."""
    return not [name for name in holding.whole if name != node]


def picked(holding: Holding, ready: Sequence[str]) -> tuple[str, str]:
    """The node to see a file from where none is named, and why; of none, nothing.

    One that holds all of it, else most of it; else any that can fetch it.
    """
    parts: dict[str, float] = {
        name: 1.0 if mark == "whole" else float(mark)
        for name, mark in zip(holding.nodes, holding.marks, strict=True)
        if name in ready and (mark == "whole" or isinstance(mark, float))
    }
    if not parts:
        return (ready[0], "it is ready, and no node is known to hold it") if ready else ("", "")
    best = max(parts, key=lambda name: parts[name])
    return best, "it holds all of it" if parts[best] == 1 else "it holds the most of it"


def matches(dataset: storage_pb2.Dataset, query: str) -> bool:
    """Whether a file is meant by what was typed: a part of its name, or its CID."""
    return query.lower() in dataset.filename.lower() or query == dataset.cid


def names_by_peer(nodes: Sequence[object]) -> dict[str, str]:
    """Names of nodes by their peer ids."""
    return {getattr(node, "peer_id", ""): getattr(node, "name", "") for node in nodes}
