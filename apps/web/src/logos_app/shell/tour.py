"""The tour: a sentence that completes itself as its clauses come true. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from logos_app.nodes.model import NodeSeen
from logos_app.testnet.telling import Happening


@dataclass(frozen=True, slots=True)
class Step:
    """A clause of the sentence."""

    words: str
    href: str
    is_done: bool = False
    is_next: bool = False
    is_absent: bool = False
    """No node has the module that it needs."""


_STEPS: Final = (
    ("Run a node", "/testnet", ""),
    ("store a file", "/at/{node}/files/", "storage"),
    ("send a message", "/at/{node}/messages/", "delivery"),
    ("transfer tokens", "/at/{node}/wallet/", "chain"),
    ("send something that nobody can trace", "/at/{node}/mix/", "mixnet"),
)


def steps(nodes: Sequence[NodeSeen], happenings: Sequence[Happening]) -> list[Step]:
    """The clauses: what has happened is done, the first that has not is next."""
    there = {module.name for node in nodes for module in node.modules}
    ready = [node.name for node in nodes if node.state == "ready"]
    done = {
        "Run a node": bool(ready),
        "store a file": _stored_and_fetched(happenings),
        "send a message": any(each.verb == "message" for each in happenings),
        "transfer tokens": any(each.verb == "transfer" for each in happenings),
        "send something that nobody can trace": any(each.verb == "ping" for each in happenings),
    }
    found: list[Step] = []
    for words, href, module in _STEPS:
        is_absent = bool(module) and module not in there
        is_done = done.get(words, False)
        is_next = not is_done and not is_absent and not any(step.is_next for step in found)
        place = href.format(node=(ready or [nodes[0].name if nodes else ""])[0])
        found.append(Step(words, place, is_done, is_next, is_absent))
    return found


def _stored_and_fetched(happenings: Sequence[Happening]) -> bool:
    """Whether a file was stored on one node and fetched to another."""
    stored = {(each.cid, each.node) for each in happenings if each.verb == "store"}
    fetched = {(each.cid, each.node) for each in happenings if each.verb == "fetch"}
    return any(
        cid == other and node != place for cid, node in stored for other, place in fetched if cid
    )
