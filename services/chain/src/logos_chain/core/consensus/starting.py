"""The way of a node into the network: a machine (`logos_base.machine`).

Which rule of fork choice it starts with, the first download, the prolonged bootstrap, and from then
on the note on disk from which the next start sees how long the node was away.

The time of its inputs is the wall clock, in Unix milliseconds.

Spec: docs/protocol/chain-consensus.md, CON-27 to CON-29. Source: LIP-96.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from logos_chain.core.consensus.fork_choice import Rule

NOTE_MS: Final = 60_000
"""How often a node that is online notes the time."""


class Phase(StrEnum):
    """How far a node has come."""

    STOPPED = "STOPPED"
    """Not begun, or failed."""
    DOWNLOADING = "DOWNLOADING"
    """The first download (IBD)."""
    PROLONGED = "PROLONGED"
    """It follows new blocks under the bootstrap rule."""
    LISTENING = "LISTENING"
    """It follows new blocks under the online rule."""


@dataclass(frozen=True, slots=True)
class Past:
    """What a node knows of itself at a start."""

    is_at_start: bool
    """Its latest immutable block is the genesis, or a checkpoint that was just imported."""
    last_online_ms: int | None
    """The last note, Unix time; None: there is none."""
    is_forced: bool = False
    """The operator wants the bootstrap rule."""
    is_anew: bool = False
    """The chain was given up, and the download that follows has not ended (CON-51)."""


@dataclass(frozen=True, slots=True)
class UseRule:
    """Use this rule of fork choice from now on."""

    rule: Rule


@dataclass(frozen=True, slots=True)
class BeginDownload:
    """Download up to the configured peers' tips (CON-28); report `downloaded` or `failed`."""


@dataclass(frozen=True, slots=True)
class NoteOnline:
    """Store durably that the node is online at this Unix time; need not be reported."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class Stop:
    """No peer could be followed: end the node with an error (`IBD_FAILED`)."""

    reason: str = "IBD_FAILED"


Effect = UseRule | BeginDownload | NoteOnline | Stop


def starting_rule(past: Past, offline_grace_ms: int, now_ms: int) -> Rule:
    """Returns the rule that a node starts with (CON-27).

    A note from a time ahead of the clock by more than the grace says nothing: the clock was moved,
    and the safe rule is taken.
    """
    if past.is_at_start or past.is_forced or past.last_online_ms is None:
        return Rule.BOOTSTRAP
    is_recent = abs(now_ms - past.last_online_ms) <= offline_grace_ms
    return Rule.ONLINE if is_recent else Rule.BOOTSTRAP


class Starting:
    """From the start of one process to its end."""

    def __init__(self, *, offline_grace_ms: int, prolonged_bootstrap_ms: int) -> None:
        self._offline_grace_ms = offline_grace_ms
        self._prolonged_ms = prolonged_bootstrap_ms
        self._wake_ms: int | None = None
        self.phase = Phase.STOPPED
        self.rule = Rule.BOOTSTRAP

    @property
    def may_propose(self) -> bool:
        """Whether the node may make blocks (CON-29)."""
        return self.phase is Phase.LISTENING

    @property
    def online_at_ms(self) -> int | None:
        """When the prolonged bootstrap ends; None outside of it."""
        return self._wake_ms if self.phase is Phase.PROLONGED else None

    def begin(self, past: Past, now_ms: int, *, has_peers: bool) -> list[Effect]:
        """The node starts. Without peers for it, there is no first download."""
        self.rule = starting_rule(past, self._offline_grace_ms, now_ms)
        self.phase = Phase.DOWNLOADING
        effects: list[Effect] = [UseRule(self.rule)]
        return [*effects, BeginDownload()] if has_peers else [*effects, *self.downloaded(now_ms)]

    def downloaded(self, now_ms: int) -> list[Effect]:
        """The first download has ended well with at least one peer."""
        if self.phase is not Phase.DOWNLOADING:
            return []
        if self.rule is Rule.BOOTSTRAP:
            self.phase = Phase.PROLONGED
            self._wake_ms = now_ms + self._prolonged_ms
            return self.tick(now_ms)
        return self._listen(now_ms)

    def failed(self, now_ms: int) -> list[Effect]:
        """The first download has failed with every peer."""
        if self.phase is not Phase.DOWNLOADING:
            return []
        self.phase = Phase.STOPPED
        return [Stop()]

    def force_bootstrap(self, now_ms: int) -> list[Effect]:
        """The operator wants the bootstrap rule again, for its whole period.

        What is final stays final: a chain that left before it needs a start from the genesis
        (CON-51).
        """
        if self.phase not in {Phase.PROLONGED, Phase.LISTENING}:
            return []
        self.phase, self.rule = Phase.PROLONGED, Rule.BOOTSTRAP
        self._wake_ms = now_ms + self._prolonged_ms
        return [UseRule(Rule.BOOTSTRAP)]

    def tick(self, now_ms: int) -> list[Effect]:
        """Ends the prolonged bootstrap, or notes the time."""
        if self._wake_ms is None or now_ms < self._wake_ms:
            return []
        if self.phase is Phase.PROLONGED:
            self.rule = Rule.ONLINE
            return [UseRule(Rule.ONLINE), *self._listen(now_ms)]
        return self._note(now_ms)

    def next_wake_ms(self) -> int | None:
        """Returns when `tick` is due."""
        return self._wake_ms

    def _listen(self, now_ms: int) -> list[Effect]:
        self.phase = Phase.LISTENING
        return self._note(now_ms)

    def _note(self, now_ms: int) -> list[Effect]:
        self._wake_ms = now_ms + NOTE_MS
        return [NoteOnline(now_ms)]
