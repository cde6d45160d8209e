"""What observers of links find in a live capture, beside the law of its profile.

The law's row is of as many nodes, with loops for as long, and messages given at the same moments.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.anonymity_rows import LINKS, Row, Seen
from benchmarks.report import percentile, say

from logos_anonymity.captures import SENT, Crossing, Sighting, joined, read_sightings, sizes
from logos_anonymity.live import (
    Delivery,
    holds_ms,
    law_as_held,
    messages,
    read_deliveries,
    waiting_by_rate,
)
from logos_anonymity.measures import mean
from logos_anonymity.model import Law, Message, Model, Wish
from logos_anonymity.posterior import Unstaged, law_as_seen
from logos_anonymity.trials import MARGIN, waiting
from logos_mixnet.core.mixing.cover import Profile
from logos_simulation.chance import Chance


def evaluated(
    profile: Profile, law: Law, taps: Sequence[Path], truth: Path, seed: int
) -> Iterator[Row]:
    """Yields what observers find in what taps have written, and what they find by the law."""
    sightings = [each for path in taps for each in read_sightings(_lines(path))]
    crossings = joined(sightings)
    if not crossings:
        raise SystemExit("the capture holds no packet that was sent and arrived")
    deliveries = read_deliveries(_lines(truth))
    began_ns = min(one.time_ns for one in sightings)
    found = messages(crossings, deliveries, began_ns)
    _say_what_there_is(sightings, crossings, deliveries, found, began_ns)
    margin_ms = MARGIN * profile.mean_delay_ms / 2
    until_ms = crossings[-1].sent_ms - margin_ms
    wanted = [one for one in found if margin_ms <= one.given_ms <= until_ms]
    if len(wanted) < 2:
        raise SystemExit("fewer than two messages lie far enough from the capture's ends")
    names = sorted({one.sender for one in crossings})
    seen = Seen(profile, len(names), "live", wanted, waiting_by_rate(crossings, law))
    holds = holds_ms(crossings, law, found)
    as_held = law_as_held(law, holds)
    if len(holds) > 1:
        say(f"a hop held messages for {mean(holds)} ms, by the profile {law.mean_delay_ms:.0f} ms")
    if as_held != law:
        say("observers take delays to be as long as that: the machine adds to those of the profile")
    yield from seen.rows(LINKS, Unstaged(crossings, law_as_seen(as_held, crossings)))
    yield from _by_law(seen, law, names, crossings[-1].sent_ms, seed)


def _by_law(live: Seen, law: Law, names: Sequence[str], for_ms: float, seed: int) -> Iterator[Row]:
    model = Model(law, len(names), Chance((live.profile.name, len(names), seed)))
    name = dict(zip(names, model.names, strict=True))
    wishes = [Wish(one.given_ms, name[one.sender], name[one.receiver]) for one in live.wanted]
    run = model.run(for_ms, wishes)
    seen = replace(live, kind="law", wanted=run.messages, waiting=waiting(run, MARGIN / 2))
    yield from seen.rows(LINKS, Unstaged(run.crossings, law_as_seen(law, run.crossings)))


def _say_what_there_is(
    sightings: Sequence[Sighting],
    crossings: Sequence[Crossing],
    deliveries: Sequence[Delivery],
    found: Sequence[Message],
    began_ns: int,
) -> None:
    sent = sum(one.seen == SENT for one in sightings)
    for_s = (max(one.time_ns for one in sightings) - began_ns) / 1e9
    found_sizes = sorted(sizes(sightings))
    say(f"{sent} packets in {for_s:.0f} s, {len(crossings)} arrived; sizes {found_sizes}")
    crossed = [one.arrived_ms - one.sent_ms for one in crossings]
    say(f"on the links for {_spread(crossed)}")
    say(f"{len(deliveries)} messages, {len(found)} of them told from other packets")
    by_time = {(one.given_ns - began_ns) / 1e6: one for one in deliveries}
    pairs = [(one, by_time[one.given_ms]) for one in found]
    came = [(d.delivered_ns - began_ns) / 1e6 - crossings[m.last].arrived_ms for m, d in pairs]
    say(f"from arrival to delivery {_spread(came)}")
    left = [
        (d.left_ns - began_ns) / 1e6 - crossings[m.first].sent_ms
        for m, d in pairs
        if d.left_ns is not None
    ]
    say(f"from leaving to being told {_spread(left)}")


def _spread(values_ms: Sequence[float]) -> str:
    middle, late, most = (percentile(values_ms, at) for at in (50, 95, 100))
    return f"{middle:.1f} ms, 95 % of them up to {late:.1f} ms, at most {most:.1f} ms"


def _lines(path: Path) -> Iterable[str]:
    return path.read_text(encoding="utf-8").splitlines()
