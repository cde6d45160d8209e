"""Parameters by name (CON-2).

Source: `spec` is LIP-92 and LIP-96; `dev` has the figures of the reference's standalone node,
`testnet` those of its development network (vaporif/logos-blockchain at a460e54). The times of the
prolonged bootstrap of the first three, that they keep the stake of idle epochs, and `ci`, are ours.
"""

from fractions import Fraction
from types import MappingProxyType
from typing import Final

from logos_chain.core.consensus.parameters import Parameters

_ALL: Final = (
    Parameters(
        "ci",
        slot_ms=1000,
        activation=Fraction(1, 5),
        security_blocks=4,
        learning_rate=Fraction(1, 2),
        uncle_window_blocks=2,
        prolonged_bootstrap_ms=1_000,
        keeps_idle_stake=True,
    ),
    Parameters(
        "dev",
        slot_ms=1000,
        activation=Fraction(1, 10),
        security_blocks=20,
        learning_rate=Fraction(1, 10),
        uncle_window_blocks=12,
        prolonged_bootstrap_ms=1_000,
        keeps_idle_stake=True,
    ),
    Parameters(
        "testnet",
        slot_ms=1000,
        activation=Fraction(1, 20),
        security_blocks=30,
        learning_rate=Fraction(1, 2),
        uncle_window_blocks=12,
        prolonged_bootstrap_ms=60_000,
        keeps_idle_stake=True,
    ),
    Parameters(
        "spec",
        slot_ms=1000,
        activation=Fraction(1, 30),
        security_blocks=2160,
        learning_rate=Fraction(1),
        uncle_window_blocks=12,
        prolonged_bootstrap_ms=24 * 60 * 60 * 1000,
    ),
)

PRESETS: Final = MappingProxyType({preset.name: preset for preset in _ALL})
