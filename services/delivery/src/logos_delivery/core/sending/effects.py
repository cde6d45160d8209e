"""How a node sends, and what the machine of `sending` asks for.

Spec: docs/protocol/delivery-sending.md, DSN-1, DSN-4 to DSN-6.
"""

from dataclasses import dataclass

from logos_base.machine import Answer, Refuse
from logos_delivery.core.message import MAX_MESSAGE_BYTES
from logos_delivery.core.sending.outcomes import Route
from logos_delivery.core.sending.request import Event, Request


@dataclass(frozen=True, slots=True)
class SendRules:
    """How this node sends."""

    routes: tuple[Route, ...] = (Route.RELAY, Route.LIGHTPUSH)
    """In this order; not for what goes through the mix-net."""
    is_confirmed: bool = True
    """Whether store nodes are asked for what was propagated: reliability is on."""
    max_message_bytes: int = MAX_MESSAGE_BYTES
    identifier: bytes | None = None
    """Of the network's rate limits, 32 bytes; None: messages carry no proof."""
    period_ms: int = 600_000
    """Of an epoch of proofs."""
    max_pending: int = 1_024
    max_pending_bytes: int = 64 * 1024 * 1024
    max_under_way: int = 64
    """Proofs and attempts at a time."""


@dataclass(frozen=True, slots=True)
class Save:
    """Store a request and its event, in one transaction; report `saved` or `unsaved`.

    They must be durable when that is reported.
    """

    request: Request
    event: Event | None


@dataclass(frozen=True, slots=True)
class Prove:
    """Ask the mixnet for a proof (`GenerateProof`); report with `proven`, `unproven` or `spent`."""

    request_id: str
    identifier: bytes
    signal: bytes


@dataclass(frozen=True, slots=True)
class Push:
    """Give a message to other nodes; report with `taken`, `known` or `untaken`."""

    request_id: str
    route: Route
    pubsub_topic: str
    raw: bytes
    """The encoded message."""


@dataclass(frozen=True, slots=True)
class AskStore:
    """Ask one store node which of these it has; report with `stored` or `unasked`."""

    hashes: tuple[bytes, ...]
    """At most 100, of 32 bytes."""


@dataclass(frozen=True, slots=True)
class AskByMix:
    """Ask a store node through the mix-net whether it has a message; report with `asked`."""

    request_id: str
    message_hash: bytes
    """32 bytes."""


Effect = Save | Prove | Push | AskStore | AskByMix | Answer | Refuse
