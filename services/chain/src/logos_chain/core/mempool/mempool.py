"""Keeps the transactions that wait for a block: a machine (`logos_base.machine`).

Transactions come in from peers and from this node. Those that the next block could hold are given
out to be verified; those that pass wait, are passed on, and are chosen for blocks. As the local
chain moves, what it holds leaves, what it no longer holds comes back, and what it no longer allows
is dropped. What becomes of each transaction is told.

The time of its inputs is the wall clock, in Unix milliseconds.

Spec: docs/protocol/chain-mempool.md, MPL-1 to MPL-20.
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from logos_base.machine import Answer, Refuse, Ticket
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ledger.ledger import Admitted, Refused
from logos_chain.core.ledger.obligations import Obligation
from logos_chain.core.mempool.checking import Candidate, Checking, check_id, fingerprint_of
from logos_chain.core.mempool.choosing import Chooser
from logos_chain.core.mempool.errors import MempoolRefusal, Reason, is_fault, submission_error
from logos_chain.core.mempool.footprint import Footprint, footprint, makes
from logos_chain.core.mempool.looking import look_again
from logos_chain.core.mempool.statuses import Change, Statuses
from logos_chain.core.mempool.types import (
    OWN,
    BlockLimits,
    Body,
    Entry,
    Included,
    Limits,
    Rehearse,
    Saved,
    Stage,
    Status,
    Worth,
    total,
)
from logos_chain.core.mempool.waiting import Waiting
from logos_mantle.errors import MalformedError
from logos_mantle.fees import total_execution_gas
from logos_mantle.transactions import SignedTransaction

MAX_INVALID: Final = 4096
"""Encoded transactions that are remembered to be invalid."""


@dataclass(frozen=True, slots=True)
class Verify:
    """Verify that all obligations hold; report `verified` or `invalid`."""

    check: bytes
    """What to report; 32 bytes."""
    hash: bytes
    """Of the transaction."""
    obligations: tuple[Obligation, ...]


@dataclass(frozen=True, slots=True)
class PassOn:
    """A transaction waits now; publish it, unless the network does so with what came from it."""

    signed: SignedTransaction
    source: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A peer's transaction is not taken (MPL-5)."""

    check: bytes
    """`check_id` of its bytes."""
    source: str
    reason: Reason

    @property
    def is_fault(self) -> bool:
        """Whether the source is to blame."""
        return is_fault(self.reason)


@dataclass(frozen=True, slots=True)
class Told:
    """A transaction has another status (MPL-17)."""

    hash: bytes
    status: Status


Effect = Verify | PassOn | Rejected | Told | Answer | Refuse


class Mempool:
    """The waiting transactions of one node."""

    def __init__(self, rehearse: Rehearse, limits: Limits = Limits()) -> None:  # noqa: B008 -- frozen
        """Takes what executes transactions on the local chain's tip, without a lasting effect."""
        self._rehearse = rehearse
        self._limits = limits
        self._waiting = Waiting()
        self._checking = Checking(limits)
        self._invalid: dict[bytes, None] = {}
        self._statuses = Statuses(limits.statuses, limits.safe_blocks)
        self._known: dict[bytes, bytes] = {}
        """Fingerprints that were verified, of transactions that blocks have taken; by hash."""
        self._unverified: dict[bytes, tuple[Obligation, ...]] = {}
        """Of entries whose obligations have to be verified again, by hash."""
        self._asked: dict[bytes, tuple[bytes, bytes]] = {}
        """Entries that are verified again, by check: hash and fingerprint."""
        self._dues: list[tuple[int, int, bytes]] = []
        """When entries expire, their order and hash; stale ones among them."""
        self._arrivals = 0
        self._first = 0
        self._last = 0

    def __len__(self) -> int:
        """How many transactions wait."""
        return len(self._waiting)

    @property
    def size_bytes(self) -> int:
        """Of the encoded transactions that wait."""
        return self._waiting.size_bytes

    def get(self, identifier: bytes) -> SignedTransaction | None:
        """Returns a waiting transaction by its hash, for a proposal that names it (MAN-30)."""
        entry = self._waiting.get(identifier)
        return None if entry is None else entry.signed

    def status(self, identifier: bytes) -> Status | None:
        """Returns the status of a transaction by its hash; None if it is not known (MPL-19)."""
        if identifier in self._waiting:
            return Status(Stage.PENDING)
        return self._statuses.get(identifier)

    def waiting(self) -> list[SignedTransaction]:
        """Returns all that wait, in an order in which they can be executed."""
        return [each.signed for each in self._waiting]

    def choose(
        self,
        now_ms: int,
        limits: BlockLimits = BlockLimits(),  # noqa: B008 -- frozen
    ) -> tuple[SignedTransaction, ...]:
        """Chooses the transactions of a block on the tip; changes nothing (MPL-12 to MPL-14)."""
        chosen = [each.signed for each in Chooser(self._waiting, limits).choose()]
        verdicts = self._rehearse(chosen, now_ms)
        pairs = zip(chosen, verdicts, strict=True)
        return tuple([each for each, verdict in pairs if isinstance(verdict, Admitted)])

    def save(self) -> tuple[Saved, ...]:
        """Returns what waits, to be stored (MPL-20)."""
        return tuple(
            [Saved(each.signed.encoded, each.since_ms, each.verified) for each in self._waiting]
        )

    def restore(self, saved: Iterable[Saved], now_ms: int) -> list[Effect]:
        """Takes what was saved, at a start, before any other input (MPL-20)."""
        entries = []
        for each in saved:
            try:
                signed = SignedTransaction.decode(each.raw)
            except MalformedError:  # of another version of this node
                continue
            entries.append(_entry(signed, min(each.since_ms, now_ms), each.fingerprint))
        return self._bring_back(entries, now_ms)

    def received(self, raw: bytes, source: str, now_ms: int) -> list[Effect]:
        """A peer has sent a transaction. Untrusted.

        Args:
            raw: As it came.
            source: The peer, not empty.
            now_ms: The time.
        """
        return self._receive(raw, source, None, now_ms)

    def submit(self, ticket: Ticket, raw: bytes, now_ms: int) -> list[Effect]:
        """This node has a transaction; answered by its hash once it waits."""
        return self._receive(raw, OWN, ticket, now_ms)

    def verified(self, check: bytes, now_ms: int) -> list[Effect]:
        """All obligations of a `Verify` hold."""
        effects: list[Effect] = []
        candidate = self._checking.pop(check)
        if candidate is not None:
            candidate.verified = candidate.asked
            effects += self._consider(candidate, now_ms)
            if check not in self._checking:
                effects += self._release([candidate], now_ms)
        hash_, fingerprint = self._asked.pop(check, (b"", b""))
        entry = self._waiting.get(hash_)
        if entry is not None:
            self._waiting.replace(replace(entry, verified=fingerprint))
            if entry.fingerprint == fingerprint:
                self._unverified.pop(hash_, None)
        return effects + self._ask()

    def invalid(self, check: bytes, now_ms: int) -> list[Effect]:
        """An obligation of a `Verify` does not hold."""
        effects: list[Effect] = []
        candidate = self._checking.pop(check)
        if candidate is not None:
            self._invalid[check] = None
            if len(self._invalid) > MAX_INVALID:
                del self._invalid[next(iter(self._invalid))]
            effects += self._reject(candidate, MempoolRefusal.INVALID_PROOF)
            effects += self._release([candidate], now_ms)
        hash_, fingerprint = self._asked.pop(check, (b"", b""))
        entry = self._waiting.get(hash_)
        if entry is not None and entry.fingerprint == fingerprint:
            effects += self._drop([(entry, MempoolRefusal.INVALID_PROOF)], now_ms)
        return effects + self._ask()

    def moved(
        self, removed: Sequence[Body], added: Sequence[Body | Included], now_ms: int
    ) -> list[Effect]:
        """The local chain has another tip, and so has the ledger (MPL-15, MPL-16).

        Args:
            removed: From the old tip down; of `Reorganised`, with the blocks' transactions.
            added: Up to the new tip.
            now_ms: The time.
        """
        self._invalid.clear()
        back = {each.hash: each for body in reversed(removed) for each in body.transactions}
        changes = self._statuses.moved([each.block for each in removed], added)
        for taken in [each for body in added for each in body.hashes]:
            back.pop(taken, None)
            if taken in self._waiting:
                self._remember(self._remove(taken))
        effects: list[Effect] = [*_told(changes)]
        entries = [_entry(each, now_ms, self._known.get(each.hash)) for each in back.values()]
        effects += self._bring_back(entries, now_ms)
        return effects + self._release_held(now_ms)

    def finalised(self, blocks: Iterable[BlockId], now_ms: int) -> list[Effect]:
        """Blocks of the local chain will never be removed."""
        changes = self._statuses.finalised(blocks)
        for identifier, _ in changes:
            self._known.pop(identifier, None)
        return [*_told(changes)]

    def tick(self, now_ms: int) -> list[Effect]:
        """Drops what has waited for too long."""
        expired = []
        while self._dues and self._dues[0][0] <= now_ms:
            _, order, identifier = heapq.heappop(self._dues)
            entry = self._waiting.get(identifier)
            if entry is not None and entry.order == order:
                expired.append((entry, MempoolRefusal.EXPIRED))
        return self._drop(expired, now_ms) + self._ask() if expired else []

    def next_wake_ms(self) -> int | None:
        """Returns when the oldest transaction expires."""
        while self._dues:
            due_ms, order, identifier = self._dues[0]
            entry = self._waiting.get(identifier)
            if entry is not None and entry.order == order:
                return due_ms
            heapq.heappop(self._dues)
        return None

    def _receive(self, raw: bytes, source: str, ticket: Ticket | None, now_ms: int) -> list[Effect]:
        """Looks at what costs least first (MPL-4)."""
        check = check_id(raw)
        if check in self._checking:
            return [_refusal(check, source, ticket, MempoolRefusal.ALREADY_KNOWN)]
        if check in self._invalid:
            return [_refusal(check, source, ticket, MempoolRefusal.INVALID_PROOF)]
        if not self._checking.has_room(source, len(raw)):
            return [_refusal(check, source, ticket, MempoolRefusal.BUSY)]
        try:
            signed = SignedTransaction.decode(raw)
        except MalformedError:
            return [_refusal(check, source, ticket, MempoolRefusal.MALFORMED)]
        keys = footprint(signed.transaction)
        self._arrivals += 1
        candidate = Candidate(check, self._arrivals, source, ticket, signed, keys, len(raw))
        return self._consider(candidate, now_ms)

    def _consider(self, candidate: Candidate, now_ms: int) -> list[Effect]:
        """Takes a candidate, rejects it, has it verified, or holds it (MPL-4, MPL-8, MPL-9)."""
        keys, signed = candidate.footprint, candidate.signed
        candidate.asked = None
        if (obstacle := self._obstacle(signed.hash, keys)) is not None:
            return self._reject(candidate, obstacle)
        before = self._waiting.ancestors(keys.follows, self._limits.ancestors)
        if before is None:
            return self._reject(candidate, MempoolRefusal.TOO_MANY_ANCESTORS)
        verdict = self._rehearse([*[each.signed for each in before], signed], now_ms)[-1]
        is_held = isinstance(verdict, Refused) and self._checking.is_preceded(candidate)
        if isinstance(verdict, Refused) and not is_held:
            return self._reject(candidate, verdict.reason)
        candidate.makes = candidate.makes or makes(signed.transaction)
        if isinstance(verdict, Refused):
            self._checking.add(candidate)
            return []
        return self._admit(candidate, before, verdict, now_ms)

    def _obstacle(self, identifier: bytes, keys: Footprint) -> Reason | None:
        """Returns what stands in the way, whatever the ledger says."""
        if identifier in self._waiting:
            return MempoolRefusal.ALREADY_KNOWN
        if self._statuses.is_in_chain(identifier):
            return MempoolRefusal.ALREADY_INCLUDED
        return MempoolRefusal.CONFLICT if self._waiting.conflicts(keys.takes) else None

    def _admit(
        self, candidate: Candidate, before: list[Entry], verdict: Admitted, now_ms: int
    ) -> list[Effect]:
        """Takes a candidate that the next block could hold, or has it verified."""
        fingerprint = fingerprint_of(verdict.obligations)
        entry = Entry(
            candidate.signed,
            self._last + 1,
            now_ms,
            candidate.footprint,
            candidate.makes,
            _worth(candidate.signed, verdict.tip),
            fingerprint,
            candidate.verified,
        )
        victims = self._victims(entry, before)
        if victims is None:
            return self._reject(candidate, MempoolRefusal.MEMPOOL_FULL)
        if not entry.is_ready:
            self._waiting.restore(victims)
            candidate.asked = fingerprint
            self._checking.add(candidate)
            return [Verify(candidate.check, candidate.signed.hash, verdict.obligations)]
        effects = self._evict(victims)
        self._last += 1
        self._add(entry)
        effects += [Told(entry.hash, Status(Stage.PENDING)), PassOn(entry.signed, candidate.source)]
        if candidate.ticket is not None:
            effects.append(Answer(candidate.ticket, entry.hash))
        return effects

    def _victims(self, entry: Entry, before: list[Entry]) -> list[Entry] | None:
        """Returns what to evict for an entry; None if it tips too little for that (MPL-11)."""
        count, size_bytes = len(self) + 1, self.size_bytes + entry.worth.size_bytes
        victims: list[Entry] = []
        if not self._is_over(count, size_bytes):
            return victims
        package = total(each.worth for each in (*before, entry))
        worth = min(entry.worth.rate, package.rate)
        for rate, each in self._waiting.cheapest([one.hash for one in before]):
            victims.append(each)
            if rate >= worth:
                break
            count, size_bytes = count - 1, size_bytes - each.worth.size_bytes
            if not self._is_over(count, size_bytes):
                return victims
        self._waiting.restore(victims)
        return None

    def _is_over(self, count: int, size_bytes: int) -> bool:
        return count > self._limits.transactions or size_bytes > self._limits.size_bytes

    def _evict(self, victims: Iterable[Entry]) -> list[Effect]:
        """Drops entries that nothing follows any more, in this order."""
        changes = []
        for each in victims:
            self._remove(each.hash)
            changes.append(self._statuses.drop(each.hash, MempoolRefusal.MEMPOOL_FULL))
        return [*_told(changes)]

    def _release(self, ended: list[Candidate], now_ms: int) -> list[Effect]:
        """Looks again at those that are held for candidates whose check is over."""
        effects: list[Effect] = []
        while ended:
            made = ended.pop().makes
            for each in self._checking.held():
                if each.footprint.follows.isdisjoint(made):
                    continue
                self._checking.pop(each.check)
                effects += self._consider(each, now_ms)
                if each.check not in self._checking:
                    ended.append(each)
        return effects

    def _release_held(self, now_ms: int) -> list[Effect]:
        effects: list[Effect] = []
        for each in self._checking.held():
            self._checking.pop(each.check)
            effects += self._consider(each, now_ms)
        return effects

    def _bring_back(self, entries: Iterable[Entry], now_ms: int) -> list[Effect]:
        """Puts entries before all others, and looks at everything that waits (MPL-16)."""
        effects: list[Effect] = []
        back = [each for each in entries if each.hash not in self._waiting]
        self._first -= len(back)
        for order, each in enumerate(back, self._first):
            if self._waiting.conflicts(each.footprint.takes):
                effects += _told([self._statuses.drop(each.hash, MempoolRefusal.CONFLICT)])
                continue
            self._add(replace(each, order=order))
        effects += self._look(self._waiting, now_ms)
        if self._is_over(len(self), self.size_bytes):
            effects += self._evict(self._surplus())
        pending = Status(Stage.PENDING)
        effects += [Told(each.hash, pending) for each in back if each.hash in self._waiting]
        return effects + self._ask()

    def _surplus(self) -> list[Entry]:
        count, size_bytes, surplus = len(self), self.size_bytes, list[Entry]()
        for _, each in self._waiting.cheapest(()):
            surplus.append(each)
            count, size_bytes = count - 1, size_bytes - each.worth.size_bytes
            if not self._is_over(count, size_bytes):
                break
        return surplus

    def _look(self, entries: Iterable[Entry], now_ms: int) -> list[Effect]:
        """Looks at entries again; drops those that the next block could not hold (MPL-15)."""
        changes: list[Change] = []
        for entry, verdict in look_again(self._waiting, entries, self._rehearse, now_ms):
            if isinstance(verdict, Refused):
                self._remove(entry.hash)
                changes.append(self._statuses.drop(entry.hash, verdict.reason))
                continue
            fingerprint = fingerprint_of(verdict.obligations)
            worth = replace(entry.worth, tip=verdict.tip)
            if (fingerprint, worth) != (entry.fingerprint, entry.worth):
                self._waiting.replace(replace(entry, fingerprint=fingerprint, worth=worth))
            self._unverified.pop(entry.hash, None)
            if fingerprint != entry.verified:
                self._unverified[entry.hash] = verdict.obligations
        return [*_told(changes)]

    def _drop(self, entries: Iterable[tuple[Entry, Reason]], now_ms: int) -> list[Effect]:
        """Drops entries, and looks again at those that follow them."""
        changes: list[Change] = []
        left: dict[bytes, Entry] = {}
        for entry, reason in entries:
            left.update({each.hash: each for each in self._waiting.descendants([entry])})
            self._remove(entry.hash)
            changes.append(self._statuses.drop(entry.hash, reason))
        ordered = sorted(left.values(), key=lambda each: each.order)
        followers = [each for each in ordered if each.hash in self._waiting]
        return [*_told(changes), *self._look(followers, now_ms)]

    def _ask(self) -> list[Effect]:
        """Has obligations verified that have changed, as many as may be at a time (MPL-9)."""
        effects: list[Effect] = []
        room = self._limits.checking - len(self._asked)
        for identifier in list(islice(self._unverified, room)):
            entry, obligations = self._waiting.get(identifier), self._unverified.pop(identifier)
            if entry is None or entry.is_ready:
                continue
            check = check_id(entry.signed.encoded)
            if check in self._asked:  # it is asked again once that is over
                self._unverified[identifier] = obligations
                continue
            self._asked[check] = (identifier, entry.fingerprint)
            effects.append(Verify(check, identifier, obligations))
        return effects

    def _add(self, entry: Entry) -> None:
        self._waiting.add(entry)
        self._statuses.reopen(entry.hash)
        due_ms = entry.since_ms + self._limits.age_ms
        heapq.heappush(self._dues, (due_ms, entry.order, entry.hash))

    def _remove(self, identifier: bytes) -> Entry:
        self._unverified.pop(identifier, None)
        return self._waiting.remove(identifier)

    def _remember(self, entry: Entry) -> None:
        if entry.verified is None:
            return
        self._known[entry.hash] = entry.verified
        if len(self._known) > self._limits.statuses:
            del self._known[next(iter(self._known))]

    def _reject(self, candidate: Candidate, reason: Reason) -> list[Effect]:
        return [_refusal(candidate.check, candidate.source, candidate.ticket, reason)]


def _refusal(check: bytes, source: str, ticket: Ticket | None, reason: Reason) -> Effect:
    if ticket is not None:
        return Refuse(ticket, submission_error(reason))
    return Rejected(check, source, reason)


def _told(changes: Iterable[Change]) -> list[Told]:
    return [Told(identifier, status) for identifier, status in changes]


def _worth(signed: SignedTransaction, tip: int) -> Worth:
    return Worth(tip, len(signed.encoded), total_execution_gas(signed))


def _entry(signed: SignedTransaction, since_ms: int, verified: bytes | None) -> Entry:
    """Returns an entry that is yet to be looked at."""
    transaction = signed.transaction
    keys, made = footprint(transaction), makes(transaction)
    return Entry(signed, 0, since_ms, keys, made, _worth(signed, 0), verified=verified)
