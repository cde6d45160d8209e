"""Poseidon2 over the BN254 scalar field in plain integers: the oracle of the native one.

The round constants are read from the native source; the published vectors decide whether
they are right. Source: LIP-200 section 1 and its annex.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final

P: Final = 0x30644E72E131A029B85045B68181585D2833E84879B9709143E1F593F0000001
"""The order of the field."""

_SOURCE: Final = (
    Path(__file__).parents[4] / "native" / "crates" / "zk" / "src" / "poseidon2" / "constants.rs"
)
_LIMBS: Final = re.compile(r"value\(\[(0x\w{16}), (0x\w{16}), (0x\w{16}), (0x\w{16})\]\)")
_EXTERNAL_ROUNDS: Final = 8
_INTERNAL_ROUNDS: Final = 56

State = tuple[int, int, int]


def _constants() -> tuple[list[State], list[int]]:
    found = [
        sum(int(limb, 16) << (64 * at) for at, limb in enumerate(limbs))
        for limbs in _LIMBS.findall(_SOURCE.read_text(encoding="utf-8"))
    ]
    split = 3 * _EXTERNAL_ROUNDS
    if len(found) != split + _INTERNAL_ROUNDS:
        raise ValueError(f"{len(found)} round constants in {_SOURCE.name}")
    external = [(found[at], found[at + 1], found[at + 2]) for at in range(0, split, 3)]
    return external, found[split:]


_EXTERNAL, _INTERNAL = _constants()


def hash(values: Iterable[int]) -> int:  # noqa: A001 - the specification's name
    """Hashes any number of values: a sponge of rate 1 from zeros, padded with a one."""
    state = (0, 0, 0)
    for value in (*values, 1):
        state = _permute(((state[0] + value) % P, state[1], state[2]))
    return state[0]


def compress(left: int, right: int) -> int:
    """Compresses two values to one: nodes, public keys, nullifiers, vouchers."""
    return _permute((left % P, right % P, 0))[0]


@lru_cache(maxsize=1 << 16)
def _permute(state: State) -> State:
    half = _EXTERNAL_ROUNDS // 2
    state = _mixed(*state)
    for constants in _EXTERNAL[:half]:
        state = _external_round(state, constants)
    a, b, c = state
    for constant in _INTERNAL:
        a = pow(a + constant, 5, P)
        total = a + b + c
        a, b, c = (a + total) % P, (b + total) % P, (2 * c + total) % P
    state = (a, b, c)
    for constants in _EXTERNAL[half:]:
        state = _external_round(state, constants)
    return state


def _external_round(state: State, constants: State) -> State:
    return _mixed(
        pow(state[0] + constants[0], 5, P),
        pow(state[1] + constants[1], 5, P),
        pow(state[2] + constants[2], 5, P),
    )


def _mixed(a: int, b: int, c: int) -> State:
    total = a + b + c
    return ((a + total) % P, (b + total) % P, (c + total) % P)
