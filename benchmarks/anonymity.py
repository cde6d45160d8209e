"""How much anonymity the mix gives, measured beside the theory.

Observers of all links (docs/anonymity.md) look for messages in captures of three kinds: of the
product's machines on virtual time, of the model of their law, for many nodes, and of a live
testnet's taps. Each row is a profile, a number of mixes and an observer: packets waiting in a mix
beside the profile's promise, entropy beside what the product states, the best guess as it is
believed and as often as it is right. Bars are those of issue 12, acceptance 3.

    python -m benchmarks.anonymity                      demo, laptop, strong, lip; 5 and 20 mixes
    python -m benchmarks.anonymity --growth             100 and 200 mixes, by the law
    python -m benchmarks.anonymity --attacks --plots DIR
    python -m benchmarks.anonymity --live taps.jsonl... --truth sent.jsonl --profile laptop
"""

import json
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from benchmarks.report import arguments, say

from logos_anonymity.captures import joined, read_sightings, sizes
from logos_anonymity.live import messages, read_deliveries, waiting_by_rate
from logos_anonymity.model import Model, Run, Wish
from logos_anonymity.posterior import Observer, Staged, Unstaged, law_as_seen
from logos_anonymity.trials import MARGIN, Report, targets, waiting, watch
from logos_mixnet.core.mixing.anonymity import statement
from logos_mixnet.core.mixing.cover import PROFILES, Profile
from logos_simulation.chance import Chance

ROOT: Final = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "simulation"))
from benchmarks.anonymity_attacks import attacks  # noqa: E402 - with what the line above finds

from mix_nodes import MixNetwork, law_of  # noqa: E402 - found by the line above

BY_MACHINES: Final = 20
"""Nodes up to which the product's machines run; more by their law."""
LINKS: Final = "links"
BARS: Final = {("strong", 20): (7.0, 6.0, 0.08), ("laptop", 5): (0.0, 4.0, 0.2)}
"""k and entropy at least, best guess at most, for an observer of links."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one observer found."""

    profile: str
    mixes: int
    capture: str
    observer: str
    report: Report
    waiting: float
    promised: float
    stated_bits: float

    @property
    def met(self) -> bool | None:
        """Whether it meets its bars; None if it has none."""
        bars = BARS.get((self.profile, self.mixes))
        if bars is None or not self.observer.startswith(LINKS):
            return None
        least, bits, most = bars
        report = self.report
        return (
            round(self.waiting, 1) >= least
            and report.entropy_bits.value >= bits
            and report.believed.value <= most
            and report.is_calibrated
        )


def captured(profile: Profile, mixes: int, count: int, seed: int) -> tuple[str, Run]:
    """Captures `count` messages between nodes of chance, one in twenty packets or fewer."""
    chance = Chance((profile.name, mixes, seed))
    every_ms = round(max(20 * profile.mean_pause_ms / mixes, 100))
    begin_ms = round((MARGIN + 1) * profile.mean_delay_ms)
    until_ms = begin_ms + count * every_ms
    names = [f"n{number}" for number in range(mixes)]
    wishes = []
    for at_ms in range(begin_ms, until_ms, every_ms):
        sender = chance.pick(names)
        receiver = chance.pick([name for name in names if name != sender])
        wishes.append(Wish(at_ms, sender, receiver))
    until_ms += begin_ms
    if mixes > BY_MACHINES:
        return "law", Model(law_of(profile), mixes, chance).run(until_ms, wishes)
    network = MixNetwork(seed, profile, mixes)
    for wish in wishes:
        network.message(round(wish.given_ms), wish.sender, wish.receiver)
    network.run(until_ms)
    return "machines", network.truth()


def observed(profile: Profile, mixes: int, count: int, seed: int) -> Iterator[Row]:
    """Has all observers look at one capture."""
    say(f"{profile.name}, {mixes} mixes")
    kind, run = captured(profile, mixes, count, seed)
    law = law_as_seen(run.law, run.crossings)
    wanted = targets(run)
    unstaged: Observer = Unstaged(run.crossings, law)
    staged: Observer = Staged(run.crossings, run.hops, law)
    stated = statement(profile, mixes, None).entropy_bits
    for name, observer, sees_first in (
        (f"{LINKS}, first hop", unstaged, True),
        (f"{LINKS}, when sent", unstaged, False),
        ("hops, first hop", staged, True),
        ("hops, when sent", staged, False),
    ):
        report = watch(observer, wanted, sees_first=sees_first)
        yield Row(
            profile.name, mixes, kind, name, report, waiting(run), profile.expected_waiting, stated
        )


def live(options: Namespace) -> Iterator[Row]:
    """Evaluates what taps have written."""
    profile = PROFILES[options.profile]
    sightings = [each for path in options.live for each in read_sightings(_lines(path))]
    crossings = joined(sightings)
    if not crossings:
        raise SystemExit("the capture holds no packet that was sent and arrived")
    say(f"{len(crossings)} packets, sizes {sorted(sizes(sightings))}")
    began_ns = min(one.time_ns for one in sightings)
    wanted = messages(crossings, read_deliveries(_lines(options.truth)), began_ns)
    margin_ms = MARGIN * profile.mean_delay_ms / 2
    until_ms = crossings[-1].sent_ms - margin_ms
    wanted = [one for one in wanted if margin_ms <= one.given_ms <= until_ms]
    if len(wanted) < 2:
        raise SystemExit("fewer than two messages lie far enough from the capture's ends")
    law = law_of(profile)
    mixes = len({one.sender for one in crossings})
    observer = Unstaged(crossings, law_as_seen(law, crossings))
    yield Row(
        profile.name,
        mixes,
        "live",
        f"{LINKS}, when sent",
        watch(observer, wanted, sees_first=False),
        waiting_by_rate(crossings, law),
        profile.expected_waiting,
        statement(profile, mixes, None).entropy_bits,
    )


def _lines(path: Path) -> Iterable[str]:
    return path.read_text(encoding="utf-8").splitlines()


def table(rows: Sequence[Row]) -> str:
    """Rows for people."""
    head = "profile mixes capture observer targets k promised bits stated set best right bar"
    lines = [head.split()]
    for row in rows:
        report = row.report
        calibrated = "" if report.is_calibrated else " (not calibrated)"
        lines.append(
            [
                row.profile,
                str(row.mixes),
                row.capture,
                row.observer,
                str(report.targets),
                f"{row.waiting:.2f}",
                f"{row.promised:.2f}",
                str(report.entropy_bits),
                f"{row.stated_bits:.2f}",
                f"{report.effective_set:.1f}",
                str(report.believed),
                str(report.success) + calibrated,
                {True: "met", False: "MISSED", None: ""}[row.met],
            ]
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def main() -> int:
    """Measures and prints."""
    parser = arguments(__doc__)
    parser.add_argument("--targets", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mixes", type=int, nargs="+", default=[5, 20])
    parser.add_argument("--profiles", nargs="+", choices=list(PROFILES), default=list(PROFILES))
    parser.add_argument("--growth", action="store_true", help="100 and 200 mixes")
    parser.add_argument("--attacks", action="store_true", help="M3 to M6 and M8, with intervals")
    parser.add_argument("--plots", type=Path, help="a folder for charts of the attacks")
    parser.add_argument("--live", type=Path, nargs="+", help="files of taps")
    parser.add_argument("--truth", type=Path, help="what was sent and delivered while they wrote")
    parser.add_argument("--profile", choices=list(PROFILES), default="laptop", help="of --live")
    options = parser.parse_args()
    if options.attacks:
        return attacks(options.seed, options.plots)
    if options.live:
        if options.truth is None:
            parser.error("--live needs --truth")
        rows = list(live(options))
    else:
        mixes = [100, 200] if options.growth else options.mixes
        rows = [
            row
            for name in options.profiles
            for number in mixes
            for row in observed(PROFILES[name], number, options.targets, options.seed)
        ]
    if options.json:
        print(json.dumps([asdict(row) | {"met": row.met} for row in rows], indent=2))
    else:
        print(table(rows))
    return 1 if any(row.met is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
