"""What the events of a node mean, as sentences on the timeline. Pure."""

import json
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import DecodeError

from logos.kernel.v1 import events_pb2, module_pb2
from logos.network.v1.events_pb2 import IsolationEvent
from logos_app.nodes.reading import milliseconds
from logos_app.shown import formats, words

TRANSITIONS: Final = "kernel/transition"
ISOLATION: Final = "mixnet/isolation"
MARK: Final = "event-mark"
"""Metadata of calls that modules give back in the events that follow: here the session."""
ACTS: Final = "operator/act"
"""What people did on this app; published by it, so that every session and every app sees it."""

_ENDED: Final = {
    module_pb2.MODULE_STATE_BACKOFF,
    module_pb2.MODULE_STATE_FAILED,
    module_pb2.MODULE_STATE_STOPPED,
}
_QUIET: Final = {module_pb2.MODULE_STATE_REGISTERED, module_pb2.MODULE_STATE_DRAINING}


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the timeline."""

    node: str
    position: int
    at_ms: int
    kind: str
    """`life`, `faults` or `transfers`."""
    mark: str
    """What stands on the node's lifeline: `dot`, `open`, `warn`, `cross` or `break`."""
    text: str
    """With `{Who}` and `{who}` where it says who did it."""
    module: str = ""
    session: str = ""
    """The session of the app that did it."""
    cid: str = ""
    verb: str = ""

    @property
    def key(self) -> str:
        """Its name in pages and addresses."""
        return f"{self.node}-{self.position}"

    def told(self, session: str) -> str:
        """The sentence for a reader of this session."""
        if not self.session:
            return self.text
        who = "you" if self.session == session else "another session"
        return self.text.replace("{who}", who).replace("{Who}", words.capital(who))


def tell(node: str, event: events_pb2.Event) -> Happening | None:
    """The line for an event; None for one that says nothing to people."""
    if event.topic == TRANSITIONS:
        return _transition(node, event)
    if event.topic == ACTS:
        return _act(node, event)
    if event.topic == ISOLATION:
        return _isolation(node, event)
    return None


def _isolation(node: str, event: events_pb2.Event) -> Happening | None:
    try:
        said = IsolationEvent.FromString(event.payload)
    except DecodeError:
        return None
    verb, done, mark = (
        ("isolate", "isolated", "break") if said.isolated else ("heal", "healed", "dot")
    )
    text = f"{{Who}} {done} {node}." if said.mark else f"{words.capital(node)} was {done}."
    at_ms, session = milliseconds(event.published_at), plain(said.mark)
    return Happening(node, event.position, at_ms, "faults", mark, text, session=session, verb=verb)


def _transition(node: str, event: events_pb2.Event) -> Happening | None:
    try:
        change = module_pb2.Transition.FromString(event.payload)
    except DecodeError:
        return None
    told = _told_transition(node, change)
    if told is None:
        return None
    kind, mark, text = told
    return Happening(
        node, event.position, milliseconds(change.at), kind, mark, text, module=change.module
    )


def _told_transition(node: str, change: module_pb2.Transition) -> tuple[str, str, str] | None:
    subject = f"{words.capital(formats.shown(change.module))} on {node}"
    # After it may come a line of its log, which is JSON.
    detail = formats.shown(change.detail.partition(": {")[0]).rstrip(".")
    why = f": {detail}" if detail else ""
    if (change.new in _ENDED and change.old in _ENDED) or change.new in _QUIET:
        return None
    waits = detail if detail.startswith("waits for ") else f"waits for what it requires{why}"
    again = " again" if change.reason == module_pb2.TRANSITION_REASON_RETRY_DUE else ""
    told = {
        module_pb2.MODULE_STATE_READY: ("life", "dot", "is ready"),
        module_pb2.MODULE_STATE_STARTING: ("life", "warn" if again else "open", f"starts{again}"),
        module_pb2.MODULE_STATE_STOPPED: ("life", "cross", f"stopped{why}"),
        module_pb2.MODULE_STATE_BACKOFF: ("faults", "cross", _ended(change, detail, why)),
        module_pb2.MODULE_STATE_FAILED: ("faults", "cross", f"failed{why}"),
        module_pb2.MODULE_STATE_BLOCKED: ("faults", "warn", waits),
    }.get(change.new)
    return None if told is None else (told[0], told[1], f"{subject} {told[2]}.")


def _ended(change: module_pb2.Transition, detail: str, why: str) -> str:
    """How it ended; kernels say it as `ended by signal 9`, or otherwise why."""
    if change.reason == module_pb2.TRANSITION_REASON_KILLED:
        return "was killed on request"
    return detail if detail.startswith(("ended ", "exited ")) else f"ended{why}"


_VERBS: Final = {
    "restart": ("faults", "warn", "{{Who}} restarted {module} on {node}."),
    "kill": ("faults", "cross", "{{Who}} killed {module} on {node}."),
    "stop": ("faults", "cross", "{{Who}} stopped {module} on {node}."),
    "start": ("life", "dot", "{{Who}} started {module} on {node}."),
    "ping": (
        "transfers",
        "dot",
        "{{Who}} sent a request through the mix from {node}, and the answer came back.",
    ),
    "message": ("transfers", "dot", "{{Who}} sent a message from {node}."),
    "profile": ("life", "dot", "{{Who}} changed what the mix of {node} spends."),
}


def _act(node: str, event: events_pb2.Event) -> Happening | None:
    """An act. Operators publish on this topic what they like: nothing of it is believed."""
    try:
        said: Any = json.loads(event.payload)
    except ValueError:
        return None
    verb = said.get("verb") if isinstance(said, dict) else None
    if not isinstance(verb, str) or verb not in _VERBS:
        return None
    kind, mark, pattern = _VERBS[verb]
    text = pattern.format(
        node=node,
        module=plain(said.get("module")),
    )
    return Happening(
        node,
        event.position,
        milliseconds(event.published_at),
        kind,
        mark,
        text,
        module=plain(said.get("module")),
        session=plain(said.get("session")) or "unknown",
        cid=plain(said.get("cid")),
        verb=verb,
    )


def plain(value: object) -> str:
    """Text that is shown, without what would be filled in."""
    if not isinstance(value, str):
        return ""
    return formats.shown(value).replace("{", "(").replace("}", ")")


@dataclass(frozen=True, slots=True)
class Quiet:
    """A stretch of the timeline in which nothing happened."""

    text: str


QUIET_MS: Final = 600_000


def rows(happenings: list[Happening]) -> list[Happening | Quiet]:
    """The rows of the timeline, newest first, with a line for each stretch of ten quiet minutes."""
    found: list[Happening | Quiet] = []
    for position, each in enumerate(happenings):
        if position and happenings[position - 1].at_ms - each.at_ms >= QUIET_MS:
            gap = happenings[position - 1].at_ms - each.at_ms
            found.append(Quiet(f"{words.capital(formats.about(gap))} in which nothing happened."))
        found.append(each)
    return found
