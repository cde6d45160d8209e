"""A mempool on a ledger, obeyed by hand. Proofs are zeros, so tests say whether they hold."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from chain_ledger import ALICE, Chain, genesis, named, outputs_of, pay, signed

from logos_base.machine import Answer, Refuse, Ticket
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ledger.ledger import Admitted, Applied, Refused
from logos_chain.core.mempool.mempool import Effect, Mempool, PassOn, Rejected, Told, Verify
from logos_chain.core.mempool.types import Body, Limits, Stage, Status
from logos_mantle.fees import mandatory_fee
from logos_mantle.notes import Note
from logos_mantle.transactions import SignedTransaction
from logos_mantle.transfers import Transfer

VALUE = 1_000_000
PEER = "peer"


@dataclass
class Node:
    """A chain, its mempool, and what the mempool has asked for."""

    limits: Limits = field(default_factory=Limits)
    funds: int = 24

    def __post_init__(self) -> None:
        self.chain = Chain(genesis=genesis((VALUE,) * self.funds))
        self.notes = outputs_of(self.chain.genesis.transfer)
        self.mempool = Mempool(self.rehearse, self.limits)
        self.bodies: list[Body] = []
        self.made = 0
        self.now_ms = 0
        self.asked: dict[bytes, Verify] = {}
        self.effects: list[Effect] = []
        self.executed = 0

    def rehearse(
        self, transactions: Sequence[SignedTransaction], now_ms: int
    ) -> list[Admitted | Refused]:
        self.executed += len(transactions)
        return self.chain.rehearse(*transactions)

    def obey(self, effects: Sequence[Effect]) -> list[Effect]:
        """Keeps what is asked and told."""
        self.effects += effects
        self.asked.update({each.check: each for each in effects if isinstance(each, Verify)})
        return list(effects)

    def receive(self, transaction: SignedTransaction, source: str = PEER) -> list[Effect]:
        return self.obey(self.mempool.received(transaction.encoded, source, self.now_ms))

    def submit(self, transaction: SignedTransaction, ticket: int = 1) -> list[Effect]:
        raw = transaction.encoded
        return self.obey(self.mempool.submit(Ticket(ticket), raw, self.now_ms))

    def settle(self) -> list[Effect]:
        """Reports that all that was asked for holds."""
        effects: list[Effect] = []
        while self.asked:
            check = next(iter(self.asked))
            del self.asked[check]
            effects += self.obey(self.mempool.verified(check, self.now_ms))
        return effects

    def take(self, *transactions: SignedTransaction) -> list[Effect]:
        """Receives transactions whose proofs hold."""
        return [effect for each in transactions for effect in [*self.receive(each), *self.settle()]]

    def spend(self, source: bytes, value: int = VALUE, tip: int = 0) -> SignedTransaction:
        """A transaction of one transfer; its one output is the value less fee and tip."""
        return pay(self.chain.ledger, source, value, tip=tip)

    def split(self, source: bytes, value: int = VALUE, parts: int = 2) -> SignedTransaction:
        """A transaction of one transfer to several notes of a same value, near all of it."""
        return signed(Transfer((source,), (Note((value - 5000) // parts, ALICE),) * parts))

    def follow(self, parent: SignedTransaction, output: int = 0, tip: int = 0) -> SignedTransaction:
        """A transaction that spends an output of another one."""
        note, value = note_of(parent, output)
        return self.spend(note, value, tip)

    def block(self, *transactions: SignedTransaction) -> Body:
        """Executes a block; the mempool is not told."""
        self.made += 1
        result = self.chain.block(*transactions, voucher=named(f"voucher {self.made}"))
        assert isinstance(result, Applied), result
        body = Body(BlockId(named(f"block {self.made}")), transactions)
        self.bodies.append(body)
        return body

    def grow(self, *transactions: SignedTransaction) -> list[Effect]:
        """Executes a block on the tip."""
        return self.move(0, transactions)

    def move(self, depth: int, *blocks: Sequence[SignedTransaction]) -> list[Effect]:
        """Leaves blocks, executes others, and tells the mempool."""
        removed = [self.bodies.pop() for _ in range(depth)]
        for _ in range(depth):
            self.chain.undo()
        added = [self.block(*each) for each in blocks]
        return self.obey(self.mempool.moved(removed, added, self.now_ms))

    def status(self, transaction: SignedTransaction) -> Status | None:
        return self.mempool.status(transaction.hash)

    def stage(self, transaction: SignedTransaction) -> Stage | None:
        found = self.status(transaction)
        return None if found is None else found.stage


def note_of(transaction: SignedTransaction, output: int = 0) -> tuple[bytes, int]:
    """The id and the value of an output of a transaction's only operation."""
    operation = transaction.transaction.operations[0]
    assert isinstance(operation, Transfer)
    return outputs_of(operation)[output], operation.outputs[output].value


def fee_of(transaction: SignedTransaction) -> int:
    return mandatory_fee(transaction, execution_price=1, storage_price=1)


def reasons(effects: Sequence[Effect]) -> list[str]:
    """Why peers' transactions were refused."""
    return [str(each.reason) for each in effects if isinstance(each, Rejected)]


def passed_on(effects: Sequence[Effect]) -> list[bytes]:
    return [each.signed.hash for each in effects if isinstance(each, PassOn)]


def told(effects: Sequence[Effect]) -> list[tuple[bytes, Status]]:
    return [(each.hash, each.status) for each in effects if isinstance(each, Told)]


def answers(effects: Sequence[Effect]) -> list[Answer | Refuse]:
    return [each for each in effects if isinstance(each, Answer | Refuse)]
