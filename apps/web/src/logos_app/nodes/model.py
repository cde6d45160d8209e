"""What is known of the nodes at one moment. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from logos.kernel.v1 import module_pb2

MEMORY_POINTS: Final = 300
"""Ten minutes, one every two seconds."""

_STATES: Final = {
    module_pb2.MODULE_STATE_BLOCKED: "blocked",
    module_pb2.MODULE_STATE_STARTING: "starting",
    module_pb2.MODULE_STATE_REGISTERED: "starting",
    module_pb2.MODULE_STATE_READY: "ready",
    module_pb2.MODULE_STATE_DRAINING: "stopping",
    module_pb2.MODULE_STATE_STOPPED: "stopped",
    module_pb2.MODULE_STATE_BACKOFF: "restarting",
    module_pb2.MODULE_STATE_FAILED: "failed",
}


def state_word(state: int) -> str:
    """The word for a state of a module."""
    return _STATES.get(state, "unknown")  # type: ignore[call-overload, no-any-return]


class Reach(StrEnum):
    """Whether a node answers."""

    WAITING = "waiting"
    """Not heard of since the app's start."""
    ANSWERS = "answers"
    AWAY = "away"
    """It has answered, and does not any longer."""
    REFUSES = "refuses"
    """It refuses the app's token."""


_UNHEARD: Final = {Reach.WAITING: "starting", Reach.AWAY: "stopped", Reach.REFUSES: "failed"}


@dataclass(frozen=True, slots=True)
class ModuleSeen:
    """A module of a node."""

    name: str
    state: str
    since_ms: int = 0
    restarts: int = 0
    version: str = ""
    epoch: int = 0
    last_exit: str = ""
    status: str = ""
    requires: tuple[str, ...] = ()
    has_process: bool = False
    is_wanted: bool = True
    """The operator wants it to run."""
    is_observed: bool = False
    """A container engine runs it; the kernel does not."""
    memory_bytes: int | None = None
    """Of which shared pages are its part; None: not known."""


@dataclass(frozen=True, slots=True)
class Link:
    """A node's connection to a peer, with counts that only grow while `since_ms` stays."""

    peer_id: str
    since_ms: int = 0
    received_messages: int = 0
    received_bytes: int = 0
    sent_messages: int = 0
    sent_bytes: int = 0
    round_trip_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """What a link carries, both ways, a second."""

    messages: float = 0
    bytes: float = 0


@dataclass(frozen=True, slots=True)
class Tip:
    """Where the chain of a node ends."""

    height: int
    ids: tuple[bytes, ...]
    """Of the newest blocks of its chain, the last one first; at least one."""
    arrived_ms: int = 0
    """When the app was told of the last one; 0: it was there before."""
    is_followed: bool = True
    """Whether blocks are told as they come; else this was so when they were last."""


@dataclass(frozen=True, slots=True)
class NodeSeen:
    """A node."""

    name: str
    address: str
    reach: Reach = Reach.WAITING
    as_of_ms: int = 0
    """When it answered last."""
    started_ms: int = 0
    version: str = ""
    peer_id: str = ""
    is_isolated: bool = False
    modules: tuple[ModuleSeen, ...] = ()
    links: Mapping[str, Link] = field(default_factory=dict)
    rates: Mapping[str, Rate] = field(default_factory=dict)
    """By peer id, as the links."""
    memory: tuple[int, ...] = ()
    """Bytes of all its processes, a shared page counted once; oldest first."""
    tip: Tip | None = None
    """None: it has no chain, or has not told of it."""

    @property
    def state(self) -> str:
        """Its state in a word."""
        if self.reach is not Reach.ANSWERS:
            return _UNHEARD[self.reach]
        wanted = {module.state for module in self.modules if module.is_wanted}
        if "failed" in wanted:
            return "failed"
        if self.is_isolated:
            return "isolated"
        if wanted & {"starting", "blocked", "unknown"} and "restarting" not in wanted:
            return "starting"
        is_whole = wanted <= {"ready"} and all(module.is_wanted for module in self.modules)
        return "ready" if is_whole else "degraded"

    @property
    def answers(self) -> bool:
        """Whether it answers now."""
        return self.reach is Reach.ANSWERS

    def module(self, name: str) -> ModuleSeen | None:
        """One of its modules."""
        return next((each for each in self.modules if each.name == name), None)


def with_links(node: NodeSeen, links: Sequence[Link], seconds: float) -> NodeSeen:
    """A node after its links were read again, `seconds` after the last time."""
    rates = {
        link.peer_id: _rate(node.links[link.peer_id], link, seconds)
        for link in links
        if link.peer_id in node.links
    }
    return replace(node, links={link.peer_id: link for link in links}, rates=rates)


def _rate(before: Link, now: Link, seconds: float) -> Rate:
    if seconds <= 0 or before.since_ms != now.since_ms:
        return Rate()  # the counters were reset
    messages = now.received_messages + now.sent_messages
    messages -= before.received_messages + before.sent_messages
    amount = now.received_bytes + now.sent_bytes - before.received_bytes - before.sent_bytes
    return Rate(max(messages, 0) / seconds, max(amount, 0) / seconds)


def with_memory(node: NodeSeen, usage: Mapping[str, int]) -> NodeSeen:
    """A node after the memory of its processes was read. `usage`: bytes by module or `kernel`."""
    modules = tuple(replace(each, memory_bytes=usage.get(each.name)) for each in node.modules)
    memory = (*node.memory, sum(usage.values()))[-MEMORY_POINTS:]
    return replace(node, modules=modules, memory=memory if usage else node.memory)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two nodes of the testnet, in its order, and what is between them."""

    first: int
    second: int
    is_linked: bool
    rate: Rate = Rate()


def pairs(nodes: Sequence[NodeSeen]) -> list[Pair]:
    """What is between every two nodes."""
    found = []
    for first, one in enumerate(nodes):
        for second in range(first + 1, len(nodes)):
            two = nodes[second]
            there = _between(one, two) or _between(two, one)
            found.append(Pair(first, second, there is not None, there or Rate()))
    return found


def _between(one: NodeSeen, two: NodeSeen) -> Rate | None:
    if not one.answers or not two.peer_id or two.peer_id not in one.links:
        return None
    return one.rates.get(two.peer_id, Rate())
