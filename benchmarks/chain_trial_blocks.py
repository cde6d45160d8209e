"""The part of benchmarks/chain_trials.py that looks at who has made the blocks.

Of each block its own wallet knows that it has led it: the voucher in the header is one of those
that it issued. Others have the header alone. A classifier learns a field, and the header whole,
from half of the headers of each leader, and is tried on the other half; so that a good one would be
seen, it is also given one byte more, which tells the leader.
"""

import asyncio
import tempfile
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final

from benchmarks.chain_idle import CALL_S, infos, sample, slot_figures, watching
from benchmarks.report import Figure, say
from benchmarks.running import Running, running

from logos.chain.v1 import chain_pb2 as pb
from logos.chain.v1 import wallet_pb2
from logos.chain.v1.chain_pb2_grpc import ChainNodeStub
from logos.chain.v1.wallet_pb2_grpc import WalletStub
from logos_anonymity.measures import Z, chi_square
from logos_anonymity.octets import ByteClassifier
from logos_chain.core.consensus.presets import PRESETS

PORTS_FROM: Final = 500
STAKES: Final = {"node1": 1, "node2": 2, "node3": 4, "node4": 8, "node5": 0}
UNIT: Final = 5_000_000
PAYING: Final = 100_000
"""Of each stake, in a note of its own."""
CI: Final = PRESETS["ci"]
EVERY_S: Final = 5.0
SLOWEST: Final = 3
SIGMAS_BAR: Final = 3.5
"""Of the best of 32 classifiers: by chance once in 130 runs."""
LEAST_SIGMA: Final = 0.01
"""Where all were told apart, the interval has no width."""
P_BAR: Final = 0.01
UNIQUE: Final = ("voucher", "entropy", "leader_key", "proof")

TOPOLOGY: Final = """\
schema = 1
name = "trial"
target_peers = 4
[modules.mixnet]
[modules.storage]
[modules.delivery]
[modules.chain.settings]
preset = "ci"
claim_delay_slots = 20
""" + "".join(
    f"""\
[[nodes]]
name = "{name}"
settings.chain.genesis_stake = {[share * UNIT - PAYING, PAYING] if share else []}
"""
    for name, share in STAKES.items()
)


@dataclass(frozen=True, slots=True)
class Led:
    """A block, and whose wallet issued its voucher."""

    block: pb.GetBlockResponse
    leader: str

    @property
    def header(self) -> dict[str, bytes]:
        """All that a header says, 328 bytes, by field; and all of it."""
        one = self.block
        fields = {
            "parent": one.summary.parent,
            "slot": one.summary.point.slot.to_bytes(8, "little"),
            "body_root": one.body_root,
            **{name: getattr(one, name) for name in UNIQUE},
        }
        return fields | {"header": b"".join(fields.values())}


async def block_figures(options: Namespace) -> list[Figure]:
    """Who leads, what tells it, and what it pays."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trial.toml"
        path.write_text(TOPOLOGY, encoding="utf-8")
        async with running(None, path, PORTS_FROM) as net:
            async with watching(net) as (first, arrivals):
                await _until_height(net, options.blocks)
                last = await sample(net)
            led, claims = await _led(net), await _claim_figures(net)
    return [
        *_leader_figures(led, options.blocks),
        *_header_figures(led),
        *slot_figures(first, last, arrivals),
        *claims,
    ]


async def _until_height(net: Running, height: int) -> None:
    """Waits until all nodes have so many blocks, at most `SLOWEST` times as long as they take."""
    end_s = time.monotonic() + SLOWEST * height * CI.slot_ms / 1000 / float(CI.activation)
    while time.monotonic() < end_s:
        tips = [each.tip.height for each in (await infos(net)).values()]
        if min(tips) >= height:
            return
        say(f"{min(tips)} of {height} blocks")
        await asyncio.sleep(EVERY_S * 6)


async def _led(net: Running) -> list[Led]:
    """The blocks of the chain, with their leaders."""
    leaders: dict[bytes, str] = {}
    for node in net.plan.nodes:
        async with net.front(node.name) as channel:
            answer = await WalletStub(channel).ListVouchers(wallet_pb2.ListVouchersRequest())
        leaders |= {each.commitment: node.name for each in answer.vouchers}
    found = []
    async with net.front(net.plan.nodes[-1].name) as channel:
        chain = ChainNodeStub(channel)
        tip = (await chain.GetInfo(pb.GetInfoRequest(), timeout=CALL_S)).tip
        for height in range(1, tip.height + 1):
            block = await chain.GetBlock(pb.GetBlockRequest(height=height), timeout=CALL_S)
            found.append(Led(block, leaders[block.voucher]))
    return found


def _leader_figures(led: Sequence[Led], wanted: int) -> list[Figure]:
    """Whether blocks are made in proportion to stakes."""
    counts = Counter(each.leader for each in led)
    whole = sum(STAKES.values())
    chances = {
        name: 1 - (1 - float(CI.activation)) ** (share / whole)
        for name, share in STAKES.items()
        if share
    }
    due = {name: len(led) * chance / sum(chances.values()) for name, chance in chances.items()}
    p = chi_square([counts[name] for name in due], list(due.values()))
    return [
        Figure("blocks of the chain", len(led), "", at_least=wanted),
        *(
            Figure(f"led with stake {STAKES[name]}", counts[name], "blocks", ratio=counts[name] / n)
            for name, n in due.items()
        ),
        Figure("leaders by stake: chi-squared", p, "p", at_least=P_BAR),
    ]


def _header_figures(led: Sequence[Led]) -> list[Figure]:
    """Whether headers repeat, or tell their leaders."""
    repeated = sum(len(led) - len({getattr(each.block, name) for each in led}) for name in UNIQUE)
    names = sorted(STAKES)
    headers = [(each.leader, each.header) for each in led]
    told = [(leader, {"told": bytes([names.index(leader)])}) for leader, _ in headers]
    return [
        Figure("values of headers that came twice", repeated, "", at_most=0),
        Figure(
            "leaders told by headers: the best classifier above chance",
            _sigmas(headers),
            "sigma",
            at_most=SIGMAS_BAR,
        ),
        Figure(
            "the same of a byte that tells the leader",
            _sigmas(told),
            "sigma",
            at_least=SIGMAS_BAR,
        ),
    ]


def _sigmas(headers: Sequence[tuple[str, Mapping[str, bytes]]]) -> float:
    """How far above chance one field tells one leader from all others, at best."""
    found = []
    for field, name in product(headers[0][1], {leader for leader, _ in headers}):
        own = [header[field] for leader, header in headers if leader == name]
        others = [header[field] for leader, header in headers if leader != name]
        area = ByteClassifier(own[::2], others[::2]).area(own[1::2], others[1::2])
        sigma = (area.high - area.low) / (2 * Z)
        found.append((area.value - 0.5) / max(sigma, LEAST_SIGMA))
    return max(found)


async def _claim_figures(net: Running) -> list[Figure]:
    """What claims have paid, which each wallet made by itself."""
    claimed = claimable = paid = 0
    for node in net.plan.nodes:
        async with net.front(node.name) as channel:
            wallet = WalletStub(channel)
            vouchers = (await wallet.ListVouchers(wallet_pb2.ListVouchersRequest())).vouchers
            request = wallet_pb2.ListHistoryRequest(page_size=1000)
            history = (await wallet.ListHistory(request)).entries
        claimed += sum(each.is_claimed for each in vouchers)
        claimable += sum(each.is_claimable for each in vouchers)
        paid += sum(bool(each.transaction) and each.received > each.spent for each in history)
    return [
        Figure("rewards claimed", claimed, "", at_least=1),
        Figure("rewards that can be claimed still", claimable, ""),
        Figure("claims that paid more than their fee", paid, "", at_least=1),
    ]
