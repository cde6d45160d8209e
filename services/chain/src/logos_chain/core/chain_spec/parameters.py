"""Parameters of consensus and ledger as they stand in a chain specification.

All are spelled out: what a later release makes of a preset changes no chain that exists.

Spec: docs/protocol/chain-genesis.md, GEN-8, GEN-9.
"""

from dataclasses import asdict, replace
from fractions import Fraction
from typing import Any, Final

from logos_base.errors import ConfigError
from logos_chain.core.chain_spec.documents import Table
from logos_chain.core.chain_spec.errors import ChainSpecInvalidError
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.ledger.parameters import Emission, LedgerParameters
from logos_mantle.limits import MAX_BODY_BYTES, MAX_TRANSACTIONS, MAX_UNCLES

MAX_NAME: Final = 32
_MAX_TERM: Final = 1_000_000
_MAX: Final = (1 << 64) - 1

_CONSENSUS: Final = {
    "slot_ms": (1, 3_600_000),
    "security_blocks": (1, 1 << 20),
    "uncle_window_blocks": (0, 1 << 20),
    "prolonged_bootstrap_ms": (0, _MAX),
    "max_uncles": (0, MAX_UNCLES),
    "offline_grace_ms": (0, _MAX),
    "max_transactions": (1, MAX_TRANSACTIONS),
    "max_body_bytes": (1, MAX_BODY_BYTES),
    "density_window_slots": (1, _MAX),
}
_RATIOS: Final = ("activation", "learning_rate")
_FLAG: Final = "keeps_idle_stake"
_LEDGER: Final = {
    "min_stake": (1, _MAX),
    "inactivity_epochs": (2, _MAX),
    "min_providers": (1, _MAX),
    "expected_tokens": (1, _MAX),
}
_EMISSION: Final = {
    "stake_target": (0, _MAX),
    "scale": (1, _MAX),
    "inflation_numerator": (0, _MAX),
    "inflation_denominator": (1, _MAX),
    "fee_weight": (0, _MAX),
    "window_blocks": (1, _MAX),
}


def spelled_out(parameters: Parameters) -> Parameters:
    """Returns the same parameters, with what follows from others as a number of its own."""
    return replace(parameters, density_window_slots=parameters.density_slots)


def consensus_document(parameters: Parameters) -> dict[str, object]:
    """Returns what stands in a specification; the name is not among it."""
    document = asdict(spelled_out(parameters))
    del document["name"]
    for name in _RATIOS:
        ratio: Fraction = document[name]
        document[name] = [ratio.numerator, ratio.denominator]
    return document


def consensus_of(document: Table, place: str, preset: str) -> Parameters:
    """Reads them. Untrusted; raises `ChainSpecInvalidError`."""
    table = document.table(place, [*_CONSENSUS, *_RATIOS, _FLAG])
    found: dict[str, Any] = {
        name: table.integer(name, *bounds) for name, bounds in _CONSENSUS.items()
    }
    found[_FLAG] = table.flag(_FLAG)
    found |= {name: Fraction(*table.ratio(name, _MAX_TERM)) for name in _RATIOS}
    try:
        return Parameters(preset, **found)
    except ConfigError as error:
        raise ChainSpecInvalidError(str(error), field=place) from None


def ledger_document(parameters: LedgerParameters) -> dict[str, object]:
    """Returns what stands in a specification."""
    return asdict(parameters)


def ledger_of(document: Table, place: str) -> LedgerParameters:
    """Reads them. Untrusted; raises `ChainSpecInvalidError`."""
    table = document.table(place, [*_LEDGER, "emission"])
    emission = table.table("emission", _EMISSION)
    constants = {name: emission.integer(name, *bounds) for name, bounds in _EMISSION.items()}
    numbers = {name: table.integer(name, *bounds) for name, bounds in _LEDGER.items()}
    return LedgerParameters(Emission(**constants), **numbers)
