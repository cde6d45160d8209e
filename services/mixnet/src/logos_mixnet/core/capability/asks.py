"""Requests to registrars on their way, for the advertiser and the discoverer.

Spec: docs/protocol/discovery.md, DIS-16, DIS-17.
"""

from dataclasses import dataclass

from logos_mixnet.core.capability.wire import Peer


@dataclass(frozen=True, slots=True)
class Ask:
    """Dial a peer and send it a request; report with `answered` or `unanswered`.

    The performer gives up after five seconds: every request has an outcome.
    """

    number: int
    peer: Peer
    message: bytes


@dataclass(frozen=True, slots=True)
class Misbehaved:
    """A registrar's response breaks a rule."""

    peer: Peer
    reason: str
