"""What proofs, their verification and trees cost, against bare crates in the same run.

Proofs are timed in Rust, where the yardsticks are: `circuit_rate` (arkworks over the same
constraints and witness) and `rln_rate` (zerokit's crate alone). Trees are timed through
Python, as services use them.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any, Final

from benchmarks.report import Figure, arguments, publish, say
from benchmarks.running import ROOT

from logos_crypto.trees import LedgerTree, RlnTree

NATIVE: Final = ROOT / "native"
RLN_OVERHEAD: Final = 1.05
RLN_BARS_MS: Final = {"cached_prove": 75.0, "verify": 2.0}
CIRCUIT_BARS: Final = {
    "leadership": (900.0, 500.0),
    "quota": (800.0, None),
    "claim": (400.0, None),
    "signature2": (40.0, None),
    "signature32": (350.0, None),
}
"""At most so many milliseconds for a whole proof, and for one with its fixed part cached."""
VERIFY_BAR_MS: Final = 1.6
BATCHED_BAR_MS: Final = 0.6
KEY_BAR_MS: Final = 500.0
LEAVES: Final = 100_000


def example(name: str, *options: str) -> list[dict[str, Any]]:
    """Builds and runs a program of the crate; its lines of JSON."""
    say(f"native/crates/zk/examples/{name}.rs")
    command = f"cargo run --release --locked --quiet --package logos-zk --example {name} --"
    done = subprocess.run(
        [*command.split(), *options], cwd=NATIVE, check=True, stdout=subprocess.PIPE
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def rln(rounds: int) -> list[Figure]:
    """RLN beside zerokit's crate alone."""
    times = example("rln_rate", str(rounds))[0]["median_ms"]
    whole = times["prove"] / times["bare_prove"]
    figures = [
        Figure("RLN bare zerokit, whole", times["bare_prove"], "ms"),
        Figure("RLN whole", times["prove"], "ms"),
        Figure("RLN whole, of bare", whole, "", at_most=RLN_OVERHEAD),
    ]
    for name, bar in RLN_BARS_MS.items():
        share = times[name] / times["bare_prove"]
        what = f"RLN {name.replace('_', ' ')}"
        figures.append(
            Figure(what, times[name], "ms", at_most=bar, ratio=share, yardstick="bare, whole")
        )
    together = times["verify_32_together"] / 32
    share = together / times["bare_verify"]
    figures.append(
        Figure("RLN verify, of 32", together, "ms", ratio=share, yardstick="bare, verify")
    )
    return figures


def circuits(rounds: int) -> list[Figure]:
    """The chain's circuits beside arkworks."""
    figures: list[Figure] = []
    seen: set[str] = set()
    for line in example("circuit_rate", "--rounds", str(rounds)):
        name = line["circuit"]
        if name in seen:  # a quota's other role costs the same
            continue
        seen.add(name)
        whole_bar, cached_bar = CIRCUIT_BARS[name]
        share = line["whole_ms"] / line["bare_ms"]
        cached_share = line["finish_ms"] / line["bare_ms"]
        figures += [
            Figure(
                f"{name}, {line['constraints']:,} constraints: witness", line["assign_ms"], "ms"
            ),
            Figure(
                f"{name}: whole",
                line["whole_ms"],
                "ms",
                at_most=whole_bar,
                ratio=share,
                yardstick="bare arkworks",
            ),
            Figure(
                f"{name}: fixed part cached",
                line["finish_ms"],
                "ms",
                at_most=cached_bar,
                ratio=cached_share,
                yardstick="bare arkworks",
            ),
            Figure(f"{name}: verify", line["verify_ms"], "ms", at_most=VERIFY_BAR_MS),
            Figure(
                f"{name}: verify, of 32", line["verify_batched_ms"], "ms", at_most=BATCHED_BAR_MS
            ),
        ]
    return figures


def keys() -> list[Figure]:
    """Keys from disk."""
    figures = []
    for line in example("key_load"):
        name = f"{line['circuit']}, key of {line['bytes'] / 1e6:.1f} MB"
        figures += [
            Figure(f"{name}: read", line["load_ms"], "ms"),
            Figure(f"{name}: joined", line["joined_ms"], "ms", at_most=KEY_BAR_MS),
        ]
    return figures


def trees(rounds: int) -> list[Figure]:
    """Trees, through Python."""
    say("trees")
    leaves = [number.to_bytes(32, "little") for number in range(1, LEAVES + 1)]
    built, members = LedgerTree(), RlnTree()
    build_s = _seconds(lambda: built.update(inserted=leaves))
    asked = leaves[:: LEAVES // 1000]
    path_s = median(_seconds(lambda: [built.path(leaf) for leaf in asked]) for _ in range(rounds))
    insert_s = _seconds(lambda: members.set_range(0, leaves[:1000]))
    scattered = [(5000 + 1031 * at, leaf) for at, leaf in enumerate(leaves[:1000])]
    scattered_s = _seconds(lambda: members.set_many(scattered))
    return [
        Figure(f"quota tree of {LEAVES:,} leaves, built", build_s, "s", at_most=1.5),
        Figure("quota tree, one path", 1e6 * path_s / len(asked), "µs", at_most=50),
        Figure("RLN tree, 1,000 leaves in a row", 1e3 * insert_s, "ms", at_most=60),
        Figure("RLN tree, 1,000 leaves far apart", 1e3 * scattered_s, "ms", at_most=60),
    ]


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> int:
    """Measures RLN, the circuits, their keys and the trees."""
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    proofs = rln(options.rounds) + circuits(options.rounds)
    return publish(proofs + keys() + trees(options.rounds), as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
