"""The wallet on the chain's own ledger: what it drafts is admitted, what it counts is there."""

import chain_ledger
import pytest
from chain_ledger import EPOCH_SLOTS, genesis, signed
from chain_wallet import ROOT, SEED, SHOP, Chance

from logos_base.machine import Answer, Ticket
from logos_chain.core.ledger.ledger import Admitted, Applied, Ledger
from logos_chain.core.wallet.derivation import Account, Role
from logos_chain.core.wallet.types import BlockChanges, Draft, Order, Prices
from logos_chain.core.wallet.wallet import Wallet
from logos_mantle.derivations import blake2b, public_key
from logos_mantle.notes import Note
from logos_mantle.services import SdpDeclare, Service
from logos_mantle.transactions import SignedTransaction
from logos_mantle.transfers import Transfer

LOCATOR = chain_ledger.LOCATOR


class Node:
    """A ledger and a wallet that follows it."""

    def __init__(self) -> None:
        self.chain = chain_ledger.Chain(genesis=genesis())
        self.wallet = Wallet(Account(SEED), Chance(), tip=ROOT)

    @property
    def ledger(self) -> Ledger:
        return self.chain.ledger

    def prices(self) -> Prices:
        head = self.ledger.head
        return Prices(head.execution.price, head.storage.price)

    def block(
        self, *transactions: SignedTransaction, voucher: bytes = b"", slot: int | None = None
    ) -> BlockChanges:
        """Executes a block, and tells the wallet."""
        applied = self.chain.block(*transactions, voucher=voucher, slot=slot)
        assert isinstance(applied, Applied), applied
        changes = BlockChanges.of(
            blake2b(self.chain.slot.to_bytes(8, "big")),
            self.wallet.tip,
            voucher=self.chain.blocks[-1][2],
            transactions=transactions,
            applied=applied,
        )
        self.wallet.applied(changes, 0)
        return changes

    def undo(self, changes: BlockChanges) -> None:
        self.chain.undo()
        self.wallet.undone(changes.block, 0)

    def pay(self, *values: int) -> None:
        """Alice pays the wallet, to a key for each."""
        outputs = [Note(each, self.wallet.keys.receive_key()) for each in values]
        self.block(signed(Transfer((next(self.chain.funds),), tuple(outputs))))

    def draft(self, order: Order) -> Draft:
        [answer] = self.wallet.prepare(Ticket(1), order, self.prices(), 0)
        assert isinstance(answer, Answer)
        assert isinstance(answer.value, Draft)
        return answer.value

    def check(self) -> None:
        """The balances are the sums of the ledger's notes."""
        keys, notes = self.wallet.keys, self.ledger._state.notes
        own = [each for _, each in notes.items() if each.note.public_key in keys]
        balances = self.wallet.balances()
        assert balances.confirmed == sum(e.note.value for e in own if e.declaration is None)
        assert balances.locked == sum(e.note.value for e in own if e.declaration is not None)


@pytest.fixture
def node() -> Node:
    return Node()


def test_a_transfer_is_admitted_with_the_tip_that_it_names(node: Node) -> None:
    node.pay(5_000, 6_000, 7_000)
    drafted = node.draft(Order((Note(10_000, SHOP),), tip=5))
    transaction = signed(*drafted.transaction.operations)

    [admitted] = node.chain.rehearse(transaction)
    assert isinstance(admitted, Admitted)
    assert admitted.tip == drafted.tip
    changes = node.block(transaction)
    node.check()
    after = node.wallet.balances()
    node.undo(changes)
    node.check()
    node.block(transaction)
    assert node.wallet.balances() == after


def test_32_notes_are_joined(node: Node) -> None:
    node.pay(*[3_000] * 32)
    notes = tuple(node.wallet.notes())

    drafted = node.draft(Order(inputs=notes))
    node.block(signed(*drafted.transaction.operations))

    node.check()
    assert len(node.wallet.notes()) == 1


def test_a_claim_is_admitted(node: Node) -> None:
    voucher = node.wallet.issue_voucher()
    node.pay(5_000)
    node.block(voucher=voucher.commitment)
    node.block(slot=EPOCH_SLOTS)
    share = node.ledger.reward_share

    [answer] = node.wallet.claim(
        Ticket(1), root=node.ledger.head.voucher_root, share=share, prices=node.prices(), now_ms=0
    )
    assert isinstance(answer, Answer)
    assert isinstance(answer.value, Draft)
    before = node.wallet.balances().confirmed
    transaction = signed(*answer.value.transaction.operations)
    [admitted] = node.chain.rehearse(transaction)
    assert isinstance(admitted, Admitted), admitted
    assert admitted.tip == answer.value.tip
    node.block(transaction)

    node.check()
    [state] = node.wallet.vouchers()
    assert state.is_claimed
    assert node.ledger.is_claimed(state.voucher.nullifier)
    assert node.wallet.balances().confirmed == before + share - answer.value.fee - admitted.tip
    assert node.wallet.history()[-1].received == share - answer.value.fee - admitted.tip


def test_a_declaration_locks_its_note(node: Node) -> None:
    node.pay(5_000, 6_000)
    [locked] = [key for key, each in node.wallet.notes().items() if each.note.value == 5_000]
    zk_id = public_key(Account(SEED).secret_key(Role.RECEIVE, 9))
    declare = SdpDeclare(Service.BLEND_NETWORK, (LOCATOR,), blake2b(b"provider"), zk_id, locked)

    drafted = node.draft(Order(operations=(declare,)))
    node.block(signed(*drafted.transaction.operations))

    node.check()
    assert node.wallet.balances().locked == 5_000
