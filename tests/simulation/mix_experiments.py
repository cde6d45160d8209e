"""Experiments on the law of `strong` with twenty mixes: for tests and for the benchmark.

What each asks is in `docs/anonymity.md`; the numbers are those of the mix's tests, M4 to M8.
"""

import math
from typing import Final

from logos_anonymity.activity import balance, departures, told_apart, traffic
from logos_anonymity.attacks import Intersection, Pair, corrupted, swap_advantage
from logos_anonymity.flows import FLOW_MS, Roc, match_flows
from logos_anonymity.measures import Estimate
from logos_anonymity.model import Model, Run, Weather, Wish
from logos_anonymity.posterior import Staged
from logos_mixnet.core.mixing.cover import STRONG
from logos_simulation.chance import Chance
from mix_nodes import law_of

LAW: Final = law_of(STRONG)
BEGIN_MS: Final = 41_000
"""Mixes are full, and what comes after is far enough from the capture's ends."""


def wishes_of(
    model: Model, chance: Chance, begin_ms: float, every_ms: float, count: int
) -> list[Wish]:
    found = []
    for number in range(count):
        sender = chance.pick(model.names)
        receiver = chance.pick([name for name in model.names if name != sender])
        found.append(Wish(begin_ms + number * every_ms, sender, receiver))
    return found


def flows(seed: int, *, has_cover: bool) -> Roc:
    """Ten pairs that talk for a minute, ten times: a message every five seconds."""
    chance = Chance(seed)
    model = Model(LAW, 20, chance, Weather(has_cover=has_cover))
    pairs = {f"n{number}": f"n{number + 10}" for number in range(10)}
    begins = [BEGIN_MS + number * 70_000.0 for number in range(10)]
    wishes = []
    for begin_ms in begins:
        for sender, receiver in pairs.items():
            at_ms = begin_ms
            while (at_ms := at_ms - 5_000 * math.log1p(-chance.random())) < begin_ms + FLOW_MS:
                wishes.append(Wish(at_ms, sender, receiver))
    run = model.run(begins[-1] + 2 * FLOW_MS, wishes)
    return match_flows(run.crossings, LAW, pairs, begins)


def swaps(seed: int, count: int) -> tuple[Run, list[Pair]]:
    """Pairs of messages at the same time, between nodes that are honest in all experiments."""
    chance = Chance(seed)
    model = Model(LAW, 20, chance)
    honest = model.names[7:]
    wishes = []
    for number in range(count):
        left = list(honest)
        ends = [left.pop(chance.below(len(left))) for _ in range(4)]
        at_ms = BEGIN_MS + number * 600.0
        wishes += [Wish(at_ms, ends[0], ends[1]), Wish(at_ms, ends[2], ends[3])]
    run = model.run(BEGIN_MS + 600 * count + 60_000, wishes)
    there = zip(run.messages[::2], run.messages[1::2], strict=True)
    return run, [Pair(one, other) for one, other in there]


def advantage_of(found: tuple[Run, list[Pair]], share: float) -> Estimate:
    """What an observer gains that knows hop numbers and has a share of the nodes (M5)."""
    run, pairs = found
    bad = [f"n{number}" for number in range(round(20 * share))]
    observer = Staged(run.crossings, run.hops, run.law, corrupted(run, bad))
    return swap_advantage(observer, run, pairs, Chance(9))


def rounds(seed: int, *, has_cover: bool) -> list[int]:
    """The place of the sender among suspects, after each of 50 messages to one recipient."""
    chance = Chance(seed)
    model = Model(LAW, 20, chance, Weather(has_cover=has_cover))
    wishes = [Wish(BEGIN_MS + 15_000 * number, "n0", "n1") for number in range(50)]
    until_ms = BEGIN_MS + 15_000 * 50
    others = [name for name in model.names if name not in {"n0", "n1"}]
    for at_ms in range(0, until_ms, 5_000):
        sender = chance.pick(others)
        receiver = chance.pick([name for name in others if name != sender])
        wishes.append(Wish(at_ms, sender, receiver))
    run = model.run(until_ms + 60_000, wishes)
    suspects, found = Intersection(run.crossings, LAW), []
    for message in run.messages[:50]:
        suspects.saw(run.crossings[message.last].arrived_ms, "n1")
        found.append(suspects.rank("n0"))
    return found


def first_at_top(ranks: list[int]) -> int:
    """From which round on the sender stays the first suspect; 51: from none on."""
    below = [number for number, rank in enumerate(ranks, 1) if rank > 1]
    return below[-1] + 1 if below else 1


EPOCHS = [(BEGIN_MS + at, BEGIN_MS + at + 10_000.0) for at in range(0, 300_000, 10_000)]
LONG = [(BEGIN_MS, BEGIN_MS + 300_000.0)]


def activity(seed: int, every_ms: float) -> dict[str, Estimate]:
    """Ten nodes that send to ten others that do not; how well each score tells them apart."""
    chance = Chance(seed)
    model = Model(LAW, 20, chance)
    active, idle = model.names[:10], model.names[10:]
    wishes = []
    for sender in active:
        at_ms = 0.0
        while (at_ms := at_ms - every_ms * math.log1p(-chance.random())) < BEGIN_MS + 300_000:
            wishes.append(Wish(at_ms, sender, chance.pick(idle)))
    of = traffic(model.run(BEGIN_MS + 320_000, wishes).crossings)
    return {
        name: told_apart(
            [score(of[node], *when) for node in active for when in times],
            [score(of[node], *when) for node in idle for when in times],
        )
        for name, score, times in (
            ("departures", departures, EPOCHS),
            ("balance", balance, EPOCHS),
            ("long balance", balance, LONG),
        )
    }
