"""What packets of the mix cost to make and to unwrap, beside bare X25519 in the same rounds.

The yardstick is libsodium's multiplication as Python reaches it. Making a packet for L hops takes
L(L+3)/2 of them, unwrapping one takes two, and at the exit one: the rest is ours. Times are
those of the CPU, so that other processes disturb little.
"""

import os
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Final

from benchmarks.report import Figure, arguments, publish, ratio, say
from nacl.bindings import crypto_scalarmult

from logos_mixnet.core.sphinx.fragments import MAX_CONTENT_BYTES, Reassembly, Whole, cut
from logos_mixnet.core.sphinx.geometry import HERE, MESSAGE_BYTES, PAYLOAD_BYTES
from logos_mixnet.core.sphinx.header import Hop, Path
from logos_mixnet.core.sphinx.packet import Relay, create_packet, receive, unwrap
from logos_mixnet.core.sphinx.payload import LIP_183
from logos_mixnet.core.sphinx.primitives import public_key
from logos_mixnet.core.sphinx.surb import create_surb

UNWRAP_BAR: Final = 1.5
"""Of two multiplications."""
CREATE_BAR_US: Final = 500.0
PER_ROUND: Final = 25


def path(hops: int) -> tuple[list[bytes], Path]:
    """Private keys, and a path through their mixes."""
    keys = [os.urandom(32) for _ in range(hops)]
    return keys, Path([Hop(public_key(key), os.urandom(94)) for key in keys], (1,) * (hops - 1))


def each_us(work: Callable[[], object]) -> float:
    """Microseconds of one call, over a round."""
    began = time.thread_time()
    for _ in range(PER_ROUND):
        work()
    return (time.thread_time() - began) * 1e6 / PER_ROUND


def works() -> dict[str, tuple[Callable[[], object], int]]:
    """What is timed, and how many multiplications are in it."""
    keys, way = path(3)
    message, block, secret = os.urandom(MESSAGE_BYTES), os.urandom(PAYLOAD_BYTES), os.urandom(32)
    packet = create_packet(way, HERE, message, os.urandom)
    second = unwrap(receive(packet, keys[0]))
    third = unwrap(receive(second.packet, keys[1])) if isinstance(second, Relay) else second
    if not isinstance(third, Relay):
        raise SystemExit("a packet did not arrive")
    surb, _ = create_surb(way, os.urandom)
    longest = path(5)[1]
    return {
        "unwrap at a relay": (lambda: unwrap(receive(packet, keys[0])), 2),
        "unwrap at the exit": (lambda: unwrap(receive(third.packet, keys[2])), 1),
        "receive: secret, MAC, tag": (lambda: receive(packet, keys[0]), 1),
        "one layer of a payload": (lambda: LIP_183.decrypt(secret, block), 1),
        "make, 3 hops": (lambda: create_packet(way, HERE, message, os.urandom), 9),
        "make, 5 hops": (lambda: create_packet(longest, HERE, message, os.urandom), 20),
        "make a reply block, 3 hops": (lambda: create_surb(way, os.urandom), 9),
        "answer": (lambda: surb.answer(message), 1),
    }


def packets(rounds: int) -> list[Figure]:
    """Every operation beside the multiplications that are in it."""
    scalar, point = os.urandom(32), public_key(os.urandom(32))
    timed = works()
    bare: list[float] = []
    took: dict[str, list[float]] = {name: [] for name in timed}
    for number in range(rounds):
        if number % 25 == 0:
            say(f"round {number + 1} of {rounds}")
        bare.append(each_us(lambda: crypto_scalarmult(scalar, point)))
        for name, (work, _) in timed.items():
            took[name].append(each_us(work))
    figures = [Figure("bare X25519 (yardstick)", median(bare), "µs")]
    for name, (_, count) in timed.items():
        figures.append(
            Figure(
                name,
                median(took[name]),
                "µs",
                at_most=CREATE_BAR_US if name == "make, 3 hops" else None,
                ratio=ratio(took[name], [count * one for one in bare]),
                yardstick=f"{count} X25519",
                ratio_at_most=UNWRAP_BAR if name == "unwrap at a relay" else None,
            )
        )
    return figures


def fragments() -> list[Figure]:
    """A message of 1 MiB, cut and put together."""
    message = os.urandom(MAX_CONTENT_BYTES)
    began = time.thread_time()
    bodies = [fragment.encode() for fragment in cut(message, os.urandom)]
    cut_at = time.thread_time()
    machine = Reassembly()
    effects = [effect for body in bodies for effect in machine.arrived(body, 0)]
    joined_at = time.thread_time()
    if effects != [Whole(message)]:
        raise SystemExit("a message did not arrive")
    return [
        Figure("cut 1 MiB", 1000 * (cut_at - began), "ms"),
        Figure("put 1 MiB together", 1000 * (joined_at - cut_at), "ms"),
    ]


def main() -> int:
    """Measures and prints."""
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    options = parser.parse_args()
    return publish(packets(options.rounds) + fragments(), as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
