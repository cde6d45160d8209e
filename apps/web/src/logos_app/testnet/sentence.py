"""The sentence and the figures of the testnet's page. Pure: the same state, the same words."""

from collections.abc import Sequence
from dataclasses import dataclass

from logos_app.nodes.model import NodeSeen, Reach, pairs
from logos_app.shown import formats, words


@dataclass(frozen=True, slots=True)
class Word:
    """A part of a sentence; a link if `href` is not empty."""

    text: str
    href: str = ""


def sentence(nodes: Sequence[NodeSeen]) -> list[Word]:
    """How the testnet is."""
    answering = [node for node in nodes if node.answers]
    if not nodes:
        return [Word("This testnet has no nodes.")]
    if all(node.reach is Reach.WAITING for node in nodes):
        return [Word(f"Asking {words.counted(len(nodes), 'node')} how they are.")]
    if not answering:
        return [Word("No node answers. ./logos up starts them.")]
    joined = [node for node in answering if not node.is_isolated]
    total, count = words.spelled(len(nodes)), words.capital(words.spelled(len(joined)))
    if len(joined) == len(nodes):
        every = {1: "The node answers", 2: "Both nodes are joined"}.get(
            len(nodes), f"All {total} nodes are joined"
        )
        parts = [Word(f"{every}.")]
    else:
        verb = "is" if len(joined) == 1 else "are"
        parts = [Word(f"{count} of {total} nodes {verb} joined.")]
    return parts + _troubles(nodes)


def _troubles(nodes: Sequence[NodeSeen]) -> list[Word]:
    """What is not as it should be; at most three clauses, then how many more."""
    clauses: list[list[Word]] = []
    for node in nodes:
        link = Word(node.name, f"/nodes/{node.name}")
        if node.reach is Reach.AWAY:
            clauses.append([link, Word(" does not answer")])
        elif node.reach is Reach.REFUSES:
            clauses.append([link, Word(" refuses the token of this app")])
        elif node.reach is Reach.WAITING:
            clauses.append([link, Word(" has not answered yet")])
        elif node.is_isolated:
            clauses.append([link, Word(" is isolated")])
        if node.answers:
            clauses += [
                [Word(f"{module.name} on "), link, Word(text)]
                for module in node.modules
                if (text := _trouble(module.state, module.restarts, is_wanted=module.is_wanted))
            ]
    found: list[Word] = []
    for position, clause in enumerate(clauses[:3]):
        found += [Word("; " if position else " "), *clause]
    if len(clauses) > 3:
        found.append(Word(f"; {words.counted(len(clauses) - 3, 'more thing')} to see below"))
    return [*found, Word(".")] if clauses else []


def _trouble(state: str, restarts: int, *, is_wanted: bool) -> str:
    if not is_wanted:
        return " was stopped"
    match state:
        case "failed":
            return " has failed"
        case "restarting":
            return f" is starting for the {words.ordinal(restarts + 1)} time"
        case "starting" | "blocked" | "stopping":
            return f" is {state}"
        case "unknown" | "stopped":
            return f" is {state}"
    return ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with what it counts."""

    value: str
    of: str


def figures(nodes: Sequence[NodeSeen]) -> list[Figure]:
    """What is counted of the whole testnet."""
    between = pairs(nodes)
    linked = [pair for pair in between if pair.is_linked]
    messages = sum(pair.rate.messages for pair in linked)
    flow, unit = formats.size(sum(pair.rate.bytes for pair in linked)).split(" ")
    memory = [node.memory[-1] for node in nodes if node.memory and node.answers]
    held, memory_unit = formats.size(sum(memory) if memory else None).partition(" ")[::2]
    return [
        Figure(str(len(linked)), f"of {words_of(len(between), 'link')}"),
        Figure(formats.number(round(messages)), "messages/s"),
        Figure(flow, f"{unit}/s between nodes"),
        Figure(held, f"{memory_unit} of memory".strip()),
    ]


def words_of(count: int, one: str) -> str:
    """`10 links`, in figures."""
    return f"{count:,} {one}{'' if count == 1 else 's'}"
