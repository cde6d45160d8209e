"""What a relay of the mix handles on one core, beside two X25519 of the same rounds.

A packet comes, its tag is stored (at once: no disk), its delay ends, and it leaves: all that
`PacketRelay` does. With rate limits, its proof goes through the guard and is verified before, as
many together as come in a burst. Times are those of the CPU, of all threads.
"""

import os
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import chain, count
from pathlib import Path as FilePath
from statistics import median
from typing import Final

from benchmarks import mix_flood
from benchmarks.report import Figure, arguments, publish, ratio, say
from nacl.bindings import crypto_scalarmult

from logos_base.machine import Answer, Ticket
from logos_crypto import rln
from logos_crypto.rln import Identity, Membership, Preparer, RateLimitProof
from logos_crypto.trees import RlnTree
from logos_mixnet.core.mixing.relay import Check, Forward, Keep, KeyEpoch, PacketRelay
from logos_mixnet.core.mixing.tags import MAX_TAGS, TAG_BYTES, TagTable
from logos_mixnet.core.rln import guard
from logos_mixnet.core.rln.application import Application
from logos_mixnet.core.rln.epochs import Epochs
from logos_mixnet.core.rln.verification import verify_all
from logos_mixnet.core.sphinx.geometry import ADDRESS_BYTES, HERE, MESSAGE_BYTES
from logos_mixnet.core.sphinx.header import Hop, Path
from logos_mixnet.core.sphinx.packet import create_packet
from logos_mixnet.core.sphinx.primitives import public_key

BARE_BAR: Final = 2_000.0
"""Packets a second and core."""
GUARDED_BAR: Final = 350.0
PER_ROUND: Final = 50
BURST: Final = 32
"""Proofs that are verified together."""
LIMIT: Final = 1_000
EPOCH: Final = 500
MEAN_MS: Final = 100
LATER_MS: Final = 10 * MEAN_MS * 14
"""When every delay of a round is over."""

NOW_MS: Final = Epochs().start_ms(EPOCH)
APPLICATION: Final = Application()


def path() -> tuple[bytes, Path]:
    """The private key of a relay, and a path that begins with it."""
    keys = [os.urandom(32) for _ in range(3)]
    hops = [Hop(public_key(key), os.urandom(ADDRESS_BYTES)) for key in keys]
    return keys[0], Path(hops, (MEAN_MS, MEAN_MS))


def packets(way: Path, number: int) -> list[bytes]:
    """Packets for the first hop, all different."""
    return [create_packet(way, HERE, os.urandom(MESSAGE_BYTES), os.urandom) for _ in range(number)]


def relay_of(key: bytes, *, is_guarded: bool) -> PacketRelay:
    """A relay without a past."""
    chance = secrets.SystemRandom()
    return PacketRelay([KeyEpoch(EPOCH, key)], chance, is_guarded=is_guarded)


def forwarded(relay: PacketRelay, effects: Sequence[object]) -> int:
    """Stores tags; returns how many packets have left."""
    left = 0
    for effect in effects:
        if isinstance(effect, Keep):
            left += forwarded(relay, relay.kept(effect, NOW_MS))
        left += isinstance(effect, Forward)
    return left


def relay_bare(relay: PacketRelay, frames: Sequence[bytes]) -> None:
    """Passes packets on that carry no proofs."""
    left = 0
    for frame in frames:
        left += forwarded(relay, relay.arrived("peer", frame, NOW_MS))
    left += forwarded(relay, relay.tick(NOW_MS + LATER_MS))
    if left != len(frames):
        raise SystemExit(f"{left} of {len(frames)} packets left")


def bursts(frames: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """What comes at once."""
    for begin in range(0, len(frames), BURST):
        yield frames[begin : begin + BURST]


def relay_guarded(
    relay: PacketRelay, proofs: guard.ProofGuard, frames: Sequence[bytes], tickets: Iterator[int]
) -> None:
    """Verifies proofs and passes packets on."""
    left = 0
    for burst in bursts(frames):
        arrivals: dict[Ticket, int] = {}
        verify: list[guard.Verify] = []
        come = [relay.arrived(f"peer {at}", frame, NOW_MS) for at, frame in enumerate(burst)]
        for effect in chain.from_iterable(come):
            if isinstance(effect, Check):
                ticket = Ticket(next(tickets))
                arrivals[ticket] = effect.arrival
                found = proofs.check(ticket, effect.proof, effect.packet, NOW_MS)
                verify += [each for each in found if isinstance(each, guard.Verify)]
        for check, error in zip(verify, verify_all(verify), strict=True):
            for answer in proofs.verified(check.ticket, error, NOW_MS):
                if isinstance(answer, Answer):
                    arrival = arrivals[check.ticket]
                    left += forwarded(relay, relay.checked(arrival, None, NOW_MS))
    left += forwarded(relay, relay.tick(NOW_MS + LATER_MS))
    if left != len(frames):
        raise SystemExit(f"{left} of {len(frames)} packets left: {proofs.dropped}")


class Prover:
    """A member whose proofs the packets carry."""

    def __init__(self) -> None:
        identity = Identity.from_seed(b"the seed of the benchmark")
        tree = RlnTree()
        tree.set(0, identity.rate_commitment(LIMIT))
        self.root = tree.root
        siblings = tree.path(0).siblings
        own = Membership.of(identity, limit=LIMIT, siblings=siblings, index=0, root=tree.root)
        self._preparer: Preparer = own.preparer()
        self._ids = count()

    def framed(self, packet: bytes) -> bytes:
        """Returns a packet with a proof of its own."""
        external_nullifier = APPLICATION.external_nullifier(EPOCH)
        prepared = self._preparer.prepare(external_nullifier, next(self._ids))
        proof = prepared.finish(rln.signal_x(packet))
        return packet + RateLimitProof.of(proof, rln.epoch_bytes(EPOCH)).to_bytes()


def multiply_us(number: int) -> float:
    """Microseconds of CPU of so many multiplications."""
    scalar, point = os.urandom(32), public_key(os.urandom(32))
    began = time.process_time()
    for _ in range(number):
        crypto_scalarmult(scalar, point)
    return (time.process_time() - began) * 1e6


def rates(rounds: int, proven: int) -> list[Figure]:
    """Packets a second of CPU, without proofs and with them."""
    key, way = path()
    say(f"{rounds} rounds of {PER_ROUND} packets")
    bare, unguarded, yardstick = relay_of(key, is_guarded=False), [], []
    for _ in range(rounds):
        frames = packets(way, PER_ROUND)
        yardstick.append(multiply_us(2 * PER_ROUND) / PER_ROUND)
        began = time.process_time()
        relay_bare(bare, frames)
        unguarded.append((time.process_time() - began) * 1e6 / PER_ROUND)
    say(f"{proven} packets with proofs: making them takes a while")
    prover, tickets = Prover(), count()
    proofs = guard.ProofGuard(APPLICATION, Epochs())
    proofs.members_changed((prover.root,), LIMIT, NOW_MS)
    relay = relay_of(key, is_guarded=True)
    guarded, beside = [], []
    for burst in bursts([prover.framed(packet) for packet in packets(way, proven)]):
        beside.append(multiply_us(2 * len(burst)) / len(burst))
        began = time.process_time()
        relay_guarded(relay, proofs, burst, tickets)
        guarded.append((time.process_time() - began) * 1e6 / len(burst))
    return [
        Figure("two X25519 (yardstick)", median(yardstick), "µs"),
        _rate("relay, no proofs", unguarded, yardstick, BARE_BAR),
        _rate(f"relay, proofs verified {BURST} at once", guarded, beside, GUARDED_BAR),
    ]


def _rate(what: str, took_us: list[float], yardstick: list[float], bar: float) -> Figure:
    rate = 1e6 / median(took_us)
    times = ratio(took_us, yardstick)
    return Figure(what, rate, "1/s", at_least=bar, ratio=times, yardstick="2 X25519, time")


def memory() -> list[Figure]:
    """What a full table of tags adds to this process, and what an insertion costs at most."""
    say(f"a table of {MAX_TAGS:,} tags")
    before = _resident_mib()
    table, longest_us = TagTable(), 0.0
    began = time.process_time()
    for number in range(1, MAX_TAGS + 1):
        # Random enough for a table that hashes them again, and made in no time.
        tag = (number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128).to_bytes(TAG_BYTES, "big")
        at = time.thread_time()
        table.add(tag)
        longest_us = max(longest_us, 1e6 * (time.thread_time() - at))
    took_us = 1e6 * (time.process_time() - began) / MAX_TAGS
    if len(table) != MAX_TAGS:
        raise SystemExit("a tag was taken for another")
    return [
        Figure("table of 2^20 tags", _resident_mib() - before, "MiB"),
        Figure("insertion of a tag, mean", took_us, "µs"),
        Figure("insertion of a tag, longest", longest_us, "µs"),
    ]


def _resident_mib() -> float:
    pages = FilePath("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> int:
    """Measures and prints."""
    parser = arguments(__doc__)
    parser.add_argument("part", nargs="?", choices=["rates", "flood"], default="rates")
    parser.add_argument("--seconds", type=float, default=12.0, help="of each phase of the flood")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--proven", type=int, default=8 * BURST, help="packets with proofs")
    options = parser.parse_args()
    say(f"load: {os.getloadavg()[0]:.1f}")
    if options.part == "flood":
        figures = mix_flood.figures(options.seconds)
    else:
        figures = memory() + rates(options.rounds, min(options.proven, LIMIT))
    return publish(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
