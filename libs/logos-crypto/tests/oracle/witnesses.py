"""Witnesses that satisfy the statements, drawn from a seed.

A note's slot is searched until it wins under a stake of a quarter of the note: one slot
in eight. Half of the paths are those of a nearly empty tree, half are of random nodes.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from oracle import predicates as of
from oracle.draw import Draw
from oracle.poseidon2 import P, compress

T0_CONSTANT: Final = 0x1A3FB997FD5838F2A1585EE090A95C88129AB25CC4D2E2D28F1A95F81D85465
T1_CONSTANT: Final = 0x71E790B4199113A9A00298D823C5716DDAC764A110A45FE3B770BBB3E8A57
"""LIP-83, lottery approximation, for one block in 30 slots."""

SLOTS: Final = 1 << 40
OUTPUTS: Final = 256
HALF_KEY: Final = 1 << 128


@dataclass(frozen=True)
class Case:
    """What a statement is asked about, and what it is to answer: see `predicates.holds`."""

    name: str
    circuit: str
    public: dict[str, Any]
    private: dict[str, Any]
    expected: str | None = None

    def but(self, name: str, expected: str | None, **changes: Any) -> "Case":
        """The same with other values; each name is of the public or of the private part."""
        unknown = changes.keys() - self.public.keys() - self.private.keys()
        if unknown:
            raise ValueError(f"{self.circuit} has no {sorted(unknown)}")
        return replace(
            self,
            name=name,
            expected=expected,
            public={key: changes.get(key, value) for key, value in self.public.items()},
            private={key: changes.get(key, value) for key, value in self.private.items()},
        )

    def __getitem__(self, name: str) -> Any:
        return self.public[name] if name in self.public else self.private[name]


def lottery_constants(stake: int) -> tuple[int, int]:
    """t0 and t1 for an inferred total stake."""
    return T0_CONSTANT // stake, P - T1_CONSTANT // stake**2


def leadership(seed: object) -> Case:
    """A leader of some slot."""
    draw = Draw(of.POL, seed)
    note, lottery = _note(draw), _lottery(draw)
    identity, slot = _winning(draw, note, lottery)
    aged, latest = _path(draw, of.LEDGER_DEPTH), _path(draw, of.LEDGER_DEPTH)
    public = {
        "entropy_contribution": of.entropy_contribution(slot, identity, note["secret_key"]),
        "slot": slot,
        "epoch_nonce": lottery["epoch_nonce"],
        "t0": lottery["t0"],
        "t1": lottery["t1"],
        "aged_root": of.root_of(identity, *aged),
        "latest_root": of.root_of(identity, *latest),
        **_key(draw),
    }
    private = note | {
        "aged_path": aged[0],
        "aged_index": aged[1],
        "latest_path": latest[0],
        "latest_index": latest[1],
    }
    return Case(f"leader {seed}", of.POL, public, private)


def claim(seed: object) -> Case:
    """A reward that waits for its leader."""
    draw = Draw(of.POC, seed)
    secret, (path, index) = draw.element(), _path(draw, of.LEDGER_DEPTH)
    public = {
        "voucher_nullifier": of.voucher_nullifier(secret),
        "mantle_tx_hash": draw.element(),
        "voucher_root": of.root_of(of.voucher(secret), path, index),
    }
    private = {"secret_voucher": secret, "path": path, "index": index}
    return Case(f"claim {seed}", of.POC, public, private)


def quota(seed: object) -> Case:
    """A message key of a core node or of a leader, as it falls."""
    return quota_of(seed, is_leader=Draw(of.POQ, seed).below(2))


def quota_of(seed: object, *, is_leader: int) -> Case:
    """A message key of that role. What the other role would need is random and wrong."""
    draw = Draw(of.POQ, is_leader, seed)
    note, lottery = _note(draw), _lottery(draw)
    core_quota, leader_quota = draw.between(1, (1 << 20) - 1), draw.between(1, (1 << 20) - 1)
    index = draw.below(leader_quota if is_leader else core_quota)
    core_secret, core = draw.element(), _path(draw, of.CORE_DEPTH)
    aged = _path(draw, of.LEDGER_DEPTH)
    if is_leader:
        identity, slot = _winning(draw, note, lottery)
        aged_root, core_root = of.root_of(identity, *aged), draw.element()
        nullifier = of.key_nullifier(note["secret_key"], index, slot)
    else:
        slot, aged_root = draw.below(SLOTS), draw.element()
        core_root = of.root_of(of.public_key(core_secret), *core)
        nullifier = of.key_nullifier(core_secret, index, lottery["epoch_nonce"])
    public = {
        "key_nullifier": nullifier,
        "core_quota": core_quota,
        "leader_quota": leader_quota,
        "core_root": core_root,
        "aged_root": aged_root,
        **_key(draw),
        **{name: lottery[name] for name in ("epoch_nonce", "t0", "t1")},
    }
    private = {
        "is_leader": is_leader,
        "quota_index": index,
        "core_secret_key": core_secret,
        "core_path": core[0],
        "core_index": core[1],
        "slot": slot,
        **note,
        "aged_path": aged[0],
        "aged_index": aged[1],
    }
    role = "leader" if is_leader else "core"
    return Case(f"{role} {seed}", of.POQ, public, private)


def signature(size: int) -> Callable[[object], Case]:
    """Signatures by up to as many keys; the places that are left have the secret 0."""

    def signed(seed: object) -> Case:
        circuit = f"signature_{size}"
        draw = Draw(circuit, seed)
        secrets = draw.elements(draw.between(1, size))
        secrets += [0] * (size - len(secrets))
        public = {
            "public_keys": [of.public_key(secret) for secret in secrets],
            "message": draw.element(),
        }
        return Case(f"signature {seed}", circuit, public, {"secret_keys": secrets})

    return signed


SATISFIED: Final[dict[str, Callable[[object], Case]]] = {
    of.POL: leadership,
    of.POC: claim,
    of.POQ: quota,
    of.SIGNATURE_2: signature(2),
    of.SIGNATURE_32: signature(32),
}
"""For each circuit, the case of a seed."""


def note_of(case: Case) -> int:
    """The identifier of the note of a leader's case."""
    key = of.public_key(case["secret_key"])
    return of.note_id(case["op_id"], case["output_index"], case["value"], key)


def t0_for(case: Case, threshold: int) -> int:
    """The t0 under which the note of a case has this threshold."""
    value: int = case["value"]
    t1: int = case["t1"]
    return (threshold * pow(value, -1, P) - t1 * value) % P


def _note(draw: Draw) -> dict[str, int]:
    return {
        "secret_key": draw.element(),
        "value": draw.between(1, (1 << draw.between(1, of.VALUE_BITS)) - 1),
        "op_id": draw.element(),
        "output_index": draw.below(OUTPUTS),
    }


def _lottery(draw: Draw) -> dict[str, int]:
    return {"epoch_nonce": draw.element(), "t0": 0, "t1": 0, "first_slot": draw.below(SLOTS)}


def _winning(draw: Draw, note: dict[str, int], lottery: dict[str, int]) -> tuple[int, int]:
    """Sets t0 and t1, and returns the note's identifier and the first slot that it wins."""
    value, secret_key = note["value"], note["secret_key"]
    lottery["t0"], lottery["t1"] = lottery_constants(max(1, value // 4))
    identity = of.note_id(note["op_id"], note["output_index"], value, of.public_key(secret_key))
    limit = of.threshold(value, lottery["t0"], lottery["t1"])
    slot = lottery["first_slot"]
    while of.ticket(lottery["epoch_nonce"], slot, identity, secret_key) >= limit:
        slot += 1
    return identity, slot


def _path(draw: Draw, depth: int) -> tuple[list[int], int]:
    index = draw.below(1 << depth)
    if draw.below(2):
        return draw.elements(depth), index
    empty, path = 0, []
    for _ in range(depth):
        path.append(empty)
        empty = compress(empty, empty)
    return path, index


def _key(draw: Draw) -> dict[str, int]:
    return {"key_low": draw.below(HALF_KEY), "key_high": draw.below(HALF_KEY)}
