"""Poseidon over BN254 as circom has it, every constant derived from the Grain register.

Source: Poseidon paper, appendix E; circomlib.
"""

from collections.abc import Iterator, Sequence
from functools import cache

P = 0x30644E72E131A029B85045B68181585D2833E84879B9709143E1F593F0000001
FULL_ROUNDS = 8
PARTIAL_ROUNDS = (56, 57, 56, 60, 60, 63, 64, 63)
"""Of Poseidon, by the number of inputs less one."""


def grain(width: int, partial_rounds: int) -> Iterator[int]:
    """The bits of the self-shrinking register for a prime field and the S-box x^5."""
    head = f"{1:02b}{0:04b}{254:012b}{width:012b}{FULL_ROUNDS:010b}{partial_rounds:010b}"
    state = [int(bit) for bit in head + "1" * 30]

    def step() -> int:
        bit = state[62] ^ state[51] ^ state[38] ^ state[23] ^ state[13] ^ state[0]
        state.append(bit)
        del state[0]
        return bit

    for _ in range(160):
        step()
    while True:
        keep = step()
        bit = step()
        if keep:
            yield bit


def number(bits: Iterator[int]) -> int:
    value = 0
    for _ in range(254):
        value = value << 1 | next(bits)
    return value


def below_modulus(bits: Iterator[int], count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        value = number(bits)
        if value < P:
            found.append(value)
    return found


@cache
def poseidon_parameters(width: int) -> tuple[list[int], list[list[int]]]:
    partial = PARTIAL_ROUNDS[width - 2]
    bits = grain(width, partial)
    constants = below_modulus(bits, width * (FULL_ROUNDS + partial))
    rows = [number(bits) % P for _ in range(width)]
    columns = [number(bits) % P for _ in range(width)]
    return constants, [[pow(row + column, -1, P) for column in columns] for row in rows]


def poseidon(inputs: Sequence[int]) -> int:
    width = len(inputs) + 1
    constants, matrix = poseidon_parameters(width)
    partial = PARTIAL_ROUNDS[width - 2]
    state = [0, *inputs]
    for turn in range(FULL_ROUNDS + partial):
        state = [(element + constants[turn * width + at]) % P for at, element in enumerate(state)]
        is_full = not FULL_ROUNDS // 2 <= turn < FULL_ROUNDS // 2 + partial
        boxed = width if is_full else 1
        state = [pow(element, 5, P) for element in state[:boxed]] + state[boxed:]
        state = [sum(m * e for m, e in zip(row, state, strict=True)) % P for row in matrix]
    return state[0]
