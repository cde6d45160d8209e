"""How a channel brings 5 MiB through 12 % loss: whether it arrives, after how long, for how much.

The product's machines on virtual time: what is lost is drawn from a seed, of segments and of
acknowledgements alike, each message on its way for 20 to 400 ms, so that seconds and bytes do not
depend on the machine. The yardstick is the payload itself: what has to be sent at least.
"""

import sys
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from benchmarks.report import Figure, arguments, publish, say

from logos_base.machine import Answer, Refuse
from logos_delivery.core.channels.channel import Channel
from logos_delivery.core.channels.channel_types import (
    Commit,
    Delivered,
    Dispatch,
    Effect,
    Received,
    channel_config,
)
from logos_simulation.links import Links, Weather
from logos_simulation.node import Node, Run
from logos_simulation.world import World

BEGIN_MS: Final = 1_800_000_000_000
DISPATCH_MS: Final = 30
DURATION_MS: Final = 300_000
STEP_MS: Final = 100
MIB: Final = 1 << 20


class Participant:
    """A node with one channel, which keeps its records and loses none of them."""

    def __init__(self, world: World, links: Links, name: str, parity: float) -> None:
        self.other: Participant | None = None
        self.sent_bytes = 0
        self.messages = 0
        self.received: list[bytes] = []
        self.delivered = False
        self._links = links
        self._config = channel_config("channel", name, parity_rate=parity)
        self.node = Node(world, name, self._boot)
        self.node.start()

    def _boot(self, node: Node) -> None:
        self.channel = Channel(self._config, {}, BEGIN_MS + node.now_ms)
        self.run: Run[Effect] = Run(
            node, self.channel, self._perform, lambda: BEGIN_MS + node.now_ms
        )
        self.run.put(self.channel.start)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Commit(events=events):
                self.received += [one.payload for one in events if isinstance(one, Received)]
                self.delivered |= any(isinstance(one, Delivered) for one in events)
            case Dispatch():
                self._carry(effect)
            case _:
                pass

    def _carry(self, what: Dispatch) -> None:
        self.sent_bytes += len(what.content)
        self.messages += 1
        name = f"{self.node.name} {self.messages}".encode()
        other = self.other
        if other is not None:
            put, received = other.run.put, other.channel.received
            self._links.send(self.node, other.node, lambda: put(received, what.content, name))
        self.node.after(
            DISPATCH_MS, lambda: self.run.report(self.channel.dispatched, what.key, name)
        )

    def send(self, payload: bytes) -> None:
        """Sends a payload."""
        self.run.ask(_ignored, self.channel.send, "payload", payload)


def _ignored(_answer: Answer | Refuse) -> None:
    pass


@dataclass(slots=True)
class Outcome:
    """What became of payloads, one for each seed."""

    arrived: int = 0
    acknowledged: int = 0
    seconds: list[float] = field(default_factory=list)
    bytes_each: list[int] = field(default_factory=list)
    answers_bytes: list[int] = field(default_factory=list)


def one_run(seed: int, payload: bytes, loss_percent: float, parity: float, into: Outcome) -> None:
    """Sends a payload from one participant to another."""
    world = World(seed)
    links = Links(world, Weather(min_delay_ms=20, max_delay_ms=400, loss_percent=loss_percent))
    alice, bob = (Participant(world, links, name, parity) for name in ("alice", "bob"))
    alice.other, bob.other = bob, alice
    alice.send(payload)
    arrived_ms = None
    for now_ms in range(STEP_MS, DURATION_MS, STEP_MS):
        world.run(now_ms)
        if arrived_ms is None and bob.received:
            arrived_ms = now_ms
        if arrived_ms is not None and alice.delivered:
            break
    into.arrived += bob.received == [payload]
    into.acknowledged += alice.delivered
    if arrived_ms is not None:
        into.seconds.append(arrived_ms / 1000)
    into.bytes_each.append(alice.sent_bytes)
    into.answers_bytes.append(bob.sent_bytes)


def channel_figures(mib: int, loss_percent: float, seeds: int) -> list[Figure]:
    """Both with parity and without."""
    payload = bytes(range(256)) * (mib * MIB // 256)
    figures: list[Figure] = []
    for parity in (0.0, 0.125):
        outcome = Outcome()
        say(f"{mib} MiB through {loss_percent:g} % loss, parity {parity:g}")
        for seed in range(seeds):
            one_run(seed, payload, loss_percent, parity, outcome)
        of = f"{mib} MiB, {loss_percent:g} % lost, parity {parity:g}"
        sent = median(outcome.bytes_each)
        figures += [
            Figure(f"{of}: arrived", outcome.arrived, f"of {seeds}", at_least=seeds),
            Figure(f"{of}: acknowledged", outcome.acknowledged, f"of {seeds}", at_least=seeds),
            Figure(f"{of}: after", median(outcome.seconds or [0.0]), "s, virtual"),
            Figure(
                f"{of}: sent", sent / MIB, "MiB", ratio=sent / len(payload), yardstick="the payload"
            ),
            Figure(f"{of}: answers", median(outcome.answers_bytes) / 1024, "KiB"),
        ]
    return figures


def main() -> int:
    """Measures, and prints the figures."""
    parser = arguments(__doc__)
    parser.add_argument("--mib", type=int, default=5)
    parser.add_argument("--loss", type=float, default=12.0, help="percent")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    return publish(channel_figures(options.mib, options.loss, options.seeds), as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
