"""Random transactions, blocks and reorganisations, against a model that knows no index."""

from chain_mempool import VALUE, Node, note_of
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from logos_chain.core.ledger.ledger import Admitted
from logos_chain.core.mempool.mempool import Mempool, Rejected
from logos_chain.core.mempool.types import BlockLimits, Limits, Stage, Worth, total
from logos_mantle.fees import total_execution_gas
from logos_mantle.transactions import SignedTransaction
from logos_mantle.transfers import Transfer

LIMITS = Limits(transactions=8, ancestors=3, age_ms=1000, safe_blocks=2)


def inputs(transaction: SignedTransaction) -> set[bytes]:
    operation = transaction.transaction.operations[0]
    assert isinstance(operation, Transfer)
    return set(operation.inputs)


def outputs(transaction: SignedTransaction) -> set[bytes]:
    operation = transaction.transaction.operations[0]
    assert isinstance(operation, Transfer)
    return {note_of(transaction, each)[0] for each in range(len(operation.outputs))}


class Model:
    """What should wait: a list in an order that can be executed, and since when."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.waiting: list[tuple[SignedTransaction, int]] = []
        self.chain: list[tuple[SignedTransaction, ...]] = []

    @property
    def transactions(self) -> list[SignedTransaction]:
        return [each for each, _ in self.waiting]

    def is_valid(self, transactions: list[SignedTransaction]) -> bool:
        verdicts = self.node.chain.rehearse(*transactions)
        return all(isinstance(each, Admitted) for each in verdicts)

    def ancestors(self, transaction: SignedTransaction) -> list[SignedTransaction]:
        wanted, found = inputs(transaction), []
        for each in reversed(self.transactions):
            if outputs(each) & wanted:
                found.append(each)
                wanted |= inputs(each)
        return found

    def worth(self, transaction: SignedTransaction) -> Worth:
        value = sum(self.value(each) for each in inputs(transaction))
        operation = transaction.transaction.operations[0]
        assert isinstance(operation, Transfer)
        size, gas = len(transaction.encoded), total_execution_gas(transaction)
        return Worth(value - sum(each.value for each in operation.outputs) - size - gas, size, gas)

    def value(self, note: bytes) -> int:
        for each in [*self.transactions, *[one for block in self.chain for one in block]]:
            operation = each.transaction.operations[0]
            assert isinstance(operation, Transfer)
            for place in range(len(operation.outputs)):
                if note_of(each, place)[0] == note:
                    return operation.outputs[place].value
        return VALUE

    def rate(self, transaction: SignedTransaction) -> int:
        package = [transaction, *self.ancestors(transaction)]
        return min(self.worth(transaction).rate, total(self.worth(each) for each in package).rate)

    def is_taken(self, transaction: SignedTransaction, now_ms: int) -> bool:
        """Takes a transaction, if it may be."""
        before = self.ancestors(transaction)
        taken = {note for each in self.transactions for note in inputs(each)}
        if (
            taken & inputs(transaction)
            or len(before) > LIMITS.ancestors
            or not self.is_valid([*reversed(before), transaction])
            or not self.has_room(transaction)
        ):
            return False
        self.waiting.append((transaction, now_ms))
        return True

    def has_room(self, transaction: SignedTransaction) -> bool:
        if len(self.waiting) < LIMITS.transactions:
            return True
        victim = self.cheapest([each.hash for each in self.ancestors(transaction)])
        if victim is None or self.rate(victim) >= self.rate(transaction):
            return False
        self.remove(victim)
        return True

    def cheapest(self, spared: list[bytes]) -> SignedTransaction | None:
        spent = {note for each in self.transactions for note in inputs(each)}
        last = [
            (self.rate(each), -place, each)
            for place, each in enumerate(self.transactions)
            if not outputs(each) & spent and each.hash not in spared
        ]
        return min(last, key=lambda one: one[:2])[2] if last else None

    def remove(self, transaction: SignedTransaction) -> None:
        self.waiting = [each for each in self.waiting if each[0].hash != transaction.hash]

    def sift(self) -> None:
        """Drops what can no longer be executed."""
        verdicts = self.node.chain.rehearse(*self.transactions)
        self.waiting = [
            each
            for each, verdict in zip(self.waiting, verdicts, strict=True)
            if isinstance(verdict, Admitted)
        ]

    def move(self, depth: int, added: list[tuple[SignedTransaction, ...]], now_ms: int) -> None:
        removed = [self.chain.pop() for _ in range(depth)]
        self.chain += added
        included = {each.hash for block in added for each in block}
        back = [each for block in reversed(removed) for each in block]
        taken = {note for each in self.transactions for note in inputs(each)}
        kept = [
            (each, now_ms)
            for each in back
            if each.hash not in included and not inputs(each) & taken
        ]
        left = [each for each in self.waiting if each[0].hash not in included]
        self.waiting = kept + left
        self.sift()
        while len(self.waiting) > LIMITS.transactions:
            victim = self.cheapest([])
            assert victim is not None
            self.remove(victim)

    def expire(self, now_ms: int) -> None:
        self.waiting = [each for each in self.waiting if each[1] + LIMITS.age_ms > now_ms]
        self.sift()


class MempoolMachine(RuleBasedStateMachine):
    """Few notes and few tips, so that transactions conflict, follow each other and compete."""

    @initialize()
    def begin(self) -> None:
        self.node = Node(LIMITS, funds=12)
        self.model = Model(self.node)
        self.seen: list[SignedTransaction] = []
        self.proofs: dict[bytes, bool] = {}

    @rule(
        data=st.data(),
        tip=st.sampled_from([0, 300, 300, 2000, 9000]),
        is_valid=st.integers(0, 4).map(bool),
    )
    def receive(self, data: st.DataObject, *, tip: int, is_valid: bool) -> None:
        transaction = self.draw(data, tip)
        expected = transaction.hash not in [each.hash for each in self.model.transactions]
        is_valid = self.proofs.setdefault(transaction.hash, is_valid)

        effects = self.node.receive(transaction)
        for check in list(self.node.asked):
            del self.node.asked[check]
            report = self.node.mempool.verified if is_valid else self.node.mempool.invalid
            effects += self.node.obey(report(check, self.node.now_ms))

        is_taken = expected and is_valid and self.model.is_taken(transaction, self.node.now_ms)
        refused = any(isinstance(each, Rejected) for each in effects)
        assert is_taken == (not refused), effects

    def draw(self, data: st.DataObject, tip: int) -> SignedTransaction:
        """A new transaction, or one that was there."""
        if self.seen and data.draw(st.integers(0, 5), "again") == 0:
            return data.draw(st.sampled_from(self.seen), "which")
        known = self.seen[-12:]
        if known and data.draw(st.booleans(), "follow"):
            parent = data.draw(st.sampled_from(known), "parent")
            note, value = note_of(parent, -1)
            if value <= 20_000:
                note, value = self.node.notes[0], VALUE
        else:
            note, value = data.draw(st.sampled_from(self.node.notes), "fund"), VALUE
        if data.draw(st.integers(0, 3), "split") == 0:
            made = self.node.split(note, value)
        else:
            made = self.node.spend(note, value, tip)
        self.seen.append(made)
        return made

    @precondition(lambda self: self.node.chain.slot < 90)
    @rule(data=st.data(), depth=st.integers(0, 3), blocks=st.integers(1, 2))
    def move(self, data: st.DataObject, depth: int, blocks: int) -> None:
        """The chain goes on, or leaves blocks, with what waits and what does not."""
        depth = min(depth, len(self.node.bodies))
        removed = [self.node.bodies.pop() for _ in range(depth)]
        for _ in range(depth):
            self.node.chain.undo()
        pool = [*self.model.transactions, *[one for b in removed for one in b.transactions]]
        pool += self.seen[-6:]
        added = []
        for _ in range(blocks):
            held: list[SignedTransaction] = []
            for each in data.draw(st.lists(st.sampled_from(pool), max_size=5), "b") if pool else []:
                if self.model.is_valid([*held, each]):
                    held.append(each)
            added.append(self.node.block(*held))
        now_ms = self.node.now_ms

        self.node.obey(self.node.mempool.moved(removed, added, now_ms))
        self.node.settle()

        self.model.move(depth, [each.transactions for each in added], now_ms)

    @precondition(lambda self: self.node.chain.slot < 90 and self.model.waiting)
    @rule(transactions=st.integers(1, 4))
    def propose(self, transactions: int) -> None:
        limits = BlockLimits(transactions=transactions)

        chosen = self.node.mempool.choose(self.node.now_ms, limits)

        assert 0 < len(chosen) <= transactions
        self.node.grow(*chosen)
        self.model.move(0, [chosen], self.node.now_ms)

    @precondition(lambda self: self.node.bodies)
    @rule(data=st.data())
    def finalise(self, data: st.DataObject) -> None:
        """Told, though these blocks may be left again: only the statuses look at it."""
        body = self.node.bodies[0]
        self.node.obey(self.node.mempool.finalised([body.block], self.node.now_ms))
        for each in body.transactions:
            assert self.node.stage(each) is Stage.FINAL
        del self.node.bodies[0]

    @rule(passed_ms=st.sampled_from([1, 200, 500, 1000]))
    def wait(self, passed_ms: int) -> None:
        end_ms = self.node.now_ms + passed_ms
        while (due_ms := self.node.mempool.next_wake_ms()) is not None and due_ms <= end_ms:
            self.node.now_ms = due_ms
            self.node.obey(self.node.mempool.tick(due_ms))
            self.model.expire(due_ms)
        self.node.now_ms = end_ms

    @rule()
    def restart(self) -> None:
        """What waits is what was saved; nothing of it is verified again."""
        saved = self.node.mempool.save()
        before = self.node.mempool._statuses
        self.node.mempool = Mempool(self.node.rehearse, LIMITS)
        self.node.mempool._statuses = before  # those are of the blocks, which are not saved here

        self.node.obey(self.node.mempool.restore(saved, self.node.now_ms))

        assert not self.node.asked

    @invariant()
    def agrees_with_the_model(self) -> None:
        waiting, mempool = self.node.mempool.waiting(), self.node.mempool
        assert {each.hash for each in waiting} == {each.hash for each in self.model.transactions}
        assert len(mempool) <= LIMITS.transactions
        assert mempool.size_bytes == sum(len(each.encoded) for each in waiting)
        assert self.model.is_valid(waiting)
        assert all(self.node.stage(each) is Stage.PENDING for each in waiting)

    @invariant()
    def tells_where_transactions_are(self) -> None:
        for depth, body in enumerate(reversed(self.node.bodies)):
            wanted = Stage.SAFE if depth >= LIMITS.safe_blocks else Stage.INCLUDED
            for each in body.transactions:
                status = self.node.status(each)
                assert status is not None
                assert status.block == body.block
                assert status.stage is wanted or (
                    status.stage is Stage.SAFE and wanted is Stage.INCLUDED
                )

    @invariant()
    def has_nothing_left_over(self) -> None:
        assert len(self.node.mempool._checking) == 0
        assert not self.node.mempool._unverified
        if not self.model.waiting:
            waiting = self.node.mempool._waiting
            assert (waiting._takers, waiting._users, waiting._makers) == ({}, {}, {})


TestMempoolMachine = MempoolMachine.TestCase
TestMempoolMachine.settings = settings(
    max_examples=20,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
