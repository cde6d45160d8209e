"""The chain on testnets with real proofs, for as long as its promises need to be seen.

- `blocks`: 300 blocks by leaders with stakes of 1:2:4:8: who leads, whether a header tells who has
  made it, whether proofs are ready in time, and claims of rewards that are made by themselves.
- `kills`: every minute a whole node is ended by `kill -9`, for fifteen minutes, with payments.
- `split`: three nodes are parted from two until both sides together have 40 blocks, then healed.
- `deep`: the same for longer than the k blocks after which a block is final.
- `sync`: a fresh node downloads 5,000 blocks with a proof in each; another begins with a
  checkpoint.

    python -m benchmarks.chain_trials
    python -m benchmarks.chain_trials --only kills --minutes 5
"""

import asyncio
import sys
from argparse import Namespace
from typing import Final

from benchmarks.chain_trial_blocks import block_figures
from benchmarks.chain_trial_kills import kill_figures
from benchmarks.chain_trial_split import deep_figures, split_figures
from benchmarks.chain_trial_sync import sync_figures
from benchmarks.report import Figure, arguments, publish

PARTS: Final = {
    "blocks": block_figures,
    "kills": kill_figures,
    "split": split_figures,
    "deep": deep_figures,
    "sync": sync_figures,
}


async def measure(options: Namespace) -> list[Figure]:
    """All figures, one part after another."""
    figures: list[Figure] = []
    for part in options.only or PARTS:
        figures += await PARTS[part](options)
    return figures


def main() -> int:
    """Measures, and prints the figures."""
    parser = arguments(__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, help="some of the parts")
    parser.add_argument("--blocks", type=int, default=300, help="of `blocks`")
    parser.add_argument("--minutes", type=int, default=15, help="of `kills`: as many kills")
    parser.add_argument("--split-blocks", type=int, default=40, help="of `split`")
    parser.add_argument("--sync-blocks", type=int, default=5000, help="of `sync`")
    options = parser.parse_args()
    return publish(asyncio.run(measure(options)), as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
