"""What the nodes of a network agree on before the first block, and what follows from it.

All of it is integers and fractions: two nodes with different floats would split the chain.

Spec: docs/protocol/chain-consensus.md, CON-1, CON-2. Source: LIP-92, constants; LIP-96 for the
times of the start; LIP-147 for the window of the density.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from logos_base.errors import ConfigError

PERMILLE: Final = 1000
"""The precision in which stake inference takes its parameters."""
SNAPSHOT_PERIODS: Final = 3
BUFFER_PERIODS: Final = 3
FINALISATION_PERIODS: Final = 4
_EPOCH_PERIODS: Final = SNAPSHOT_PERIODS + BUFFER_PERIODS + FINALISATION_PERIODS
_OBSERVED_PERIODS: Final = SNAPSHOT_PERIODS + BUFFER_PERIODS
_MAX_SECURITY_BLOCKS: Final = 1 << 20
_MAX_UNCLES: Final = 255
"""The list of uncles is counted by one byte."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of a network. Valid: others raise `ConfigError` with all the problems."""

    name: str
    slot_ms: int
    activation: Fraction
    """f: the share of slots that are to have a block."""
    security_blocks: int
    """k: a block so deep is never given up by a node that is online."""
    learning_rate: Fraction
    """beta: how fast the estimate of the total stake follows what is observed."""
    uncle_window_blocks: int
    """W: how many expected block intervals an uncle's parent may be behind."""
    prolonged_bootstrap_ms: int
    """How long the bootstrap rule stays in force after the first download."""
    max_uncles: int = 4
    """0 switches uncles off."""
    offline_grace_ms: int = 20 * 60 * 1000
    max_transactions: int = 1024
    max_body_bytes: int = 2 * 1024 * 1024
    keeps_idle_stake: bool = False
    """Whether an epoch without a block leaves the estimate of the stake as it is (CON-10)."""
    density_window_slots: int | None = None
    """s_gen; None: k / 4f, as LIP-147 has it."""

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ConfigError([f"{self.name}: {each}" for each in problems])

    def _problems(self) -> list[str]:
        if not 0 < self.activation < 1:
            return ["activation must lie between 0 and 1"]
        checks = {
            "name must not be empty": bool(self.name),
            "slot_ms must be at least 1": self.slot_ms >= 1,
            "activation must be at least 1/1000": self.activation_permille >= 1,
            f"security_blocks must be 1 to {_MAX_SECURITY_BLOCKS}": (
                1 <= self.security_blocks <= _MAX_SECURITY_BLOCKS
            ),
            "learning_rate must be 1/1000 to 1": (Fraction(1, PERMILLE) <= self.learning_rate <= 1),
            f"max_uncles must be 0 to {_MAX_UNCLES}": 0 <= self.max_uncles <= _MAX_UNCLES,
            "uncle_window_blocks must be 1 to 0.6 of security_blocks": (
                not self.max_uncles
                or 1 <= self.uncle_window_blocks <= 6 * self.security_blocks // 10
            ),
            "prolonged_bootstrap_ms must not be negative": self.prolonged_bootstrap_ms >= 0,
            "offline_grace_ms must not be negative": self.offline_grace_ms >= 0,
            "max_transactions must be at least 1": self.max_transactions >= 1,
            "max_body_bytes must be at least 1": self.max_body_bytes >= 1,
            "density_window_slots must be at least 1; security_blocks may be too few": (
                self.density_slots >= 1
            ),
        }
        return [problem for problem, holds in checks.items() if not holds]

    @property
    def activation_permille(self) -> int:
        """f in thousandths, rounded down: what stake inference takes (CON-12)."""
        return int(self.activation * PERMILLE)

    @property
    def learning_permille(self) -> int:
        """beta in thousandths, rounded down."""
        return int(self.learning_rate * PERMILLE)

    @property
    def base_period_slots(self) -> int:
        """k / f, rounded down. In integers: it is asked for with every header."""
        return self.security_blocks * self.activation.denominator // self.activation.numerator

    @property
    def epoch_slots(self) -> int:
        """The length of an epoch: 3 + 3 + 4 base periods."""
        return _EPOCH_PERIODS * self.base_period_slots

    @property
    def observed_slots(self) -> int:
        """The first 6 base periods of an epoch: what the next one's nonce and stake see."""
        return _OBSERVED_PERIODS * self.base_period_slots

    @property
    def density_slots(self) -> int:
        """s_gen: the slots after a divergence that the bootstrap rule counts blocks in."""
        if self.density_window_slots is not None:
            return self.density_window_slots
        return int(self.security_blocks / (4 * self.activation))

    @property
    def uncle_window_slots(self) -> int:
        """W / f, rounded down: a block's slot less that of its uncle's parent, at most."""
        return int(self.uncle_window_blocks / self.activation)

    def epoch_of(self, slot: int) -> int:
        """Returns the epoch of a slot."""
        return slot // self.epoch_slots

    def epoch_begins(self, epoch: int) -> int:
        """Returns the first slot of an epoch."""
        return epoch * self.epoch_slots
