"""What the mempool takes, refuses, holds and tells. Rules: docs/protocol/chain-mempool.md."""

import pytest
from chain_ledger import ALICE, CHANNEL, KEYS, named, signed
from chain_mempool import PEER, Node, answers, passed_on, reasons, told

from logos_base.errors import ConfigError
from logos_base.machine import Answer, Refuse, Ticket
from logos_chain.core.ledger.errors import Refusal
from logos_chain.core.ledger.obligations import Ed25519Obligation
from logos_chain.core.mempool.checking import check_id
from logos_chain.core.mempool.errors import (
    MempoolBusyError,
    MempoolFullError,
    MempoolRefusal,
    ProofInvalidError,
    SubmissionRefusedError,
    TransactionConflictError,
    TransactionIncludedError,
    TransactionKnownError,
    TransactionMalformedError,
)
from logos_chain.core.mempool.mempool import Mempool, Rejected, Verify
from logos_chain.core.mempool.types import Limits, Saved, Stage, Status
from logos_mantle.channels import ChannelConfig, ChannelDeposit, ChannelInscribe, message_id
from logos_mantle.notes import Note
from logos_mantle.proofs import ZkSignatureProof
from logos_mantle.transactions import SignedTransaction
from logos_mantle.transfers import Transfer


def with_proof(transaction: SignedTransaction, byte: int) -> SignedTransaction:
    """The same transaction with another proof of its one operation."""
    return SignedTransaction(transaction.transaction, (ZkSignatureProof(bytes([byte]) * 128),))


class TestTaking:
    def test_waits_and_is_passed_on_once_it_is_verified(self) -> None:
        """MPL-3, MPL-9."""
        node = Node()
        transaction = node.spend(node.notes[0])

        asked = node.receive(transaction)
        assert [type(each) for each in asked] == [Verify]
        assert node.status(transaction) is None
        settled = node.settle()

        assert passed_on(settled) == [transaction.hash]
        assert told(settled) == [(transaction.hash, Status(Stage.PENDING))]
        assert node.mempool.get(transaction.hash) == transaction

    def test_own_transaction_is_answered_by_its_hash_when_it_waits(self) -> None:
        """MPL-3."""
        node = Node()
        transaction = node.spend(node.notes[0])

        assert answers(node.submit(transaction, 7)) == []
        assert answers(node.settle()) == [Answer(Ticket(7), transaction.hash)]

    def test_what_is_malformed_is_the_senders_fault(self) -> None:
        """MPL-4, MPL-5."""
        node = Node()

        effects = node.mempool.received(b"\xff", PEER, 0)

        expected = Rejected(check_id(b"\xff"), PEER, MempoolRefusal.MALFORMED)
        assert effects == [expected]
        assert expected.is_fault

    def test_the_same_again_is_known(self) -> None:
        """MPL-4: while it is verified, while it waits, and in the chain."""
        node = Node()
        transaction = node.spend(node.notes[0])

        node.receive(transaction)
        assert reasons(node.receive(transaction, "other")) == ["ALREADY_KNOWN"]
        node.settle()
        assert reasons(node.receive(transaction)) == ["ALREADY_KNOWN"]
        node.grow(transaction)
        assert reasons(node.receive(transaction)) == ["ALREADY_INCLUDED"]

    def test_what_the_chain_has_is_refused_when_its_status_was_forgotten(self) -> None:
        """MPL-4: its notes are spent (LED-10)."""
        node = Node(Limits(statuses=1))
        transaction = node.spend(node.notes[0])
        node.grow(transaction)
        node.grow()
        assert node.status(transaction) is None

        (effect,) = node.receive(transaction)

        assert isinstance(effect, Rejected)
        assert effect.reason is Refusal.SPENT_NOTE
        assert not effect.is_fault

    def test_ledgers_refusal_is_the_reason(self) -> None:
        """MPL-4, MPL-5: what no chain allows is a fault, what this one does not is none."""
        node = Node()
        empty = signed(Transfer((node.notes[0],), (Note(0, ALICE),)))
        unknown = node.spend(named("no note"))

        effects = [*node.receive(empty), *node.receive(unknown)]

        assert reasons(effects) == ["EMPTY_NOTE", "UNKNOWN_NOTE"]
        assert [each.is_fault for each in effects if isinstance(each, Rejected)] == [True, False]

    def test_of_two_that_spend_one_note_the_first_stays(self) -> None:
        """MPL-6: whatever the second tips."""
        node = Node()
        first, second = node.spend(node.notes[0]), node.spend(node.notes[0], tip=5000)
        node.take(first)

        assert reasons(node.receive(second)) == ["CONFLICT"]
        assert node.mempool.waiting() == [first]

    def test_what_is_not_verified_keeps_nothing_out(self) -> None:
        """MPL-6, MPL-9: neither a conflicting one nor one with the same hash."""
        node = Node()
        honest = node.spend(node.notes[0])
        forged, rival = with_proof(honest, 1), node.spend(node.notes[0], tip=9)
        node.receive(forged, "liar")
        node.receive(rival, "liar")
        node.receive(honest)

        node.mempool.verified(check_id(honest.encoded), 0)

        assert node.mempool.waiting() == [honest]
        assert reasons(node.mempool.verified(check_id(rival.encoded), 0)) == ["CONFLICT"]
        assert reasons(node.mempool.invalid(check_id(forged.encoded), 0)) == ["INVALID_PROOF"]

    def test_invalid_bytes_are_not_verified_twice_on_one_tip(self) -> None:
        """MPL-9."""
        node = Node()
        transaction = node.spend(node.notes[0])
        node.receive(transaction)
        node.obey(node.mempool.invalid(check_id(transaction.encoded), 0))

        assert reasons(node.receive(transaction)) == ["INVALID_PROOF"]
        assert [type(each) for each in node.receive(with_proof(transaction, 1))] == [Verify]
        node.grow()
        assert [type(each) for each in node.receive(transaction)] == [Verify]

    def test_own_transactions_are_refused_by_class(self) -> None:
        """MPL-4."""
        node = Node(Limits(transactions=1, own_checking=1))
        first, third = node.spend(node.notes[0], tip=50), node.spend(node.notes[2], tip=90)

        def error(effects: list[object]) -> type[Exception]:
            (refusal,) = [each for each in effects if isinstance(each, Refuse)]
            return type(refusal.error)

        assert error([*node.mempool.submit(Ticket(1), b"", 0)]) is TransactionMalformedError
        node.submit(first)
        assert error([*node.submit(third)]) is MempoolBusyError
        node.settle()
        assert error([*node.submit(first)]) is TransactionKnownError
        assert error([*node.submit(node.spend(node.notes[0]))]) is TransactionConflictError
        assert error([*node.submit(node.spend(node.notes[1]))]) is MempoolFullError
        assert error([*node.submit(node.spend(named("none")))]) is SubmissionRefusedError
        node.submit(third)
        invalid = node.mempool.invalid(check_id(third.encoded), 0)
        assert error([*invalid]) is ProofInvalidError
        node.grow(first)
        assert error([*node.submit(first)]) is TransactionIncludedError


class TestFollowing:
    def test_child_may_come_while_its_parent_is_verified(self) -> None:
        """MPL-8: it is held, and taken after it."""
        node = Node()
        parent = node.spend(node.notes[0])
        child = node.follow(parent)
        grandchild = node.follow(child)

        node.receive(parent)
        assert node.receive(child) == []
        assert node.receive(grandchild) == []
        settled = node.settle()

        assert passed_on(settled) == [parent.hash, child.hash, grandchild.hash]
        assert node.mempool.waiting() == [parent, child, grandchild]

    def test_what_is_held_falls_with_what_it_follows(self) -> None:
        """MPL-8."""
        node = Node()
        parent = node.spend(node.notes[0])
        child = node.follow(parent)
        node.receive(parent)
        node.receive(child)
        node.receive(node.follow(child))

        effects = node.mempool.invalid(check_id(parent.encoded), 0)

        assert reasons(effects) == ["INVALID_PROOF", "UNKNOWN_NOTE", "UNKNOWN_NOTE"]
        assert len(node.mempool._checking) == 0

    def test_two_that_follow_each_other_hold_no_place(self) -> None:
        """MPL-8: only what came before holds."""
        node = Node()
        chain, notes, other = node.chain, node.notes, named("other channel")

        def configured(channel: bytes, key: int) -> ChannelConfig:
            return ChannelConfig(channel, KEYS[key : key + 1], 0, 0, 1, 1)

        opener = chain.paid(configured(CHANNEL, 0), signatures=[0])
        deposits = [
            ChannelDeposit(CHANNEL, (notes[9],), b""),
            ChannelDeposit(other, (notes[10],), b""),
        ]
        one = chain.paid(deposits[0], configured(other, 1), signatures=[0])
        two = chain.paid(deposits[1], configured(CHANNEL, 2), signatures=[0])
        node.receive(opener)
        assert node.receive(one) == []
        assert node.receive(two) == []

        effects = node.mempool.invalid(check_id(opener.encoded), 0)

        assert reasons(effects) == ["INVALID_PROOF", "UNKNOWN_CHANNEL", "UNKNOWN_CHANNEL"]
        assert len(node.mempool._checking) == 0

    def test_too_long_a_line_is_refused(self) -> None:
        """MPL-8."""
        node = Node(Limits(ancestors=2))
        line = [node.spend(node.notes[0])]
        for _ in range(3):
            line.append(node.follow(line[-1]))

        assert reasons(node.take(*line)) == ["TOO_MANY_ANCESTORS"]

    def test_inscriptions_follow_their_parents(self) -> None:
        """MPL-7: the tip of a channel is made by one and taken by the next."""
        node = Node()
        first = ChannelInscribe(CHANNEL, b"1", bytes(32), KEYS[0])
        second = ChannelInscribe(CHANNEL, b"2", message_id(first), KEYS[0])
        rival = ChannelInscribe(CHANNEL, b"3", message_id(first), KEYS[0])
        paid = [node.chain.paid(each, tip=tip) for each, tip in ((first, 0), (second, 900))]

        node.take(*paid)

        assert reasons(node.take(node.chain.paid(rival))) == ["CONFLICT"]
        assert node.mempool.choose(0) == tuple(paid)


class TestLimits:
    def test_problems_of_limits_are_told_together(self) -> None:
        """MPL-1."""
        with pytest.raises(ConfigError) as caught:
            Limits(transactions=0, size_bytes=5)

        assert "transactions" in str(caught.value)
        assert "2 MiB" in str(caught.value)

    def test_full_mempool_takes_what_tips_more_and_drops_what_tips_least(self) -> None:
        """MPL-11."""
        node = Node(Limits(transactions=2))
        low, high = node.spend(node.notes[0], tip=10), node.spend(node.notes[1], tip=500)
        node.take(low, high)

        assert reasons(node.receive(node.spend(node.notes[2], tip=10))) == ["MEMPOOL_FULL"]
        effects = node.take(node.spend(node.notes[3], tip=100))

        assert len(node.mempool) == 2
        assert node.status(low) == Status(Stage.DROPPED, reason=MempoolRefusal.MEMPOOL_FULL)
        assert (low.hash, node.status(low)) in told(effects)

    def test_nothing_is_evicted_before_the_new_one_is_verified(self) -> None:
        """MPL-11: else proofs that do not hold would empty it."""
        node = Node(Limits(transactions=1))
        low, high = node.spend(node.notes[0]), node.spend(node.notes[1], tip=500)
        node.take(low)

        node.receive(high)
        assert node.mempool.waiting() == [low]
        node.mempool.invalid(check_id(high.encoded), 0)

        assert node.mempool.waiting() == [low]

    def test_a_parent_is_not_evicted_for_its_child_nor_before_it(self) -> None:
        """MPL-11: what something follows stays; a poor parent counts with its child."""
        node = Node(Limits(transactions=2))
        parent, other = node.spend(node.notes[0]), node.spend(node.notes[1], tip=100)
        node.take(parent, other)

        node.take(node.follow(parent, tip=1000))

        assert parent in node.mempool.waiting()
        assert node.stage(other) is Stage.DROPPED
        assert reasons(node.receive(node.spend(node.notes[2], tip=300))) == ["MEMPOOL_FULL"]

    def test_child_counts_no_more_than_with_its_parent(self) -> None:
        """MPL-11: else a poor parent would be kept by any child, and others kept out by it."""
        node = Node(Limits(transactions=2))
        parent = node.spend(node.notes[0])
        child, other = node.follow(parent, tip=100), node.spend(node.notes[1], tip=80)
        node.take(parent, other)

        assert reasons(node.receive(child)) == ["MEMPOOL_FULL"]
        node.move(0, [other])
        node.take(child)
        assert passed_on(node.take(node.spend(node.notes[2], tip=80)))

        assert node.stage(child) is Stage.DROPPED
        assert node.stage(parent) is Stage.PENDING

    def test_a_source_has_only_part_of_the_places_for_verification(self) -> None:
        """MPL-10: own transactions have their own."""
        node = Node(Limits(checking=3, checking_of_source=2))
        made = [node.spend(each) for each in node.notes[:6]]

        effects = [node.receive(each, "a") for each in made[:3]]
        effects += [node.receive(made[3], "b"), node.receive(made[4], "c")]

        assert [reasons(each) for each in effects] == [[], [], ["BUSY"], [], ["BUSY"]]
        assert isinstance(node.submit(made[5])[0], Verify)

    def test_what_waits_too_long_expires_and_what_follows_it_falls(self) -> None:
        """MPL-1: age; MPL-15."""
        node = Node(Limits(age_ms=100))
        parent = node.spend(node.notes[0])
        node.take(parent)
        node.now_ms = 60
        child, other = node.follow(parent), node.spend(node.notes[1])
        node.take(child, other)
        assert node.mempool.next_wake_ms() == 100

        node.obey(node.mempool.tick(100))

        assert node.status(parent) == Status(Stage.DROPPED, reason=MempoolRefusal.EXPIRED)
        assert node.status(child) == Status(Stage.DROPPED, reason=Refusal.UNKNOWN_NOTE)
        assert node.mempool.waiting() == [other]
        assert node.mempool.next_wake_ms() == 160

    def test_flood_costs_work_for_itself_alone(self) -> None:
        """MPL-2, MPL-10: conflicting, known and unverified ones, whatever waits."""
        node = Node(Limits(transactions=20))
        node.take(*[node.spend(each, tip=tip) for tip, each in enumerate(node.notes[:20])])
        node.executed = 0

        for tip in range(100, 300):
            rival = node.spend(node.notes[0], tip=tip)
            assert reasons(node.receive(rival, f"{tip}")) == ["CONFLICT"]
        assert node.executed == 0
        for tip in range(200):
            node.receive(node.spend(node.notes[20], tip=tip), f"{tip}")

        assert node.executed == 200
        assert len(node.mempool) == 20
        assert len(node.mempool._waiting._cheapest) < 2000
        assert len(node.mempool._checking) <= 200


class TestMoving:
    def test_block_takes_its_transactions_and_drops_what_conflicts(self) -> None:
        """MPL-15."""
        node = Node()
        rival, kept = node.spend(node.notes[0], tip=5), node.spend(node.notes[1])
        loser = node.spend(node.notes[0])
        node.take(loser, kept)

        effects = node.grow(rival)

        assert node.stage(rival) is Stage.INCLUDED
        assert node.status(loser) == Status(Stage.DROPPED, reason=Refusal.SPENT_NOTE)
        assert (loser.hash, node.status(loser)) in told(effects)
        assert node.mempool.waiting() == [kept]

    def test_what_left_the_chain_waits_again_before_what_follows_it(self) -> None:
        """MPL-16: what was verified here is not verified again."""
        node = Node()
        parent = node.spend(node.notes[0])
        node.take(parent)
        node.grow(parent)
        child = node.follow(parent)
        node.take(child)

        effects = node.move(1, [], [])

        assert node.mempool.waiting() == [parent, child]
        assert (parent.hash, Status(Stage.PENDING)) in told(effects)
        assert not node.asked
        assert node.mempool.choose(0) == (parent, child)

    def test_what_only_a_block_had_is_verified_before_it_is_chosen(self) -> None:
        """MPL-16, MPL-9."""
        node = Node()
        unseen = node.spend(node.notes[0])
        node.grow(unseen)

        node.move(1, [])

        assert node.stage(unseen) is Stage.PENDING
        assert node.mempool.choose(0) == ()
        assert passed_on(node.settle()) == []
        assert node.mempool.choose(0) == (unseen,)

    def test_returned_transaction_whose_proof_does_not_hold_is_dropped(self) -> None:
        """MPL-9."""
        node = Node()
        unseen = node.spend(node.notes[0])
        node.grow(unseen)
        node.move(1, [])

        node.mempool.invalid(check_id(unseen.encoded), 0)

        assert node.status(unseen) == Status(Stage.DROPPED, reason=MempoolRefusal.INVALID_PROOF)

    def test_double_spend_across_branches_is_resolved(self) -> None:
        """MPL-16: the branch that stays decides."""
        node = Node()
        one, two = node.spend(node.notes[0]), node.spend(node.notes[0], tip=7)
        node.take(one)
        node.grow(one)

        node.move(1, [two], [])
        assert node.status(one) == Status(Stage.DROPPED, reason=Refusal.SPENT_NOTE)
        assert node.stage(two) is Stage.INCLUDED

        node.move(2, [], [], [])
        assert node.stage(two) is Stage.PENDING
        assert reasons(node.receive(one)) == ["CONFLICT"]

    def test_obligations_that_have_changed_are_verified_again(self) -> None:
        """MPL-9: a configuration between has given the channel other keys."""
        node = Node()
        first = ChannelConfig(CHANNEL, KEYS[:1], 0, 0, 1, 1)
        node.grow(node.chain.paid(first, signatures=[0]))
        later = node.chain.paid(ChannelConfig(CHANNEL, KEYS[1:2], 0, 0, 1, 1))
        waiting = node.chain.paid(ChannelConfig(CHANNEL, KEYS[2:3], 0, 0, 1, 1))
        node.take(waiting)

        (asked,) = [each for each in node.grow(later) if isinstance(each, Verify)]

        assert isinstance(asked.obligations[0], Ed25519Obligation)
        assert asked.obligations[0].key == KEYS[1]
        assert node.mempool.choose(0) == ()
        node.settle()
        assert node.mempool.choose(0) == (waiting,)

    def test_what_came_back_has_its_time_anew_and_can_be_evicted_without_its_child(self) -> None:
        """MPL-1, MPL-11."""
        node = Node(Limits(transactions=2, age_ms=100))
        parent = node.spend(node.notes[0])
        node.take(parent)
        node.grow(parent)
        child = node.follow(parent, tip=9000)
        node.take(child)
        node.now_ms = 60
        node.move(1, [])
        assert reasons(node.receive(node.spend(node.notes[1], tip=50))) == ["MEMPOOL_FULL"]

        node.now_ms = 100
        node.obey(node.mempool.tick(100))
        assert node.mempool.waiting() == [parent]
        assert node.mempool.next_wake_ms() == 160
        node.take(node.spend(node.notes[1], tip=5), node.spend(node.notes[2], tip=50))

        assert node.status(child) == Status(Stage.DROPPED, reason=MempoolRefusal.EXPIRED)
        assert node.status(parent) == Status(Stage.DROPPED, reason=MempoolRefusal.MEMPOOL_FULL)

    def test_more_than_a_block_holds_is_looked_at_all_the_same(self) -> None:
        """MPL-15."""
        node = Node()
        large = [
            node.chain.paid(ChannelInscribe(named(f"{at}"), bytes(700_000), bytes(32), KEYS[0]))
            for at in range(4)
        ]
        node.take(*large)
        assert len(node.mempool) == 4

        node.grow(node.spend(node.notes[3]))

        assert node.status(large[3]) == Status(Stage.DROPPED, reason=Refusal.SPENT_NOTE)
        assert node.mempool.waiting() == large[:3]
        assert len(node.mempool.choose(0)) == 2

    def test_returning_keeps_the_bounds(self) -> None:
        """MPL-16, MPL-1."""
        node = Node(Limits(transactions=2))
        made = [node.spend(each, tip=tip) for tip, each in enumerate(node.notes[:5])]
        node.grow(*made)

        node.move(1, [])

        assert {each.hash for each in node.mempool.waiting()} == {each.hash for each in made[3:]}
        assert node.status(made[0]) == Status(Stage.DROPPED, reason=MempoolRefusal.MEMPOOL_FULL)


class TestKeeping:
    def test_what_was_saved_waits_after_a_restart(self) -> None:
        """MPL-20: with its age, and without another verification."""
        node = Node(Limits(age_ms=100))
        parent = node.spend(node.notes[0])
        child = node.follow(parent)
        node.take(parent, child)
        saved = node.mempool.save()

        fresh = Mempool(node.rehearse, node.limits)
        effects = fresh.restore(saved, 40)

        assert told(effects) == [(each.hash, Status(Stage.PENDING)) for each in (parent, child)]
        assert len(effects) == 2
        assert fresh.choose(40) == (parent, child)
        assert fresh.next_wake_ms() == 100

    def test_what_the_chain_took_in_the_meantime_is_dropped(self) -> None:
        """MPL-20: and what cannot be read is left out."""
        node = Node()
        transaction = node.spend(node.notes[0])
        node.take(transaction)
        saved = node.mempool.save()
        node.block(transaction)

        fresh = Mempool(node.rehearse)
        effects = fresh.restore([*saved, Saved(b"\xff", 0, None)], 0)

        expected = Status(Stage.DROPPED, reason=Refusal.SPENT_NOTE)
        assert told(effects) == [(transaction.hash, expected)]
        assert len(fresh) == 0
