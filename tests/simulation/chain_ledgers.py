"""Nodes of a simulated chain with real bodies: the product's ledger, branches and mempool.

Transfers are real, and so is what the ledger makes of them. Their signatures are circuits' proofs,
and are replaced as those of leadership are: a proof names the public inputs of its obligation, and
whoever verifies it looks whether it names just these.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final

from chain_claims import Parcel, digest, field
from chain_nodes import ChainNode, Network
from logos_base.machine import Answer, Refuse
from logos_chain.core.aged import AgedPaths
from logos_chain.core.branch import Branches
from logos_chain.core.consensus.epochs import EpochState, genesis_state
from logos_chain.core.consensus.lottery import LeaderNote
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ledger.ledger import Admitted, Applied, Ledger, Refused
from logos_chain.core.ledger.obligations import CircuitObligation, Obligation, zk_signature
from logos_chain.core.ledger.parameters import LedgerParameters
from logos_chain.core.mempool.mempool import Effect, Mempool, PassOn, Rejected, Told, Verify
from logos_chain.core.mempool.types import Body, Status
from logos_mantle.derivations import public_key
from logos_mantle.genesis import Genesis, GenesisParameters, genesis_block, read_genesis
from logos_mantle.notes import Note, note_id
from logos_mantle.operations import operation_id
from logos_mantle.proofs import ZkSignatureProof
from logos_mantle.transactions import SignedTransaction, Transaction
from logos_mantle.transfers import Transfer
from logos_simulation.links import Links
from logos_simulation.node import Run
from logos_simulation.world import World

LEDGER: Final = LedgerParameters(min_providers=1)
STAKE: Final = 1_000_000_000
"""Of a note that leads; the others together have little of the stake."""
COIN: Final = 1_000_000
FEE: Final = 100_000
"""Left by each transfer: the fee, and the rest as a tip."""
VERIFY_MS: Final = (5, 80)


def secret_of(owner: int) -> bytes:
    return field("owner", str(owner))


def proof_of(obligation: CircuitObligation) -> bytes:
    return digest(obligation.circuit, obligation.public) + bytes(96)


def holds(obligation: Obligation) -> bool:
    return isinstance(obligation, CircuitObligation) and obligation.proof == proof_of(obligation)


class Coins:
    """The genesis: of each owner a note that leads, and as many others to be spent."""

    def __init__(self, seed: int, owners: int, coins: int) -> None:
        self.keys = [public_key(secret_of(each)) for each in range(owners)]
        leading = [Note(STAKE, each) for each in self.keys]
        others = [Note(COIN, each) for each in self.keys for _ in range(coins)]
        parameters = GenesisParameters("simulated", 0, field("nonce", str(seed)))
        self.genesis: Genesis = read_genesis(genesis_block(parameters, (*leading, *others), ()))
        made = operation_id(self.genesis.transfer)
        ids = [note_id(made, at, each) for at, each in enumerate((*leading, *others))]
        self.leaders = [LeaderNote(ids[at], secret_of(at), STAKE) for at in range(owners)]
        self._coins = [ids[owners + at * coins :][:coins] for at in range(owners)]

    def pay(self, owner: int, coin: int, to: int) -> SignedTransaction:
        """Spends one of an owner's first coins."""
        transfer = Transfer((self._coins[owner][coin],), (Note(COIN - FEE, self.keys[to]),))
        transaction = Transaction((transfer,))
        asked = zk_signature(transaction, [self.keys[owner]], bytes(128))
        return SignedTransaction(transaction, (ZkSignatureProof(proof_of(asked)),))


def new_ledger_network(seed: int, parameters: Parameters, coins: Coins, links: Any) -> Network:
    """A network whose genesis has coins, and no node yet."""
    world = World(seed)
    ledger = Ledger.from_genesis(LEDGER, coins.genesis)
    nonce = coins.genesis.parameters.epoch_nonce_value
    state = genesis_state(ledger.root, nonce, ledger.head.genesis)
    block = coins.genesis.block
    genesis = TreeBlock(BlockId(block.id), BlockId(block.header.parent), 0, state, bytes(32))
    return Network(world, Links(world, links), parameters, genesis, coins.leaders)


class LedgerNode(ChainNode):
    """A node with a ledger and a mempool. It does not restart: they are not kept."""

    coins: Coins

    def new_bodies(self) -> "LedgerBodies":
        self.pool = LedgerBodies(self)
        return self.pool

    def hear(self, raw: bytes, source: str) -> None:
        """A neighbour has sent a transaction."""
        self.pool.hear(raw, source)

    def balances(self) -> list[int]:
        """Returns what each owner has at the tip."""
        ledger = self.pool.at_tip()
        return [sum(one.note.value for _, one in ledger.notes_of({key})) for key in self.coins.keys]

    def transactions(self) -> list[bytes]:
        """Returns the hashes of all transactions of the local chain."""
        path = self.kept.path(self.network.genesis.id, self.follower.tip.id, 1 << 20)
        return [one.hash for each in path for one in self.kept.parcels[each].transactions]


class LedgerBodies:
    """What a node does with transactions, in blocks and before."""

    def __init__(self, node: LedgerNode) -> None:
        self._node = node
        self._links = node.network.links
        ledger = Ledger.from_genesis(LEDGER, node.coins.genesis)
        self._branches = Branches(ledger, node.network.genesis.id, AgedPaths())
        self._parcels: dict[BlockId, Parcel] = {}
        self.statuses: dict[bytes, Status] = {}
        """As they were told last."""
        self.refused: list[object] = []
        """Why own and peers' transactions were not taken."""
        self._pool = Mempool(self._rehearse)
        self._run: Run[Effect] = Run(node.node, self._pool, self._perform)

    def __len__(self) -> int:
        return len(self._pool)

    def at_tip(self) -> Ledger:
        self._branches.go(self._branches.tip)
        return self._branches.ledger

    def submit(self, transaction: SignedTransaction) -> None:
        def done(outcome: object) -> None:
            if isinstance(outcome, Exception):
                self.refused.append(outcome)

        self._run.ask(done, self._pool.submit, transaction.encoded)

    # -- `Bodies` ------------------------------------------------------------------------------

    def execute(self, parcel: Parcel, epoch: EpochState) -> bytes | None:
        header = parcel.candidate.header
        result = self._branches.execute(
            parcel.id,
            parcel.parent,
            parcel.transactions,
            slot=header.slot,
            epoch=epoch,
            voucher=header.voucher,
        )
        if not isinstance(result, Applied):
            return None
        if not all(map(holds, result.obligations)):
            self._branches.drop(parcel.id)
            return None
        self._parcels[parcel.id] = parcel
        self._learn()
        return self._branches.ledger.root

    def moved(self, removed: Sequence[BlockId], added: Sequence[BlockId], now_ms: int) -> None:
        self._branches.move_tip(added[-1])
        bodies = [[self._body(each) for each in blocks] for blocks in (removed, added)]
        self._run.put(self._pool.moved, *bodies)

    def settled(self, final: Sequence[BlockId], now_ms: int) -> None:
        self._branches.settle(final)
        self._run.put(self._pool.finalised, final)

    def forget(self, cut: Sequence[BlockId]) -> None:
        for each in cut:
            self._branches.drop(each)
        self._branches.forget(cut)

    def choose(self, parent: BlockId, slot: int, now_ms: int) -> Sequence[SignedTransaction]:
        chosen = self._pool.choose(now_ms)
        ledger = self.at_tip()
        if self._branches.tip != parent:
            return ()
        verdicts = ledger.rehearse(chosen, slot=slot, epoch=self._node.follower.epoch_at(slot))
        pairs = zip(chosen, verdicts, strict=True)
        return [each for each, verdict in pairs if isinstance(verdict, Admitted)]

    def _body(self, block: BlockId) -> Body:
        return Body(block, self._parcels[block].transactions)

    def _learn(self) -> None:
        """Tells the oracle which of the notes that may lead are in the ledger."""
        ledger, network = self._branches.ledger, self._node.network
        there = [each.note_id for each in network.notes if ledger.note(each.note_id) is not None]
        network.oracle.learn(ledger.root, there)

    # -- the mempool ---------------------------------------------------------------------------

    def _rehearse(
        self, transactions: Sequence[SignedTransaction], now_ms: int
    ) -> list[Admitted | Refused]:
        follower, clock = self._node.follower, self._node.network.clock
        ledger = self.at_tip()
        slot = max(clock.slot_at(now_ms), ledger.head.slot + 1, follower.tip.slot)
        return ledger.rehearse(transactions, slot=slot, epoch=follower.epoch_at(slot))

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Verify(check, _, obligations):
                self._verify(check, obligations)
            case PassOn(signed, source):
                self._pass_on(signed, source)
            case Told(hash_, status):
                self.statuses[hash_] = status
            case Rejected(_, _, reason):
                self.refused.append(reason)
            case Answer() | Refuse():
                pass

    def _verify(self, check: bytes, obligations: Iterable[Obligation]) -> None:
        step = self._pool.verified if all(map(holds, obligations)) else self._pool.invalid
        took_ms = self._node.network.world.chance.between(*VERIFY_MS)
        self._node.node.after(took_ms, partial(self._run.report, step, check))

    def _pass_on(self, signed: SignedTransaction, source: str) -> None:
        for each in self._node.neighbours:
            if each.name == source or not isinstance(each, LedgerNode):
                continue
            there = partial(each.hear, signed.encoded, self._node.name)
            self._links.send(self._node.node, each.node, there)

    def hear(self, raw: bytes, source: str) -> None:
        """A neighbour has sent a transaction."""
        self._run.put(self._pool.received, raw, source)
