"""Poseidon2 over the BN254 scalar field in plain integers: the oracle of the native one.

The published vectors decide whether the derived round constants are right.

Source: LIP-200 section 1 and its annex.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from oracle.poseidon import P, below_modulus, grain

_HALF: Final = 12
_INTERNAL_ROUNDS: Final = 56
_WIDTH: Final = 3

State = tuple[int, int, int]


def _constants() -> tuple[list[State], list[int]]:
    """As the document says: from the Grain register, and from nothing of the product."""
    bits = grain(_WIDTH, _INTERNAL_ROUNDS)
    found = below_modulus(bits, _HALF + _INTERNAL_ROUNDS + _HALF)
    outer = found[:_HALF] + found[-_HALF:]
    external = [(outer[at], outer[at + 1], outer[at + 2]) for at in range(0, 2 * _HALF, 3)]
    return external, found[_HALF:-_HALF]


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
    half = len(_EXTERNAL) // 2
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
