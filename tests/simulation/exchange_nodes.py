"""Nodes of a simulated world that find each other by peer exchange alone.

The product's peering machine with real keys and records; played are connections and streams.
"""

from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import Any, Final

from logos_crypto import base58
from logos_mixnet.core import peering
from logos_mixnet.core.addresses import Address
from logos_mixnet.core.capability.keys import Secp256k1Signer
from logos_mixnet.core.capability.numbers import RecordNumbers
from logos_mixnet.core.dials import Aims
from logos_mixnet.core.exchange import Ask
from logos_mixnet.core.notices import Notice, PeerEvent
from logos_mixnet.core.own_record import OwnRecord
from logos_mixnet.core.trimming import Watermarks
from logos_simulation.node import Node, Run
from logos_simulation.world import World

TARGET: Final = 8
LOW: Final = 16
HIGH: Final = 24
UNIX_MS: Final = 1_800_000_000_000


class ExchangeNode:
    """One node. All know the first alone."""

    def __init__(self, world: World, number: int, at: dict[str, "ExchangeNode"]) -> None:
        self.number = number
        self.address = f"/ip4/10.0.{number // 250}.{number % 250 + 1}/tcp/4000"
        signer = Secp256k1Signer(sha256(b"simulated %d" % number).digest())
        self.peer_id = base58.encode(signer.public_key.peer_id)
        self.trimmed: set[str] = set()
        self._own = OwnRecord(signer, RecordNumbers())
        self._world = world
        self._at = at
        at[self.address] = self
        self.node = Node(world, f"node{number}", self._boot)

    def _boot(self, _node: Node) -> None:
        clock: Callable[[], int] = lambda: UNIX_MS + self._world.now_ms  # noqa: E731
        known = [Address("/ip4/10.0.0.1/tcp/4000")] if self.number else []
        marks = Watermarks(LOW, HIGH)
        aims = Aims(self.peer_id, known, TARGET, 250, clock(), marks, is_exchanging=True)
        self.machine = peering.Peering(aims, self._world.chance, self._own)
        self.run: Run[Any] = Run(self.node, self.machine, self._perform, clock)
        self.run.put(self.machine.listens_at, self.address)

    def _later(self, step: Callable[[], None]) -> None:
        self._world.after(self._world.chance.between(1, 40), step)

    def _perform(self, effect: peering.Effect) -> None:
        match effect:
            case peering.Dial(address):
                self._later(partial(self._dial, address))
            case Ask(peer_id, request):
                self._later(partial(self._ask, peer_id, request))
            case peering.Disconnect(peer_id):
                self._later(partial(self._part, peer_id))
            case peering.Save():
                self.run.report(self.machine.stored, effect)
            case Notice(event=PeerEvent.TRIMMED, peer_id=peer_id):
                self.trimmed.add(peer_id)

    def _dial(self, address: Address) -> None:
        there = self._at.get(address.transport)
        if there is None or not there.node.is_up or address.peer_id not in {None, there.peer_id}:
            self.run.report(self.machine.dialled, address, None, "nobody is there")
            return
        if there.peer_id not in self.machine.connected:
            for one, two, outbound in ((self, there, "outbound"), (there, self, "inbound")):
                one.run.put(one.machine.connection_made, two.peer_id, two.address, outbound)
            for one, two in ((self, there), (there, self)):
                one.run.put(one.machine.identified, two.peer_id, "sim", [], [two.address])
        self.run.report(self.machine.dialled, address, there.peer_id, None)

    def _part(self, peer_id: str) -> None:
        there = self._named(peer_id)
        for one, two in ((self, there), (there, self)):
            one.run.put(one.machine.connection_lost, two.peer_id, 0, "closed")

    def _ask(self, peer_id: str, request: bytes) -> None:
        there = self._named(peer_id)
        if peer_id not in self.machine.connected or self.peer_id not in there.machine.connected:
            self.run.report(self.machine.exchange.not_answered, peer_id, OSError("gone"))
            return

        def done(outcome: object) -> None:
            exchange = self.machine.exchange
            if isinstance(outcome, bytes):
                self._later(partial(self.run.report, exchange.answered, peer_id, outcome))
            else:
                self._later(partial(self.run.report, exchange.not_answered, peer_id, outcome))

        there.run.ask(done, there.machine.exchange.serve, self.peer_id, request)

    def _named(self, peer_id: str) -> "ExchangeNode":
        return next(each for each in self._at.values() if each.peer_id == peer_id)
