"""Groth16 over BN254 in pure Python: an independent verifier of proofs in snarkjs' JSON form.

Points are affine, with a third coordinate that says so; values are decimal strings. About
a second per proof. Pairings come from py_ecc, the checks of the encoding from here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from py_ecc.fields import optimized_bn128_FQ as FQ
from py_ecc.fields import optimized_bn128_FQ2 as FQ2
from py_ecc.fields import optimized_bn128_FQ12 as FQ12
from py_ecc.optimized_bn128.optimized_curve import (
    add,
    b,
    b2,
    curve_order,
    field_modulus,
    is_inf,
    is_on_curve,
    multiply,
    neg,
)
from py_ecc.optimized_bn128.optimized_pairing import final_exponentiate, pairing

from oracle.poseidon2 import P

Json = Mapping[str, Any]
G1 = tuple[FQ, FQ, FQ]
G2 = tuple[FQ2, FQ2, FQ2]

if curve_order != P:
    raise ValueError("py_ecc has another curve in mind")


class NotAPointError(ValueError):
    """Coordinates that are not canonical, not on the curve, or outside the subgroup."""


def verifies(verification_key: Json, proof: Json, public: Sequence[str]) -> bool:
    """Whether a proof holds for the public inputs. False too for points that are none.

    Raises:
        NotAPointError: The verification key itself is broken.
    """
    alpha, beta = g1(verification_key["vk_alpha_1"]), g2(verification_key["vk_beta_2"])
    gamma, delta = g2(verification_key["vk_gamma_2"]), g2(verification_key["vk_delta_2"])
    bases = [g1(point) for point in verification_key["IC"]]
    values = [int(value) for value in public]
    if len(values) + 1 != len(bases) or not all(0 <= value < P for value in values):
        return False
    try:
        a, b_, c = g1(proof["pi_a"]), g2(proof["pi_b"]), g1(proof["pi_c"])
    except NotAPointError:
        return False
    inputs = bases[0]
    for base, value in zip(bases[1:], values, strict=True):
        inputs = add(inputs, multiply(base, value))
    product = _pair(b_, neg(a)) * _pair(beta, alpha) * _pair(gamma, inputs) * _pair(delta, c)
    return bool(final_exponentiate(product) == FQ12.one())


def g1(coordinates: Sequence[str]) -> G1:
    """A point of the first group, not at infinity. Its order is prime, so the curve suffices."""
    x, y = (FQ(each) for each in _canonical(coordinates[:2]))
    point = (x, y, FQ.one())
    if [int(each) for each in coordinates[2:]] != [1] or not is_on_curve(point, b):
        raise NotAPointError("not a point of the first group")
    return point


def g2(coordinates: Sequence[Sequence[str]]) -> G2:
    """A point of the second group, in the subgroup of the right order, not at infinity."""
    x, y = (FQ2(_canonical(each)) for each in coordinates[:2])
    point = (x, y, FQ2.one())
    rest = [[int(each) for each in pair] for pair in coordinates[2:]]
    if rest != [[1, 0]] or not is_on_curve(point, b2):
        raise NotAPointError("not a point of the second group's curve")
    if not is_inf(multiply(point, curve_order)):
        raise NotAPointError("outside the subgroup")
    return point


def _canonical(coordinates: Sequence[str]) -> tuple[int, int]:
    first, second = (int(each) for each in coordinates)
    if not (0 <= first < field_modulus and 0 <= second < field_modulus):
        raise NotAPointError("a coordinate is not canonical")
    return first, second


def _pair(second: G2, first: G1) -> FQ12:
    return pairing(second, first, final_exponentiate=False)
