"""Random blocks, reorganisations and orders, against states kept whole and a replay (WAL-10 to
WAL-18; acceptance: two transfers or two claims of a wallet never choose one note or voucher).
"""

from chain_wallet import (
    CHANNEL,
    PARAMETERS,
    PRICES,
    ROOT,
    SEED,
    SHARE,
    SHOP,
    WATCHED,
    Chain,
    Chance,
    named,
    payment,
    wallet,
)
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from logos_base.errors import LogosError
from logos_base.machine import Answer, Ticket
from logos_chain.core.ledger.types import UnspentNote
from logos_chain.core.wallet.derivation import Account
from logos_chain.core.wallet.types import (
    Draft,
    Dropped,
    Effect,
    Entry,
    Excluded,
    Included,
    Moved,
    Order,
    Settled,
    Unmoved,
)
from logos_chain.core.wallet.waiting import uses
from logos_chain.core.wallet.wallet import Wallet
from logos_crypto.trees import FrontierTree, LedgerTree
from logos_mantle.channels import ChannelDeposit, ChannelWithdraw
from logos_mantle.derivations import public_key
from logos_mantle.notes import Note, note_id
from logos_mantle.services import SdpDeclare, Service
from logos_mantle.transactions import Transaction
from logos_mantle.transfers import LeaderClaim, Transfer

VALUES = st.sampled_from([1, 30, 1_000, 2_000, 2_000, 5_000, 50_000])


def needs(transaction: Transaction) -> set[bytes]:
    """The notes and vouchers that a draft reserves."""
    found = {each for operation in transaction.operations for each in uses(operation)}
    claims = [each for each in transaction.operations if isinstance(each, LeaderClaim)]
    return found | {each.voucher_nullifier for each in claims}


class WalletMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.chain = Chain()
        self.wallet = wallet()
        self.now_ms = 0
        self.names = 0
        self.alive: dict[bytes, Draft] = {}
        self.unsubmitted: dict[bytes, int] = {}
        self.history: list[Entry] = []
        self.forgotten = 0
        self.rewards: set[bytes] = set()

    def obey(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Moved(entry):
                    self.history.append(entry)
                case Unmoved(entry):
                    assert self.history.pop() == entry
                case Answer(value=value):
                    assert isinstance(value, Draft)
                    self.take(value)
                case Dropped(transaction) | Settled(transaction):
                    del self.alive[transaction]
                    self.unsubmitted.pop(transaction, None)
                case Included(transaction) | Excluded(transaction):
                    assert transaction in self.alive
                    self.unsubmitted.pop(transaction, None)

    def take(self, draft: Draft) -> None:
        """A new draft shares nothing with those that wait."""
        for each in self.alive.values():
            assert not needs(each.transaction) & needs(draft.transaction)
            assert not set(each.keys) & set(draft.keys)
        self.alive[draft.hash] = draft
        self.unsubmitted[draft.hash] = self.now_ms + PARAMETERS.draft_ms

    def own_notes(self) -> dict[bytes, UnspentNote]:
        keys = self.wallet.keys
        return {
            key: each
            for key, each in self.chain.state.notes.items()
            if each.note.public_key in keys and not keys.is_watched(each.note.public_key)
        }

    @rule(data=st.data())
    def block(self, data: st.DataObject) -> None:
        transactions: list[Transaction] = []
        kinds = st.lists(st.sampled_from(["paid", "own", "own", "theft", "zone"]), max_size=4)
        for kind in data.draw(kinds, "kinds"):
            made = getattr(self, kind)(data)
            if made is not None and self.chain.fits([*transactions, made]):
                transactions.append(made)
        voucher = self.wallet.issue_voucher().commitment if data.draw(st.booleans()) else b""
        changes = self.chain.block(
            *transactions,
            voucher=voucher,
            ends_epoch=data.draw(st.booleans(), "epoch ends"),
            direct=self.direct(data, transactions),
        )

        self.obey(self.wallet.applied(changes, self.now_ms))

    def paid(self, data: st.DataObject) -> Transaction:
        self.names += 1
        key = data.draw(st.sampled_from([self.wallet.keys.receive_key(), WATCHED, SHOP]))
        return payment(f"source {self.names}", Note(data.draw(VALUES), key), Note(7, SHOP))

    def own(self, data: st.DataObject) -> Transaction | None:
        included = {each.hash for block in self.chain.blocks for each in block.transactions}
        fits = [each.transaction for key, each in self.alive.items() if key not in included]
        return data.draw(st.sampled_from(fits)) if fits else None

    def theft(self, data: st.DataObject) -> Transaction | None:
        """The same phrase in another wallet: it knows nothing of what is reserved."""
        notes = sorted(self.own_notes())
        if not notes:
            return None
        self.names += 1
        return Transaction((Transfer((data.draw(st.sampled_from(notes)),), (Note(1, SHOP),)),))

    def zone(self, data: st.DataObject) -> Transaction | None:
        notes = self.own_notes()
        if not notes:
            return None
        chosen = data.draw(st.sampled_from(sorted(notes)))
        if notes[chosen].channel:
            return Transaction((ChannelWithdraw(CHANNEL, (chosen,)),))
        return Transaction((ChannelDeposit(CHANNEL, (chosen,), b""),))

    def direct(
        self, data: st.DataObject, transactions: list[Transaction]
    ) -> dict[bytes, UnspentNote]:
        """Rewards of a service, and a lock that ends."""
        direct: dict[bytes, UnspentNote] = {}
        if data.draw(st.integers(0, 5), "reward") == 0:
            self.names += 1
            key = self.wallet.keys.receive_key()
            self.rewards.add(named(f"rewarded {self.names}"))
            direct[named(f"rewarded {self.names}")] = UnspentNote(Note(9_000, key), 0)
        locked = [key for key, each in self.own_notes().items() if each.declaration]
        if locked and data.draw(st.booleans(), "unlock"):
            key = data.draw(st.sampled_from(sorted(locked)))
            direct[key] = UnspentNote(self.chain.state.notes[key].note, 0)
        return direct

    @precondition(lambda self: len(self.chain.blocks) > self.chain.final)
    @rule(depth=st.integers(1, 4))
    def undo(self, depth: int) -> None:
        for _ in range(min(depth, len(self.chain.blocks) - self.chain.final)):
            changes = self.chain.undo()
            self.obey(self.wallet.undone(changes.block, self.now_ms))

    @precondition(lambda self: len(self.chain.blocks) > self.chain.final)
    @rule(count=st.integers(1, 3))
    def finalise(self, count: int) -> None:
        before = self.chain.final
        self.chain.final = min(before + count, len(self.chain.blocks))
        settled = self.chain.blocks[before : self.chain.final]
        hashes = {each.hash for block in settled for each in block.transactions}
        gone = {key for block in settled for key, pair in block.notes.items() if pair[1] is None}
        gone |= {each for block in settled for each in block.nullifiers}
        expected = {
            key
            for key, each in self.alive.items()
            if key not in hashes and not needs(each.transaction) & gone
        }

        self.obey(self.wallet.finalised(settled[-1].block, self.now_ms))

        assert set(self.alive) == expected

    @rule(
        values=st.lists(VALUES, max_size=2), data=st.data(), kind=st.sampled_from(["", "", "lock"])
    )
    def prepare(self, values: list[int], data: st.DataObject, kind: str) -> None:
        free = sorted(self.own_notes())
        operations: tuple[SdpDeclare, ...] = ()
        if kind and free:
            self.names += 1
            names = [named(f"{part} {self.names}") for part in "pz"]
            locked = data.draw(st.sampled_from(free))
            operations = (SdpDeclare(Service.BLEND_NETWORK, (), names[0], names[1], locked),)
        inputs = (
            data.draw(st.just([]) | st.lists(st.sampled_from(free), max_size=2)) if free else []
        )
        order = Order(
            tuple([Note(each, SHOP) for each in values]), operations, inputs=tuple(inputs)
        )
        before = self.wallet.reserved()
        try:
            effects = self.wallet.prepare(Ticket(1), order, PRICES, self.now_ms)
        except LogosError:
            assert self.wallet.reserved() == before
            return
        self.obey(effects)
        [draft] = [each.value for each in effects if isinstance(each, Answer)]
        assert isinstance(draft, Draft)
        assert self.is_balanced(draft)

    def is_balanced(self, draft: Draft) -> bool:
        """Whether its transfer spends free notes of the wallet, for all that it gives."""
        [transfer] = [e for e in draft.transaction.operations if isinstance(e, Transfer)]
        notes = [self.own_notes()[each] for each in transfer.inputs]
        assert not any(each.channel or each.declaration for each in notes)
        assert draft.signing_keys == tuple(each.note.public_key for each in notes)
        left = sum(each.note.value for each in notes) - sum(e.value for e in transfer.outputs)
        return left == draft.fee + draft.tip

    @rule()
    def claim(self) -> None:
        try:
            effects = self.wallet.claim(
                Ticket(2), root=named("root"), share=SHARE, prices=PRICES, now_ms=self.now_ms
            )
        except LogosError:
            return
        self.obey(effects)

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def submit(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from(list(self.alive)))
        self.obey(self.wallet.submitted(chosen, self.now_ms))
        self.unsubmitted.pop(chosen, None)

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from(list(self.alive)))
        self.obey(self.wallet.dropped(chosen, self.now_ms))
        assert (chosen in self.alive) == (chosen in self.included())

    @rule(later_ms=st.sampled_from([1, 400, 1000]))
    def wait(self, later_ms: int) -> None:
        self.now_ms += later_ms
        due = self.wallet.next_wake_ms()
        assert due == min(self.unsubmitted.values(), default=None)
        if due is not None and due <= self.now_ms:
            expected = {key for key, at in self.unsubmitted.items() if at > self.now_ms}
            self.obey(self.wallet.tick(self.now_ms))
            assert set(self.unsubmitted) == expected

    @rule()
    def restart(self) -> None:
        """WAL-22: what was kept, then the same blocks, is what would have been without a stop."""
        kept, final = self.wallet, self.chain.final
        self.wallet = Wallet.restored(
            Account(SEED), Chance(), kept.snapshot(), parameters=PARAMETERS
        )
        assert self.wallet.snapshot() == kept.snapshot()
        for each in self.unsubmitted:
            del self.alive[each]
        self.unsubmitted.clear()
        for draft in self.alive.values():
            self.obey(self.wallet.resume(draft, self.now_ms))
        self.history = [each for each in self.history if each.height <= final]
        self.forgotten = len(self.history)
        for changes in self.chain.blocks[final:]:
            self.obey(self.wallet.applied(changes, self.now_ms))
        assert self.wallet.notes() == kept.notes()
        assert self.wallet.vouchers() == kept.vouchers()
        assert self.wallet.voucher_ring.next_number == kept.voucher_ring.next_number
        assert self.wallet.snapshot() == kept.snapshot()

    def included(self) -> set[bytes]:
        return {each.hash for block in self.chain.blocks for each in block.transactions}

    def unchanged_since(self, height: int) -> int:
        """The sum of free own notes that are the same in all states since a height."""
        if height < 0:
            return 0
        states = self.chain.states[height:]
        return sum(
            each.note.value
            for key, each in self.own_notes().items()
            if not each.channel
            and not each.declaration
            and all(state.notes.get(key) == each for state in states)
        )

    @invariant()
    def balances_are_those_of_the_states(self) -> None:
        balances, tip = self.wallet.balances(), len(self.chain.blocks)
        own, included = self.own_notes(), self.included()
        reserved = {each for draft in self.alive.values() for each in needs(draft.transaction)}
        free = {k: e.note.value for k, e in own.items() if not e.channel and not e.declaration}
        assert balances.confirmed == sum(free.values())
        assert balances.safe == self.unchanged_since(tip + 1 - PARAMETERS.safe_blocks)
        assert balances.final == self.unchanged_since(self.chain.final)
        assert balances.locked == sum(e.note.value for e in own.values() if e.declaration)
        assert balances.in_channels == sum(e.note.value for e in own.values() if e.channel)
        assert balances.reserved == sum(value for key, value in free.items() if key in reserved)
        assert balances.pending == sum(
            draft.change.value
            for key, draft in self.alive.items()
            if draft.change is not None and key not in included
        )
        watched = [e for e in self.chain.state.notes.values() if e.note.public_key == WATCHED]
        assert balances.watched == sum(each.note.value for each in watched)

    @invariant()
    def every_own_note_of_an_operation_can_lead(self) -> None:
        """WAL-21: what is told of a note's origin makes its id."""
        leaders = {each.id: each for each in self.wallet.leader_notes()}
        own = self.own_notes()
        assert set(leaders) == {each for each in own if each not in self.rewards}
        for key, each in leaders.items():
            assert note_id(each.operation_id, each.output_index, own[key].note) == key
            assert public_key(each.leader.secret_key) == each.public_key

    @invariant()
    def every_voucher_that_can_be_claimed_has_its_path(self) -> None:
        """WAL-29."""
        tree, state = FrontierTree(), self.chain.state
        if state.appended:
            tree.append_many(state.headers[: state.appended])
        for each in self.wallet.vouchers():
            path = self.wallet.voucher_path(each.voucher.number)
            assert (path is not None) == each.is_claimable
            if path is not None:
                assert LedgerTree.verify(each.voucher.commitment, path, tree.root)

    @invariant()
    def what_waits_is_what_was_drafted(self) -> None:
        assert {each.hash for each in self.wallet.waiting()} == set(self.alive)
        assert self.wallet.tip == (self.chain.blocks[-1].block if self.chain.blocks else ROOT)

    @invariant()
    def history_adds_up(self) -> None:
        history, balances = self.history, self.wallet.balances()
        assert self.wallet.history() == history[self.forgotten :]
        own = sum(e.received - e.spent for e in history if not e.is_watched)
        assert own == balances.confirmed + balances.locked
        watched = sum(e.received - e.spent for e in history if e.is_watched)
        assert watched == balances.watched

    def teardown(self) -> None:
        """A wallet that is restored from the phrase, by a scan, has the same."""
        if not hasattr(self, "chain"):
            return
        restored = wallet()
        for each in self.chain.blocks:
            restored.applied(each, 0)
        if self.chain.final:
            restored.finalised(self.chain.blocks[self.chain.final - 1].block, 0)
        found, kept = restored.balances(), self.wallet.balances()
        for name in ("confirmed", "safe", "final", "locked", "in_channels", "watched"):
            assert getattr(found, name) == getattr(kept, name)
        assert restored.history() == self.history
        assert restored.vouchers() == self.wallet.vouchers()
        assert restored.notes() == self.wallet.notes()


WalletMachine.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestWallet = WalletMachine.TestCase
