"""What the panel Wallet says. Pure."""

from dataclasses import dataclass
from typing import Final

from logos.chain.v1 import wallet_pb2 as pb
from logos_app.nodes.reading import milliseconds
from logos_app.panels.chain import ids
from logos_app.panels.chain.words import status_said, tokens
from logos_app.panels.wallet.seen import Payment, WalletSeen
from logos_app.shown import formats, words

PHRASE_SHOWN_S: Final = 30
_SUMS: Final = (
    ("confirmed", "confirmed"),
    ("safe", "safe, under more blocks"),
    ("final", "final"),
    ("pending", "on the way in"),
    ("reserved", "reserved for what waits"),
    ("locked", "locked"),
    ("in_channels", "in channels"),
    ("watched", "of watched keys"),
)
SEEN_BY_OTHERS: Final = (
    "Everyone sees which notes it spends, what the notes that it makes are worth, and their keys.",
    "No name stands in it. The change goes to a key that was never used before.",
    "Which of the new notes is the change, it does not say: their order is random.",
    "Notes that are spent together are seen to be of one wallet.",
    "The owner of the address sees that it was paid, and how much.",
    "A neighbour of {node} that watches closely may guess that it came from {node}.",
)


def sentence(node: str, seen: WalletSeen) -> str:
    """What a wallet has, in a sentence. What is not known yet is never said to be nothing."""
    if seen.is_scanning or seen.scan_target:
        return f"The wallet of {node} looks through the chain{_scanned(seen)}."
    if seen.balance is None:
        return f"What the wallet of {node} has is not known yet."
    available = seen.balance.available
    if not available and seen.balance.pending:
        return f"{words.capital(node)} has no tokens to spend; {tokens(seen.balance.pending)} come."
    if not available:
        return f"{words.capital(node)} has no tokens to spend."
    return f"{words.capital(node)} has {tokens(available)} to spend."


def _scanned(seen: WalletSeen) -> str:
    if seen.balance is None or not seen.scan_target:
        return ""
    target = formats.number(seen.scan_target)
    return f": block {formats.number(seen.balance.height)} of {target}"


def sums(balance: pb.GetBalanceResponse) -> list[tuple[str, str]]:
    """The sums that are not zero, each with what it is; what can be spent is in the sentence."""
    found = [(formats.number(getattr(balance, name)), what) for name, what in _SUMS]
    return [(figure, what) for figure, what in found if figure != "0"]


@dataclass(frozen=True, slots=True)
class Order:
    """A payment as it was typed, and what is wrong with it."""

    to: str
    amount: str
    tip: str
    public_key: bytes = b""
    value: int = 0
    tip_value: int = 0
    wrong: tuple[tuple[str, str], ...] = ()
    """Names of fields with what is wrong there."""

    @property
    def faults(self) -> dict[str, str]:
        """What is wrong, by field."""
        return dict(self.wrong)


def order_of(to: str, amount: str, tip: str, available: int | None) -> Order:
    """Reads a payment. `available`: what can be spent; None if that is not known."""
    key, value, tip_value = ids.id_of(to), ids.number_of(amount), ids.number_of(tip or "0")
    wrong = []
    if key is None:
        wrong.append(("to", "An address has 64 hexadecimal digits. Copy it whole."))
    if not value:
        wrong.append(("amount", "An amount is a whole number of tokens, at least 1."))
    elif available is not None and value > available:
        less = f"There are {tokens(available)} to spend. Send less: the fee comes on top."
        wrong.append(("amount", less if available else "There is nothing to spend yet."))
    if tip_value is None:
        wrong.append(("tip", "A tip is a whole number of tokens, or nothing."))
    elif value and available is not None and value <= available < value + tip_value:
        wrong.append(("tip", f"Amount and tip are more than {tokens(available)}. Tip less."))
    return Order(to, amount, tip, key or b"", value or 0, tip_value or 0, tuple(wrong))


def left_said(order: Order, available: int | None) -> str:
    """What is left after a payment, before its fee."""
    if available is None:
        return "What is left then is not known: the wallet has not told what it has."
    return f"{words.capital(tokens(available - order.value - order.tip_value))}, less the fee."


def payment_said(payment: Payment) -> str:
    """What a page has done."""
    match payment.kind:
        case "faucet":
            return f"{tokens(payment.amount)} from the faucet"
        case "claim":
            return "a reward, claimed"
    fee = f"a fee of {formats.number(payment.fee)}"
    tip = f" and a tip of {formats.number(payment.tip)}" if payment.tip else ""
    return f"{tokens(payment.amount)}, with {fee}{tip}"


def payment_status(payment: Payment) -> str:
    """How far it has come: what was just accepted waits."""
    return status_said(payment.status) if payment.status is not None else "waits for a block"


def vouchers_said(node: str, seen: WalletSeen) -> str:
    """How many rewards there are."""
    if seen.vouchers is None:
        return "It is not known yet."
    count = len(seen.vouchers.vouchers)
    if not count:
        return f"{words.capital(node)} has made no block that its chain keeps, so there is none."
    made = f"{words.capital(words.counted(count, 'voucher'))} for blocks that {node} has made"
    now = f"{_spelled(seen.claimable)} can be claimed now"
    claimed = f"{_spelled(seen.claimed)} {'was' if seen.claimed == 1 else 'were'}"
    share = f" One brings {tokens(seen.vouchers.share)} before its fee." if seen.claimable else ""
    return f"{made}: {now}, {claimed}.{share}"


def _spelled(count: int) -> str:
    return words.spelled(count) if count else "none"


def entry_ms(entry: pb.ListHistoryResponse.Entry) -> int:
    """When an entry's block came; 0 if it waits for one."""
    return milliseconds(entry.time)
