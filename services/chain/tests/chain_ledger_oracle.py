"""A ledger as one would write it without thinking of its size: whole copies, and all of history.

It is written from the rules and shares no code with the core: sums are taken over all notes, pools
over all epochs, snapshots over all blocks. A transaction that breaks a rule fails an assertion.
"""

from copy import copy
from dataclasses import dataclass, field, replace
from fractions import Fraction
from hashlib import blake2b
from typing import Any

from chain_ledger import EPOCH_SLOTS, PARAMETERS, STAKE, named

from logos_crypto.hashes import poseidon2_compress
from logos_crypto.trees import FrontierTree
from logos_mantle.channels import (
    ChannelConfig,
    ChannelDeposit,
    ChannelInscribe,
    ChannelTransfer,
    ChannelWithdraw,
    message_id,
)
from logos_mantle.fees import mandatory_fee
from logos_mantle.genesis import Genesis
from logos_mantle.notes import Note, note_id
from logos_mantle.operations import operation_id
from logos_mantle.prices import GENESIS_EXECUTION, GENESIS_STORAGE
from logos_mantle.services import SdpActive, SdpDeclare, SdpWithdraw, Service, reward_operation_id
from logos_mantle.transactions import SignedTransaction
from logos_mantle.transfers import LeaderClaim, Transfer

ZERO = bytes(32)


def reward_by_the_text(total_stake: int, fees: list[int]) -> Fraction:
    """The formula of LIP-199 before it is put into whole numbers; in rationals."""
    supply, yearly, step = 10**10, Fraction(1, 100), Fraction(1, 365 * 2880)
    deviation = Fraction(3 * 10**9 - total_stake, 3 * 10**9)
    average = Fraction(sum(fees), 120) / supply / step
    rate = min(Fraction(1), max(Fraction(0), (deviation / 4 + average) / yearly))
    return rate * yearly * supply * step + (1 - rate) * fees[-1]


@dataclass(frozen=True)
class Held:
    note: Note
    channel: bytes | None = None
    declaration: bytes | None = None


@dataclass(frozen=True)
class Registered:
    message: SdpDeclare
    created: int
    active: int | None = None
    withdrawn: int | None = None
    nonce: int = 0


@dataclass
class Oracle:
    """All fields are copied before a block changes them."""

    stake: int = STAKE
    slot: int = 0
    leaves: list[bytes] = field(default_factory=list)
    notes: dict[bytes, Held] = field(default_factory=dict)
    channels: dict[bytes, dict[str, Any]] = field(default_factory=dict)
    configurations: set[bytes] = field(default_factory=set)
    declarations: dict[bytes, Registered] = field(default_factory=dict)
    registries: list[tuple[int, dict[bytes, Registered]]] = field(default_factory=list)
    activities: dict[tuple[int, bytes], tuple[int, bytes]] = field(default_factory=dict)
    nullifiers: set[bytes] = field(default_factory=set)
    vouchers: list[tuple[int, bytes]] = field(default_factory=list)
    leaders: dict[int, int] = field(default_factory=dict)
    incomes: dict[int, int] = field(default_factory=dict)
    settled: set[int] = field(default_factory=set)
    fees: list[int] = field(default_factory=list)
    stored: dict[int, int] = field(default_factory=dict)
    claimed: int = 0
    burned: int = 0
    emitted: int = 0
    gas_price: Any = GENESIS_EXECUTION

    @classmethod
    def of(cls, genesis: Genesis, stake: int) -> "Oracle":
        oracle = cls(stake)
        oracle.add(operation_id(genesis.transfer), genesis.transfer.outputs)
        for message in genesis.declarations:
            identifier = message.declaration_id()
            locked = oracle.notes[message.locked_note_id]
            oracle.notes[message.locked_note_id] = replace(locked, declaration=identifier)
            oracle.declarations[identifier] = Registered(message, 0)
        oracle.registries.append((0, dict(oracle.declarations)))
        return oracle

    def copied(self) -> "Oracle":
        made = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, dict | list | set):
                setattr(made, name, value.copy())
        made.channels = {key: dict(each) for key, each in self.channels.items()}
        return made

    @property
    def epoch(self) -> int:
        return self.slot // EPOCH_SLOTS

    @property
    def pool(self) -> int:
        return sum(each for at, each in self.leaders.items() if at < self.epoch) - self.claimed

    @property
    def root(self) -> bytes:
        nodes, empty = list(self.leaves), ZERO
        for _ in range(32):
            nodes += [empty] * (len(nodes) % 2)
            pairs = zip(nodes[::2], nodes[1::2], strict=True)
            nodes = [poseidon2_compress(*pair) for pair in pairs]
            empty = poseidon2_compress(empty, empty)
        return nodes[0]

    def claimable(self) -> list[bytes]:
        return [each for at, each in self.vouchers if at < self.epoch]

    def voucher_root(self) -> bytes:
        tree = FrontierTree()
        if self.claimable():
            tree.append_many(self.claimable())
        return tree.root

    def storage_price(self) -> int:
        market = GENESIS_STORAGE
        for epoch in range(self.epoch):
            market = market.after_epoch(self.stored.get(epoch, 0))
        return market.price

    def providers(self, epoch: int) -> list[bytes]:
        """Declarations that serve an epoch: the registry as the epoch two before ended."""
        at = max(epoch - 2, 0)
        found = self.registries[0][1]
        if epoch >= 2:
            found = [each for of, each in self.registries if of <= at][-1]
        return [
            key
            for key, each in found.items()
            if each.withdrawn is None
            and at - max(each.created, each.active or 0) <= PARAMETERS.inactivity_epochs
        ]

    def block(
        self, transactions: tuple[SignedTransaction, ...], slot: int, voucher: bytes
    ) -> "Oracle | None":
        """Returns the state after a block; None if it breaks a rule."""
        after = self.copied()
        try:
            after._block(transactions, slot, voucher)
        except AssertionError:
            return None
        return after

    def _block(
        self, transactions: tuple[SignedTransaction, ...], slot: int, voucher: bytes
    ) -> None:
        before, self.slot = self.epoch, slot
        if self.epoch > before:
            self._begin_epoch()
        burned, tips, gas = 0, 0, 0
        price, storage = self.gas_price.price, self.storage_price()
        for signed in transactions:
            fee = mandatory_fee(signed, execution_price=price, storage_price=storage)
            balance = sum(self._execute(signed, at) for at in range(len(signed.proofs)))
            assert balance >= fee
            burned, tips = burned + fee, tips + balance - fee
            gas += (fee - storage * len(signed.encoded)) // price
            self.stored[self.epoch] = self.stored.get(self.epoch, 0) + len(signed.encoded)
        self.fees.append(burned)
        whole = reward_by_the_text(self.stake, self.fees[-120:])
        services, leaders = int(whole * 6 // 10), int(whole * 4 // 10)
        self.incomes[self.epoch] = self.incomes.get(self.epoch, 0) + services
        self.leaders[self.epoch] = self.leaders.get(self.epoch, 0) + leaders + tips
        self.burned += burned
        self.emitted += services + leaders
        self.vouchers.append((self.epoch, voucher))
        self.gas_price = self.gas_price.after_block(gas)
        self.registries.append((self.epoch, dict(self.declarations)))

    def _begin_epoch(self) -> None:
        for epoch in sorted(self.incomes):
            if epoch <= self.epoch - 2 and epoch not in self.settled:
                self.settled.add(epoch)
                self.burned += self.incomes[epoch] - self._pay(epoch)
        for key, each in list(self.declarations.items()):
            if each.withdrawn is not None and each.withdrawn <= self.epoch - 2:
                locked = each.message.locked_note_id
                self.notes[locked] = replace(self.notes[locked], declaration=None)
                del self.declarations[key]

    def _pay(self, epoch: int) -> int:
        shown = {key: each for (at, key), each in self.activities.items() if at == epoch}
        if not shown or len(self.providers(epoch)) < PARAMETERS.min_providers:
            return 0
        closest = min(distance for distance, _ in shown.values())
        winners = sum(distance == closest for distance, _ in shown.values())
        base = self.incomes[epoch] // (len(shown) + winners)
        values = {zk: base + base * (distance == closest) for distance, zk in shown.values()}
        ordered = sorted(values, key=lambda each: int.from_bytes(each, "little"))
        notes = [Note(values[each], each) for each in ordered if values[each]]
        self.add(reward_operation_id(Service.BLEND_NETWORK, epoch), notes)
        return sum(values.values())

    def add(self, identifier: bytes, notes: Any, channel: bytes | None = None) -> None:
        for index, note in enumerate(notes):
            made = note_id(identifier, index, note)
            assert note.value > 0
            assert made not in self.notes
            self.notes[made] = Held(note, channel)
            if ZERO not in self.leaves:
                self.leaves.append(ZERO)
            self.leaves[self.leaves.index(ZERO)] = made

    def spend(self, inputs: tuple[bytes, ...], channel: bytes | None = None) -> list[Note]:
        self.check_spendable(inputs, channel)
        spent = [self.notes.pop(each).note for each in inputs]
        for each in inputs:
            self.leaves[self.leaves.index(each)] = ZERO
        return spent

    def check_spendable(self, inputs: tuple[bytes, ...], channel: bytes | None = None) -> None:
        assert inputs
        assert len(set(inputs)) == len(inputs)
        for each in inputs:
            assert each in self.notes
            assert self.notes[each].declaration is None
            assert self.notes[each].channel == channel

    def _execute(self, signed: SignedTransaction, at: int) -> int:
        """Executes an operation; returns what it adds to the balance."""
        operation, proof = signed.transaction.operations[at], signed.proofs[at]
        signers = [each.index for each in getattr(proof, "signatures", ())]
        match operation:
            case Transfer():
                spent = self.spend(operation.inputs)
                self.add(operation_id(operation), operation.outputs)
                return sum(each.value for each in spent) - sum(
                    each.value for each in operation.outputs
                )
            case LeaderClaim():
                self._claim(operation)
            case SdpDeclare() | SdpWithdraw() | SdpActive():
                self._serve(operation)
            case _:
                self._channel(operation, signers)
        return 0

    def _claim(self, operation: LeaderClaim) -> None:
        assert operation.voucher_nullifier not in self.nullifiers
        assert operation.rewards_root == self.voucher_root()
        unclaimed = len(self.claimable()) - len(self.nullifiers)
        assert unclaimed
        share = self.pool // unclaimed
        self.add(operation_id(operation), [Note(share, operation.public_key)])
        self.claimed += share
        self.nullifiers.add(operation.voucher_nullifier)

    def _channel(self, operation: Any, signers: list[int]) -> None:
        state = self.channels.get(operation.channel)
        match operation:
            case ChannelInscribe():
                self._inscribe(operation)
            case ChannelConfig():
                assert message_id(operation) not in self.configurations
                self._threshold(state, "configuration", signers)
                self.configurations.add(message_id(operation))
                self.channels[operation.channel] = {
                    "keys": operation.keys,
                    "configuration": operation.configuration_threshold,
                    "transfer": operation.transfer_threshold,
                    "tip": message_id(operation),
                }
            case ChannelDeposit():
                assert state
                spent = self.spend(operation.inputs)
                self.add(operation_id(operation), spent, operation.channel)
            case ChannelWithdraw():
                assert state
                self._threshold(state, "transfer", signers)
                self.check_spendable(operation.inputs, operation.channel)
                for each in operation.inputs:
                    self.notes[each] = replace(self.notes[each], channel=None)
            case ChannelTransfer():
                assert state
                self._threshold(state, "transfer", signers)
                spent = self.spend(operation.inputs, operation.channel)
                values = [each.value for each in operation.outputs]
                assert sum(each.value for each in spent) == sum(values)
                self.add(operation_id(operation), operation.outputs, operation.channel)

    def _inscribe(self, operation: ChannelInscribe) -> None:
        """Turns never end here: configurations of these tests have no timeframes."""
        fresh = {"keys": (operation.signer,), "configuration": 1, "transfer": 1, "tip": ZERO}
        state = self.channels.setdefault(operation.channel, fresh)
        assert state["tip"] == operation.parent
        assert state["keys"][0] == operation.signer
        state["tip"] = message_id(operation)

    def _threshold(self, state: dict[str, Any] | None, name: str, signers: list[int]) -> None:
        assert len(signers) == (state[name] if state else 0)
        assert all(each < len(state["keys"]) for each in signers if state)

    def _serve(self, operation: SdpDeclare | SdpWithdraw | SdpActive) -> None:
        if isinstance(operation, SdpDeclare):
            held = self.notes.get(operation.locked_note_id)
            assert held
            assert held.channel is None
            assert held.declaration is None
            assert held.note.value >= PARAMETERS.min_stake
            for each in self.declarations.values():
                assert each.message.provider_id != operation.provider_id
                assert each.message.zk_id != operation.zk_id
            key = operation.declaration_id()
            self.notes[operation.locked_note_id] = replace(held, declaration=key)
            self.declarations[key] = Registered(operation, self.epoch)
            return
        found = self.declarations.get(operation.declaration_id)
        assert found
        assert operation.nonce > found.nonce
        found = replace(found, nonce=operation.nonce)
        if isinstance(operation, SdpWithdraw):
            assert operation.locked_note_id == found.message.locked_note_id
            assert found.withdrawn is None
            self.declarations[operation.declaration_id] = replace(found, withdrawn=self.epoch)
        else:
            self._show(operation, found)

    def _show(self, operation: SdpActive, found: Registered) -> None:
        shown, key = operation.metadata, operation.declaration_id
        assert shown.epoch == self.epoch - 1
        assert (shown.epoch, key) not in self.activities
        providers = self.providers(shown.epoch)
        assert key in providers
        token = shown.key_nullifier + shown.quota_proof + shown.selection_randomness
        bits = [
            "".join(f"{each:08b}" for each in blake2b(raw, digest_size=3).digest())
            for raw in (token, named(f"nonce {self.epoch}"))
        ]
        distance = sum(a != b for a, b in zip(*bits, strict=True))
        assert distance < 21 - len(f"{len(providers):b}") - 1
        self.activities[shown.epoch, key] = (distance, found.message.zk_id)
        self.declarations[key] = replace(found, active=shown.epoch)
