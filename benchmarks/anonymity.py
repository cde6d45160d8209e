"""How much anonymity the mix gives, measured beside the theory.

Observers of all links (docs/anonymity.md) look for messages in captures of three kinds: of the
product's machines on virtual time, of the model of their law, for many nodes, and of a live
testnet's taps. Each row is a profile, a number of mixes and an observer: packets waiting in a mix
beside the profile's promise, entropy beside what the product states, the best guess as it is
believed and as often as it is right. Bars are those of issue 12, acceptance 3.

    python -m benchmarks.anonymity                      demo, laptop, strong, lip; 5 and 20 mixes
    python -m benchmarks.anonymity --growth             100 and 200 mixes, by the law
    python -m benchmarks.anonymity --attacks --plots DIR
    python -m benchmarks.anonymity --testnet --minutes 40 --profile laptop
    python -m benchmarks.anonymity --live taps.jsonl... --truth sent.jsonl --profile laptop
"""

import asyncio
import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.anonymity_live import evaluated
from benchmarks.anonymity_rows import LINKS, Row, Seen, table
from benchmarks.anonymity_testnet import Wanted, capture
from benchmarks.report import arguments, say

from logos_anonymity.model import Model, Run, Wish
from logos_anonymity.posterior import Staged, Unstaged, law_as_seen
from logos_anonymity.trials import MARGIN, targets, waiting
from logos_mixnet.core.mixing.cover import PROFILES, Profile
from logos_simulation.chance import Chance

ROOT: Final = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "simulation"))
from benchmarks.anonymity_attacks import attacks  # noqa: E402 - with what the line above finds

from mix_nodes import MixNetwork, law_of  # noqa: E402 - found by the line above

BY_MACHINES: Final = 20
"""Nodes up to which the product's machines run; more by their law."""


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
    seen = Seen(profile, mixes, kind, targets(run), waiting(run))
    yield from seen.rows(LINKS, Unstaged(run.crossings, law))
    yield from seen.rows("hops", Staged(run.crossings, run.hops, law))


def live(options: Namespace, parser: ArgumentParser) -> list[Row]:
    """Evaluates what taps have written: now, on a testnet, or before."""
    profile = PROFILES[options.profile]
    law = law_of(profile)
    if options.live:
        if options.truth is None:
            parser.error("--live needs --truth")
        return list(evaluated(profile, law, options.live, options.truth, options.seed))
    with TemporaryDirectory(prefix="logos-taps-") as folder:
        kept = options.keep or Path(folder)
        kept.mkdir(parents=True, exist_ok=True)
        wanted = Wanted(profile, options.minutes, options.targets, options.seed)
        taps, truth = asyncio.run(capture(wanted, kept))
        return list(evaluated(profile, law, taps, truth, options.seed))


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
    parser.add_argument("--testnet", action="store_true", help="five processes, started for it")
    parser.add_argument("--minutes", type=float, default=40.0, help="of messages on the testnet")
    parser.add_argument("--keep", type=Path, help="a folder for the testnet's taps and truth")
    parser.add_argument(
        "--profile", choices=list(PROFILES), default="laptop", help="of --live and --testnet"
    )
    options = parser.parse_args()
    if options.attacks:
        return attacks(options.seed, options.plots)
    if options.live or options.testnet:
        rows = live(options, parser)
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
