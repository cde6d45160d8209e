"""What a network agrees on for its ledger.

Spec: docs/protocol/chain-ledger.md, LED-2. Sources: LIP-199, Float Precision for Implementation;
LIP-87, Default Service Parameters; LIP-95, Minimal Network Size, Activity Threshold.
"""

from dataclasses import dataclass

from logos_base.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Emission:
    """The constants of the reward of a block (LED-33); the defaults are LIP-199's."""

    stake_target: int = 3_000_000_000
    """Tokens: inferred stake up to which new tokens are emitted in full."""
    scale: int = 120_000_000
    inflation_numerator: int = 62_500
    """With the denominator: new tokens of a block at most, 95.1."""
    inflation_denominator: int = 657
    fee_weight: int = 10_512
    window_blocks: int = 120


@dataclass(frozen=True, slots=True)
class LedgerParameters:
    """Valid: others raise `ConfigError` with all the problems."""

    emission: Emission = Emission()
    min_stake: int = 1
    """Tokens that a declaration must lock."""
    inactivity_epochs: int = 2
    """Epochs without activity after which a provider is left out; at least 2."""
    min_providers: int = 32
    """Below it the Blend network earns nothing."""
    expected_tokens: int = 1 << 20
    """Blending tokens of an epoch (Q_C total), by which activity is measured."""

    def __post_init__(self) -> None:
        emission = self.emission
        checks = {
            "stake_target, fee_weight must not be negative": (
                emission.stake_target >= 0 and emission.fee_weight >= 0
            ),
            "scale, inflation_denominator, window_blocks must be at least 1": (
                min(emission.scale, emission.inflation_denominator, emission.window_blocks) >= 1
            ),
            "inflation_numerator must not be negative": emission.inflation_numerator >= 0,
            "min_stake must be 1 to 2**64-1": 1 <= self.min_stake < 1 << 64,
            "inactivity_epochs must be at least 2": self.inactivity_epochs >= 2,
            "min_providers must be at least 1": self.min_providers >= 1,
            "expected_tokens must be 1 to 2**64-1": 1 <= self.expected_tokens < 1 << 64,
        }
        if problems := [problem for problem, holds in checks.items() if not holds]:
            raise ConfigError(problems)
