"""What attacks find in `strong` with twenty mixes, with intervals and charts."""

import sys
from pathlib import Path
from typing import Final

from benchmarks.report import say

from logos_anonymity.flows import Roc
from logos_anonymity.measures import Estimate
from logos_anonymity.plots import Axis, Line, chart

ROOT: Final = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "simulation"))
from mix_experiments import (  # noqa: E402 - found by the line above
    activity,
    advantage_of,
    first_at_top,
    flows,
    rounds,
    swaps,
)

SHARES: Final = 0.0, 0.1, 0.2, 0.33
EVERY_MS: Final = 10_000, 3_000, 1_000
RUNS: Final = 5
"""Of the experiment with patience."""


def attacks(seed: int, plots: Path | None) -> int:
    """Runs all of them, prints what they find, and draws it if there is a folder for that."""
    say("M4: flows")
    matched = {name: flows(seed, has_cover=cover) for name, cover in _COVERS}
    for name, roc in matched.items():
        _print(f"M4 flows matched at 1 % false alarms, {name}", roc.hits_at_1_percent)
        _print(f"M4 area under the ROC curve, {name}", roc.area)
    say("M5: who wrote to whom")
    pairs = swaps(seed, 1_000)
    for share in SHARES:
        _print(f"M5 advantage, {share:.0%} of the mixes corrupted", advantage_of(pairs, share))
    say("M6: patience")
    ranks = {
        name: [rounds(seed + number, has_cover=cover) for number in range(RUNS)]
        for name, cover in _COVERS
    }
    for name, runs in ranks.items():
        found = sorted(first_at_top(each) for each in runs)
        print(f"M6 message from which on the sender is the first suspect, {name}: {found}")
    say("M8: who sends at all")
    for every_ms in EVERY_MS:
        for score, area in activity(seed, every_ms).items():
            _print(f"M8 area, a message every {every_ms / 1000:g} s, {score}", area)
    if plots is not None:
        _draw(plots, matched, ranks)
    return 0


_COVERS: Final = (("with cover", True), ("without cover", False))


def _print(what: str, found: Estimate) -> None:
    print(f"{what}: {found}")


def _draw(folder: Path, matched: dict[str, Roc], ranks: dict[str, list[list[int]]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    curves = [Line(name, roc.curve()) for name, roc in matched.items()]
    drawn = chart(
        "Flows of a minute, matched",
        Axis("false alarms", 0, 1),
        Axis("hits", 0, 1),
        [*curves, Line("chance", [(0, 0), (1, 1)])],
    )
    (folder / "anonymity-flows.svg").write_text(drawn, encoding="utf-8")
    lines = [
        Line(name, [(at + 1, sum(each[at] for each in runs) / RUNS) for at in range(50)])
        for name, runs in ranks.items()
    ]
    drawn = chart(
        "A sender's place among 19 suspects",
        Axis("messages to one recipient", 0, 50),
        Axis("place, mean of five runs", 1, 19),
        lines,
    )
    (folder / "anonymity-patience.svg").write_text(drawn, encoding="utf-8")
