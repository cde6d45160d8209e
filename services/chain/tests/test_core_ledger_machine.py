"""Random blocks, undone and done again, against an oracle and a replay: acceptance 6 and 11."""

from typing import Any

from chain_ledger import (
    ALICE,
    BOB,
    CHANNEL,
    EPOCH_SLOTS,
    KEYS,
    PARAMETERS,
    Chain,
    activity,
    contents,
    declaration,
    epoch_state,
    field_of,
    genesis,
    named,
    signed,
)
from chain_ledger_oracle import Held, Oracle
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from logos_chain.core.ledger.ledger import Admitted, Applied
from logos_chain.core.ledger.services import activity_distance
from logos_mantle.channels import (
    ChannelConfig,
    ChannelDeposit,
    ChannelInscribe,
    ChannelTransfer,
    ChannelWithdraw,
)
from logos_mantle.derivations import voucher_commitment, voucher_nullifier
from logos_mantle.notes import Note
from logos_mantle.operations import Operation
from logos_mantle.services import SdpActive, SdpWithdraw
from logos_mantle.transactions import SignedTransaction
from logos_mantle.transfers import LeaderClaim, Transfer

NAMES = ("a", "b", "c", "d", "e", "f")
STAKES = (1_000_000, 2_990_000_000, 10_000_000_000)
KINDS = (
    "transfer",
    "inscribe",
    "configure",
    "deposit",
    "withdraw",
    "move",
    "declare",
    "leave",
    "show",
    "claim",
)
TOKENS = {
    epoch: [activity(epoch, key_nullifier=named(f"t {epoch} {at}")) for at in range(12)]
    for epoch in range(30)
}


def kind_of(held: Held) -> str:
    if held.declaration:
        return "locked"
    if held.channel:
        return "owned"
    return "rich" if held.note.value > 50_000 else "free"


class LedgerMachine(RuleBasedStateMachine):
    """Operations are drawn from what there is, and sometimes from what is not."""

    @initialize(stake=st.sampled_from(STAKES))
    def begin(self, stake: int) -> None:
        values = (1_000_000,) * 14 + (5000, 999)
        self.chain = Chain(PARAMETERS, genesis(values, NAMES[:3]), stake)
        self.oracles = [Oracle.of(self.chain.genesis, stake)]
        self.undone: list[tuple[Any, Any, Oracle]] = []
        self.drawn = 0
        self.seen: list[bytes] = list(self.oracles[0].notes)
        free = list(self.oracle.notes)[10:12]
        first = ChannelConfig(CHANNEL, KEYS[:1], 0, 0, 1, 1)
        made = self.chain.paid(first, ChannelDeposit(CHANNEL, tuple(free), b""), signatures=[0])
        assert self.execute((made,), 1)

    @property
    def oracle(self) -> Oracle:
        return self.oracles[-1]

    @rule(data=st.data(), gap=st.sampled_from([1, 7, 45, 45, 100, 100, 230]))
    def later_block(self, data: st.DataObject, gap: int) -> None:
        self.block(data, gap)

    @rule(data=st.data())
    def next_block(self, data: st.DataObject) -> None:
        self.block(data, 1)

    def block(self, data: st.DataObject, gap: int) -> None:
        slot = self.chain.slot + gap
        if slot >= 25 * EPOCH_SLOTS:
            return
        held: tuple[SignedTransaction, ...] = ()
        for _ in range(data.draw(st.integers(1, 5), "transactions")):
            more = (*held, self.transaction(data, slot))
            is_kept = self.oracle.block(more, slot, field_of(1)) is not None
            if is_kept or data.draw(st.integers(0, 9), "keep") == 0:
                held = more

        self.execute(held, slot)

    def execute(self, transactions: tuple[SignedTransaction, ...], slot: int) -> bool:
        """Executes a block with both; returns whether it stands."""
        voucher = voucher_commitment(self.secret(slot))
        expected = self.oracle.block(transactions, slot, voucher)
        before, head = contents(self.chain.ledger), self.chain.ledger.head

        rehearsed = self.chain.rehearse(*transactions, slot=slot)
        assert contents(self.chain.ledger) == before
        result = self.chain.block(*transactions, slot=slot, voucher=voucher)

        assert all(isinstance(each, Admitted) for each in rehearsed) == (expected is not None)
        assert isinstance(result, Applied) == (expected is not None), result
        if expected is None:
            assert contents(self.chain.ledger) == before
            assert self.chain.ledger.head == head
            return False
        self.oracles.append(expected)
        self.seen += [each for each in expected.notes if each not in before["notes"]]
        self.undone.clear()
        return True

    @precondition(lambda self: len(self.oracles) > 2)
    @rule(depth=st.integers(1, 4))
    def undo(self, depth: int) -> None:
        for _ in range(min(depth, len(self.oracles) - 2)):
            applied, block = self.chain.applied[-1], self.chain.blocks[-1]
            self.undone.append((applied, block, self.oracles.pop()))
            self.chain.undo()

    @precondition(lambda self: self.undone)
    @rule()
    def redo(self) -> None:
        applied, block, oracle = self.undone.pop()
        self.chain.ledger.redo(applied.delta)
        self.chain.applied.append(applied)
        self.chain.blocks.append(block)
        self.oracles.append(oracle)

    @invariant()
    def agrees_with_the_oracle(self) -> None:
        oracle, ledger = self.oracle, self.chain.ledger
        state = ledger._state
        notes = {key: (e.note, e.channel, e.declaration) for key, e in state.notes.items()}
        assert notes == {key: (e.note, e.channel, e.declaration) for key, e in oracle.notes.items()}
        channels = {key: (e.keys, e.tip) for key, e in state.channels.items() if e.keys}
        assert channels == {key: (e["keys"], e["tip"]) for key, e in oracle.channels.items()}
        assert {key for key, _ in state.nullifiers.items()} == oracle.nullifiers
        assert ledger.root == oracle.root
        head = ledger.head
        assert (head.burned, head.emitted) == (oracle.burned, oracle.emitted)
        assert (head.pool, head.voucher_root) == (oracle.pool, oracle.voucher_root())
        declared = {
            key: (e.created_epoch, e.active_epoch, e.withdrawn_epoch, e.nonce)
            for key, e in state.declarations.items()
        }
        assert declared == {
            key: (e.created, e.active, e.withdrawn, e.nonce)
            for key, e in oracle.declarations.items()
        }
        present = {each.declaration_id for each in head.snapshots.present}
        assert present == set(oracle.providers(head.epoch))

    @invariant()
    def every_token_is_somewhere(self) -> None:
        supply = self.chain.ledger.supply
        held = sum(each.note.value for each in self.oracle.notes.values())
        assert supply.is_conserved
        assert held == supply.notes.free + supply.notes.locked + supply.notes.in_channels

    def teardown(self) -> None:
        if hasattr(self, "chain"):
            assert contents(self.chain.replayed()) == contents(self.chain.ledger)

    def secret(self, slot: int) -> bytes:
        """Of the voucher of any block in this slot."""
        return field_of(1000 + slot)

    def transaction(self, data: st.DataObject, slot: int) -> SignedTransaction:
        self.drawn += 1
        kinds = data.draw(st.lists(st.sampled_from(KINDS), max_size=2), "operations")
        operations = [getattr(self, kind)(data, slot) for kind in kinds]
        count = data.draw(st.sampled_from([1, 1, 1, 1, 0, 2]), "signatures")
        source = self.inputs(data, 1, ("rich",))
        paying = Transfer(source, (Note(max(self.value(source) - 9000 - self.drawn, 1), BOB),))
        return signed(*operations, paying, signatures=[count] * len(operations))

    def inputs(self, data: st.DataObject, most: int, kinds: tuple[str, ...]) -> tuple[bytes, ...]:
        notes = self.oracle.notes
        fits = [key for key, each in notes.items() if kind_of(each) in kinds]
        if fits and data.draw(st.integers(0, 9), "right"):
            found = st.lists(st.sampled_from(fits), min_size=1, max_size=most, unique=True)
        else:
            wrong = [key for key in notes if key not in fits]
            found = st.lists(
                st.sampled_from(wrong or self.seen) | st.sampled_from(self.seen), max_size=most
            )
        return tuple(data.draw(found, "inputs"))

    def value(self, inputs: tuple[bytes, ...]) -> int:
        notes = self.oracle.notes
        return sum(notes[each].note.value for each in inputs if each in notes)

    def transfer(self, data: st.DataObject, slot: int) -> Operation:
        inputs = self.inputs(data, 2, ("free", "rich"))
        half = self.value(inputs) // 2
        more = data.draw(st.sampled_from([0, 0, 0, 1, 5_000_000]), "more")
        return Transfer(inputs, (Note(half + more, ALICE), Note(max(half - 5000, 0), BOB)))

    def inscribe(self, data: st.DataObject, slot: int) -> Operation:
        channel = data.draw(st.sampled_from([CHANNEL, named("second")]), "channel")
        state = self.oracle.channels.get(channel, {"tip": bytes(32), "keys": KEYS})
        parent = data.draw(st.sampled_from([state["tip"]] * 3 + [bytes(32)]), "parent")
        signer = data.draw(st.sampled_from([state["keys"][0]] * 3 + [KEYS[1]]), "signer")
        return ChannelInscribe(channel, bytes([self.drawn % 256]), parent, signer)

    def configure(self, data: st.DataObject, slot: int) -> Operation:
        keys = KEYS[: data.draw(st.integers(1, 3), "keys")]
        return ChannelConfig(CHANNEL, keys, 0, self.drawn % 3 * 10**6, 1, 1)

    def deposit(self, data: st.DataObject, slot: int) -> Operation:
        return ChannelDeposit(CHANNEL, self.inputs(data, 2, ("free", "rich")), b"")

    def withdraw(self, data: st.DataObject, slot: int) -> Operation:
        return ChannelWithdraw(CHANNEL, self.inputs(data, 2, ("owned",)))

    def move(self, data: st.DataObject, slot: int) -> Operation:
        inputs = self.inputs(data, 2, ("owned",))
        less = data.draw(st.sampled_from([0, 0, 0, 1]), "less")
        return ChannelTransfer(CHANNEL, inputs, (Note(max(self.value(inputs) - less, 0), BOB),))

    def declare(self, data: st.DataObject, slot: int) -> Operation:
        name = data.draw(st.sampled_from(NAMES), "name")
        locked = [*self.inputs(data, 1, ("free", "rich")), named("no")]
        return declaration(name, locked[0])

    def registered(self, data: st.DataObject) -> tuple[bytes, bytes, int]:
        found = [(key, e.message.locked_note_id) for key, e in self.oracle.declarations.items()]
        found.append((named("no"), named("no")))
        identifier, locked = data.draw(st.sampled_from(found), "declaration")
        return identifier, locked, data.draw(st.sampled_from([self.drawn] * 4 + [0]), "nonce")

    def leave(self, data: st.DataObject, slot: int) -> Operation:
        identifier, locked, nonce = self.registered(data)
        return SdpWithdraw(identifier, nonce, locked)

    def show(self, data: st.DataObject, slot: int) -> Operation:
        identifier, _, nonce = self.registered(data)
        epoch = slot // EPOCH_SLOTS
        tokens = TOKENS[max(epoch - 1, 0)]
        near = min(
            tokens, key=lambda each: activity_distance(PARAMETERS, each, epoch_state(epoch).nonce)
        )
        return SdpActive(identifier, nonce, data.draw(st.sampled_from([near] * 3 + tokens)))

    def claim(self, data: st.DataObject, slot: int) -> Operation:
        slots = [at for _, at, _ in self.chain.blocks] or [1]
        secret = self.secret(data.draw(st.sampled_from(slots), "voucher"))
        ahead = self.oracle.copied()
        ahead.slot = slot
        root = data.draw(st.sampled_from([ahead.voucher_root()] * 4 + [named("no")]), "root")
        return LeaderClaim(root, voucher_nullifier(secret), BOB)


LedgerMachine.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestLedger = LedgerMachine.TestCase
