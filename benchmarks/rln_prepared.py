"""What a prepared RLN proof costs through Python, beside zerokit's whole proof of the same run.

In turns, for a packet of the mix: a whole proof as zerokit's crate makes it, a preparation for one
message id, the finish when the packet is there (its hash included), and the verification.
mixnet.md 11, R7.
"""

import os
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Final, ParamSpec, TypeVar

from benchmarks.report import Figure, arguments, percentile, publish, say

from logos_crypto import rln
from logos_crypto.rln import Expected, Identity, Membership, Prepared, Proof
from logos_crypto.trees import RlnTree

LIMIT: Final = 100
PACKET_BYTES: Final = 4608
PREPARE_BAR_MS: Final = 120.0
FINISH_BAR_MS: Final = 1.5
VERIFY_BAR_MS: Final = 1.6

Given = ParamSpec("Given")
Result = TypeVar("Result")


class Samples:
    """Times by name, in milliseconds."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {}

    def time(
        self, name: str, work: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
    ) -> Result:
        """Does some work and keeps how long it took."""
        began = time.perf_counter()
        done = work(*args, **kwargs)
        self.times.setdefault(name, []).append(1000 * (time.perf_counter() - began))
        return done


def finish(prepared: Prepared, packet: bytes) -> Proof:
    """What is left to do when the packet is there."""
    return prepared.finish(rln.signal_x(packet))


def member() -> Membership:
    """A member among others."""
    identity = Identity.from_seed(b"the seed of the benchmark")
    tree = RlnTree()
    tree.set_many([(at, rln.signal_x(bytes([at]))) for at in range(64)])
    tree.set(64, identity.rate_commitment(LIMIT))
    siblings = tree.path(64).siblings
    return Membership.of(identity, limit=LIMIT, siblings=siblings, index=64, root=tree.root)


def measure(rounds: int) -> Samples:
    """Times every step, in turns."""
    samples = Samples()
    samples.time("load", rln.load_keys)
    own = member()
    preparer = samples.time("share", own.preparer)
    for number in range(rounds):
        packet = os.urandom(PACKET_BYTES)
        epoch = rln.epoch_bytes(number)
        external = rln.external_nullifier(epoch, b"mix-rln-spam-protection/v1")
        message_id = number % LIMIT
        x = rln.signal_x(packet)
        samples.time("whole", own.prove, external, x, message_id)
        prepared = samples.time("prepare", preparer.prepare, external, message_id)
        proof = samples.time("finish", finish, prepared, packet)
        samples.time("verify", proof.verify, Expected((own.root,), external, x))
    return samples


def run(rounds: int) -> list[Figure]:
    """All figures."""
    say(f"{rounds} rounds of whole, prepare, finish, verify")
    times = measure(rounds).times
    whole = median(times["whole"])

    def figure(name: str, what: str, bar_ms: float | None = None) -> Figure:
        value = median(times[name])
        ratio = value / whole
        return Figure(what, value, "ms", at_most=bar_ms, ratio=ratio, yardstick="zerokit, whole")

    finish_p99 = percentile(times["finish"], 99)
    return [
        Figure("keys, read once", times["load"][0], "ms"),
        Figure("membership's share, once a path", times["share"][0], "ms"),
        Figure("zerokit, whole", whole, "ms"),
        figure("prepare", "prepare", PREPARE_BAR_MS),
        figure("finish", "finish", FINISH_BAR_MS),
        Figure("finish: p99", finish_p99, "ms"),
        figure("verify", "verify", VERIFY_BAR_MS),
    ]


def main() -> int:
    """Runs the program; returns its exit code."""
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args()
    return publish(run(options.rounds), as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
