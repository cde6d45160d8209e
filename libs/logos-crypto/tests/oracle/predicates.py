"""The statements of the chain's proofs as predicates, written from the specifications' text.

`holds` answers None where a witness satisfies a statement, and otherwise the name of the
first relation that fails. Values are plain integers by name; a path lies from the leaf
upwards, and the bits of the leaf's index say on which side its nodes stand: bit i is 1
where the node of level i is the left one. (The published circuits take the same bits as
selectors, most significant first.)

Sources: LIP-83 (proof of leadership), LIP-88 (proof of quota), the Mantle specification
(note id, ZkSignature, leader claim), LIP-200 (compression for keys, nullifiers, vouchers
and nodes; the hash elsewhere).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from oracle.poseidon2 import P, compress, hash  # noqa: A004 - the specification's name

Values = Mapping[str, Any]

LEDGER_DEPTH: Final = 32
CORE_DEPTH: Final = 20
QUOTA_BITS: Final = 20
VALUE_BITS: Final = 64

POL: Final = "pol"
POC: Final = "poc"
POQ: Final = "poq"
SIGNATURE_2: Final = "signature_2"
SIGNATURE_32: Final = "signature_32"

PUBLIC_ORDER: Final[dict[str, tuple[str, ...]]] = {
    POL: (
        *("entropy_contribution", "slot", "epoch_nonce", "t0", "t1"),
        *("aged_root", "latest_root", "key_low", "key_high"),
    ),
    POC: ("voucher_nullifier", "mantle_tx_hash", "voucher_root"),
    POQ: (
        *("key_nullifier", "core_quota", "leader_quota", "core_root", "aged_root"),
        *("key_low", "key_high", "epoch_nonce", "t0", "t1"),
    ),
    SIGNATURE_2: ("public_keys", "message"),
    SIGNATURE_32: ("public_keys", "message"),
}
"""How public inputs follow one another in a proof; a list takes as many places as it is long."""


def tag(text: bytes) -> int:
    """A domain tag as a field element: its bytes, little-endian."""
    return int.from_bytes(text, "little")


KDF: Final = tag(b"KDF")
NOTE_ID: Final = tag(b"NOTE_ID_V1")
LEAD: Final = tag(b"LEAD_V1")
NONCE_CONTRIB: Final = tag(b"NONCE_CONTRIB_V1")
SELECTION_RANDOMNESS: Final = tag(b"SELECTION_RANDOMNESS_V1")
KEY_NULLIFIER: Final = tag(b"KEY_NULLIFIER_V1")
REWARD_VOUCHER: Final = tag(b"REWARD_VOUCHER")
VOUCHER_NF: Final = tag(b"VOUCHER_NF")


def public_key(secret_key: int) -> int:
    """The key that a secret key belongs to."""
    return compress(KDF, secret_key)


def note_id(op_id: int, output_index: int, value: int, key: int) -> int:
    """The identifier of an output note; `op_id` is reduced already."""
    return hash([NOTE_ID, op_id, output_index, value, key])


def ticket(epoch_nonce: int, slot: int, note: int, secret_key: int) -> int:
    """What a note draws in the lottery of a slot."""
    return hash([LEAD, epoch_nonce, slot, note, secret_key])


def threshold(value: int, t0: int, t1: int) -> int:
    """What a ticket must stay below, in the field."""
    return value * (t0 + t1 * value) % P


def entropy_contribution(slot: int, note: int, secret_key: int) -> int:
    """What a leader adds to the nonce of the next epoch."""
    return hash([NONCE_CONTRIB, slot, note, secret_key])


def voucher(secret_voucher: int) -> int:
    """The commitment that a leader leaves for its reward."""
    return compress(REWARD_VOUCHER, secret_voucher)


def voucher_nullifier(secret_voucher: int) -> int:
    """What a claim shows, once."""
    return compress(VOUCHER_NF, secret_voucher)


def key_nullifier(secret_key: int, index: int, period: int) -> int:
    """What a message key shows; `period` is the epoch's nonce for a core node, else the slot."""
    return compress(KEY_NULLIFIER, hash([SELECTION_RANDOMNESS, secret_key, index, period]))


def root_of(leaf: int, path: Sequence[int], index: int) -> int:
    """The root that a leaf and its path lead to."""
    node = leaf
    for level, other in enumerate(path):
        node = compress(other, node) if index >> level & 1 else compress(node, other)
    return node


def is_member(root: int, leaf: int, path: Sequence[int], index: int, depth: int) -> bool:
    """Whether a leaf is in the tree of that depth. A wrong shape is not."""
    return len(path) == depth and 0 <= index < 1 << depth and root_of(leaf, path, index) == root


def public_inputs(circuit: str, public: Values) -> list[int]:
    """The public inputs of a proof, in their order."""
    inputs: list[int] = []
    for name in PUBLIC_ORDER[circuit]:
        value = public[name]
        inputs += value if isinstance(value, list) else [value]
    return inputs


def holds(circuit: str, public: Values, private: Values) -> str | None:
    """None where the witness satisfies the statement, else the first relation that fails."""
    if not all(0 <= value < P for value in (*_numbers(public), *_numbers(private))):
        return "canonical"
    return _STATEMENTS[circuit](public, private)


def leadership(public: Values, private: Values) -> str | None:
    """LIP-83, circuit constraints 1 to 7."""
    if (lost := _would_win(public["slot"], public, private)) is not None:
        return lost
    note = _note(private)
    path, index = private["latest_path"], private["latest_index"]
    if not is_member(public["latest_root"], note, path, index, LEDGER_DEPTH):
        return "latest_membership"
    expected = entropy_contribution(public["slot"], note, private["secret_key"])
    return None if public["entropy_contribution"] == expected else "entropy_contribution"


def claim(public: Values, private: Values) -> str | None:
    """A voucher is in the set, and the nullifier is its own. The transaction is bound only."""
    secret, path, index = private["secret_voucher"], private["path"], private["index"]
    if not is_member(public["voucher_root"], voucher(secret), path, index, LEDGER_DEPTH):
        return "voucher_membership"
    expected = voucher_nullifier(secret)
    return None if public["voucher_nullifier"] == expected else "voucher_nullifier"


def quota(public: Values, private: Values) -> str | None:
    """LIP-88, steps 1 to 4. Index and quota of the chosen role have 20 bits."""
    is_leader, index = private["is_leader"], private["quota_index"]
    if is_leader not in {0, 1}:
        return "role"
    allowed = public["leader_quota"] if is_leader else public["core_quota"]
    if not index < allowed < 1 << QUOTA_BITS:
        return "quota"
    if is_leader:
        if (lost := _would_win(private["slot"], public, private)) is not None:
            return lost
        secret, period = private["secret_key"], private["slot"]
    else:
        secret, period = private["core_secret_key"], public["epoch_nonce"]
        path, core_index = private["core_path"], private["core_index"]
        if not is_member(public["core_root"], public_key(secret), path, core_index, CORE_DEPTH):
            return "core_membership"
    expected = key_nullifier(secret, index, period)
    return None if public["key_nullifier"] == expected else "key_nullifier"


def signature(size: int) -> Callable[[Values, Values], str | None]:
    """ZkSignature for as many keys: each is derived from its secret; the message is bound only."""

    def signed(public: Values, private: Values) -> str | None:
        keys, secrets = public["public_keys"], private["secret_keys"]
        if len(keys) != size or len(secrets) != size:
            return "size"
        return None if keys == [public_key(secret) for secret in secrets] else "public_key"

    return signed


def _would_win(slot: int, public: Values, private: Values) -> str | None:
    value = private["value"]
    if value >= 1 << VALUE_BITS:
        return "value"
    note = _note(private)
    path, index = private["aged_path"], private["aged_index"]
    if not is_member(public["aged_root"], note, path, index, LEDGER_DEPTH):
        return "aged_membership"
    drawn = ticket(public["epoch_nonce"], slot, note, private["secret_key"])
    wins = drawn < threshold(value, public["t0"], public["t1"])
    return None if wins else "ticket_below_threshold"


def _note(private: Values) -> int:
    key = public_key(private["secret_key"])
    return note_id(private["op_id"], private["output_index"], private["value"], key)


def _numbers(values: Values) -> Iterator[int]:
    for value in values.values():
        yield from value if isinstance(value, list) else [value]


_STATEMENTS: Final[dict[str, Callable[[Values, Values], str | None]]] = {
    POL: leadership,
    POC: claim,
    POQ: quota,
    SIGNATURE_2: signature(2),
    SIGNATURE_32: signature(32),
}
CIRCUITS: Final = tuple(_STATEMENTS)
