"""Which notes pay for a transaction, its fee and its change.

Spec: docs/protocol/chain-wallet.md, WAL-13, WAL-14; fees: MAN-17 to MAN-20.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from logos_chain.core.wallet.errors import (
    FeeTooHighError,
    FundsInsufficientError,
    NotesTooSmallError,
    OrderInvalidError,
)
from logos_chain.core.wallet.types import Order, Prices
from logos_mantle.channels import ChannelDeposit
from logos_mantle.fees import checked_sum, mandatory_fee
from logos_mantle.limits import MAX_SIGNING_KEYS
from logos_mantle.notes import MAX_OUTPUTS, Note, note_id
from logos_mantle.octets import HASH_BYTES, ZERO
from logos_mantle.operations import Operation, operation_id
from logos_mantle.proofs import PROOF_OF, OperationProof, ThresholdProof, null_proof
from logos_mantle.transactions import SignedTransaction, Transaction
from logos_mantle.transfers import Transfer

T = TypeVar("T")

SMALL_INPUTS: Final = 2
"""Of the smaller circuit, which is proved several times faster (ZK-10)."""


class Rng(Protocol):
    """A source of randomness, e.g. `secrets.SystemRandom()`."""

    def randrange(self, stop: int, /) -> int:
        """Returns an integer from 0 to below `stop`."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """A transaction that an order has become."""

    transaction: Transaction
    fee: int
    tip: int
    inputs: tuple[bytes, ...]
    change: Note | None


def shuffled(items: Sequence[T], rng: Rng) -> list[T]:
    """Returns the items in a uniformly random order."""
    rest = list(items)
    found: list[T] = []
    while rest:
        found.append(rest.pop(rng.randrange(len(rest))))
    return found


def unsigned_fee(
    operations: Sequence[Operation], prices: Prices, signatures: Sequence[int] = ()
) -> int:
    """Returns the mandatory fee of operations, once they have their proofs (MAN-19).

    Args:
        operations: Of a transaction.
        prices: Of the block; the headroom is not added.
        signatures: Of its thresholds, in turn; 1 where not given.
    """
    counts = iter(signatures)
    proofs: list[OperationProof] = []
    for each in operations:
        is_threshold = PROOF_OF[each.opcode] is ThresholdProof
        proofs.append(null_proof(each.opcode, signatures=next(counts, 1) if is_threshold else 1))
    signed = SignedTransaction(Transaction(tuple(operations)), tuple(proofs))
    return mandatory_fee(signed, execution_price=prices.execution, storage_price=prices.storage)


def with_headroom(fee: int, prices: Prices) -> int:
    """Returns a fee and its headroom, rounded up."""
    return -(-fee * (100 + prices.headroom_percent) // 100)


def choose(values: Mapping[bytes, int], need: Callable[[int], int], rng: Rng) -> list[bytes]:
    """Chooses notes that cover a need (WAL-13).

    Args:
        values: Of the notes, by id.
        need: Returns what a number of notes must be worth together; grows evenly with it.
        rng: Decides between notes of one value.

    Raises:
        FundsInsufficientError: All of them do not cover it.
        NotesTooSmallError: No 32 of them do.
    """
    each_costs = need(2) - need(1)
    order = sorted(shuffled(sorted(values), rng), key=values.__getitem__)
    useful = [each for each in order if values[each] > each_costs]
    single = next((each for each in useful if values[each] >= need(1)), None)
    if single is not None:
        return [single]
    pair = _smallest_pair(useful, values, need(SMALL_INPUTS))
    if pair is not None:
        return pair
    found: list[bytes] = []
    total = 0
    for each in reversed(useful[-MAX_SIGNING_KEYS:]):
        found.append(each)
        total += values[each]
        if total >= need(len(found)):
            return found
    everything = sum(values[each] for each in useful)
    wanted = need(max(len(useful), 1))
    if everything >= wanted:
        raise NotesTooSmallError(
            f"{len(useful)} notes cover it, at most {MAX_SIGNING_KEYS} can be spent at once: "
            "join the smallest ones first"
        )
    raise FundsInsufficientError(f"{everything} can be spent, {wanted} is needed with the fee")


def plan(
    order: Order,
    values: Mapping[bytes, int],
    *,
    prices: Prices,
    change_key: bytes,
    rng: Rng,
    deposit_key: bytes = ZERO,
) -> Plan:
    """Makes a transaction of an order (WAL-14).

    Args:
        order: What is wanted. Its inputs, if there are any, are all of `values`.
        values: Of the notes that may be spent, by id.
        prices: Of the next block.
        change_key: Public key of the change, 32 bytes.
        rng: Decides between notes, and on the order of inputs and outputs.
        deposit_key: Public key of the notes for channels, if there are any.

    Raises:
        OrderInvalidError: No transaction is like that.
        FundsInsufficientError, NotesTooSmallError: As `choose`.
        FeeTooHighError: It would pay more than the order allows.
        AmountOverflowError, ValueUnencodableError: An amount or a part has no encoding.
    """
    _check(order)
    change = Note(0, change_key)
    paid = [*order.outputs, *[Note(each.value, deposit_key) for each in order.deposits]]
    base = with_headroom(_fee(order, 1, paid, prices), prices)
    each_costs = with_headroom(HASH_BYTES * prices.storage, prices)
    wanted = checked_sum(each.value for each in paid) + order.tip + base

    def need(inputs: int) -> int:
        return wanted + each_costs * (inputs - 1)

    inputs = shuffled(order.inputs or choose(values, need, rng), rng)
    left = sum(values[each] for each in inputs) - need(len(inputs))
    if left < 0:
        raise FundsInsufficientError(f"the chosen notes are worth {-left} too little")
    outputs = [*paid, change]
    more = with_headroom(_fee(order, 1, outputs, prices), prices) - base
    kept = left - more
    # Change that costs more to spend than it is worth is the leader's.
    is_kept = kept > each_costs and len(outputs) <= MAX_OUTPUTS
    change = Note(kept, change_key)
    made = shuffled([*paid, change], rng) if is_kept else paid
    transfer = Transfer(tuple(inputs), tuple(made))
    operations = (*order.operations, transfer, *_deposits(order, transfer, deposit_key))
    fee = unsigned_fee(operations, prices, order.signatures)
    spent = sum(values[each] for each in inputs) - sum(each.value for each in made)
    if order.max_paid is not None and spent > order.max_paid:
        raise FeeTooHighError(f"{spent} for fee and tip, at most {order.max_paid} is allowed")
    return Plan(
        Transaction(operations),
        fee,
        spent - fee,
        tuple(inputs),
        change if is_kept else None,
    )


def _smallest_pair(
    ordered: Sequence[bytes], values: Mapping[bytes, int], need: int
) -> list[bytes] | None:
    """Returns the two notes of the smallest sum that is enough; ordered by value."""
    best: tuple[int, list[bytes]] | None = None
    low, high = 0, len(ordered) - 1
    while low < high:
        total = values[ordered[low]] + values[ordered[high]]
        if total < need:
            low += 1
            continue
        if best is None or total < best[0]:
            best = (total, [ordered[low], ordered[high]])
        high -= 1
    return None if best is None else best[1]


def _deposits(order: Order, transfer: Transfer, key: bytes) -> list[ChannelDeposit]:
    """Returns the deposits of an order, each of a note that the transfer makes."""
    operation, left = operation_id(transfer), dict(enumerate(transfer.outputs))
    found: list[ChannelDeposit] = []
    for each in order.deposits:
        note = Note(each.value, key)
        index = next(at for at, one in left.items() if one == note)
        del left[index]
        found.append(
            ChannelDeposit(each.channel, (note_id(operation, index, note),), each.metadata)
        )
    return found


def _fee(order: Order, inputs: int, outputs: Sequence[Note], prices: Prices) -> int:
    transfer = Transfer((ZERO,) * inputs, tuple(outputs))
    deposits = [ChannelDeposit(each.channel, (ZERO,), each.metadata) for each in order.deposits]
    return unsigned_fee([*order.operations, transfer, *deposits], prices, order.signatures)


def _check(order: Order) -> None:
    if any(isinstance(each, Transfer) for each in order.operations):
        raise OrderInvalidError("transfers are made of outputs", field="operations")
    if not all(each.value for each in order.outputs):
        raise OrderInvalidError("every output has a value", field="outputs")
    if not all(each.value > 0 for each in order.deposits):
        raise OrderInvalidError("every deposit has a value", field="deposits")
    if not (order.outputs or order.operations or order.inputs or order.deposits):
        raise OrderInvalidError("there is nothing to do")
    if len(order.inputs) > MAX_SIGNING_KEYS or len(set(order.inputs)) < len(order.inputs):
        raise OrderInvalidError(f"at most {MAX_SIGNING_KEYS} inputs, each once", field="inputs")
    if len(order.outputs) + len(order.deposits) > MAX_OUTPUTS or order.tip < 0:
        raise OrderInvalidError(f"at most {MAX_OUTPUTS} outputs, and no tip below 0")
