"""What the settings of a testnet's nodes say of its genesis.

Spec: docs/protocol/chain-genesis.md, GEN-2.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from logos_base.errors import ConfigError
from logos_chain.core.chain_spec.spec import INSECURE_ENDING
from logos_chain.core.chain_spec.wallets import MAX_SEED
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.consensus.presets import PRESETS
from logos_chain.core.ledger.beginning import MAX_GENESIS_SUPPLY
from logos_mantle.genesis import MAX_CHAIN_ID_BYTES
from logos_mantle.notes import MAX_OUTPUTS

DEFAULT_STAKE: Final = (19_900_000, 100_000)
"""Tokens. A payment takes the smallest note that is enough, and its change leads no block for up
to two epochs: so the second note is for paying. 100 nodes have less than the stake up to which
blocks are rewarded in full (LED-33)."""
DEFAULT_FAUCET: Final = 2_000_000
"""Tokens. It counts as stake but leads no block, so it is a small part of one node's stake."""
DEFAULT_PRESET: Final = "testnet"
MAX_TIME_S: Final = (1 << 32) - 1

_OF_ALL: Final = ("preset", "chain_id", "genesis_faucet", "genesis_time", "seed")
"""Settings that all nodes have alike."""
_MISSING: Final = object()


@dataclass(frozen=True, slots=True)
class GenesisSettings:
    """Valid."""

    chain_id: str
    """At most 255 bytes of UTF-8; ends with `-insecure` if there is a seed, and only then."""
    preset: Parameters
    stakes: Mapping[str, tuple[int, ...]]
    """The values of each node's notes, by its name, in the order of the nodes."""
    faucet: int
    """The value of the faucet's note; 0: there is none."""
    time_s: int | None
    """When slot 0 begins, Unix time; None: soon after the genesis was made."""
    seed: int | None
    """All secrets follow from it; None: they are random."""


def settings_of(
    testnet: str, seed: int | None, nodes: Mapping[str, Mapping[str, Any]]
) -> GenesisSettings:
    """Reads the settings of all nodes with the module; those of other purposes are left alone.

    Args:
        testnet: Its name.
        seed: The testnet's.
        nodes: Settings by the name of the node, in the order of the nodes.

    Raises:
        ConfigError: Some are not valid, or not the same on all nodes; with all the problems.
    """
    common, problems = _common(nodes)
    if seed is not None and common.setdefault("seed", seed) != seed:
        problems.append("seed: is not that of the testnet")
    stakes = {name: each.get("genesis_stake", DEFAULT_STAKE) for name, each in nodes.items()}
    checked = {**common, "chain_id": _chain_id(testnet, common)}
    problems += [*_problems(checked), *_stake_problems(stakes, common.get("genesis_faucet"))]
    if problems:
        raise ConfigError(problems)
    return GenesisSettings(
        checked["chain_id"],
        PRESETS[common.get("preset", DEFAULT_PRESET)],
        {name: tuple(values) for name, values in stakes.items()},
        common.get("genesis_faucet", DEFAULT_FAUCET),
        common.get("genesis_time"),
        common.get("seed"),
    )


def _common(nodes: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    if not nodes:
        return {}, ["no node has the module"]
    (first, settings), *rest = nodes.items()
    common = {name: settings[name] for name in _OF_ALL if name in settings}
    problems = [
        f"{name}: {node} must have the same as {first}"
        for node, others in rest
        for name in _OF_ALL
        if not _same(others.get(name, _MISSING), settings.get(name, _MISSING))
    ]
    return common, problems


def _same(one: object, other: object) -> bool:
    return type(one) is type(other) and one == other


def _chain_id(testnet: str, common: Mapping[str, Any]) -> object:
    name = common.get("chain_id", f"logos-{testnet}")
    is_marked = not isinstance(name, str) or name.endswith(INSECURE_ENDING)
    return name if common.get("seed") is None or is_marked else name + INSECURE_ENDING


def _problems(common: Mapping[str, Any]) -> Iterator[str]:
    name, seed = common["chain_id"], common.get("seed")
    if not isinstance(name, str) or not name.isprintable() or not name:
        yield "chain_id: must be printable text"
    elif len(name.encode()) > MAX_CHAIN_ID_BYTES:
        yield f"chain_id: must have at most {MAX_CHAIN_ID_BYTES} bytes, with {INSECURE_ENDING}"
    elif seed is None and name.endswith(INSECURE_ENDING):
        yield f"chain_id: {name} must not end with {INSECURE_ENDING} without a seed; set another"
    if common.get("preset", DEFAULT_PRESET) not in list(PRESETS):
        yield f"preset: must be one of {', '.join(PRESETS)}"
    bounds = {"genesis_faucet": MAX_GENESIS_SUPPLY, "genesis_time": MAX_TIME_S, "seed": MAX_SEED}
    for setting, highest in bounds.items():
        if setting in common and not _is_number(common[setting], 0, highest):
            yield f"{setting}: must be a whole number, 0 to {highest}"


def _stake_problems(stakes: Mapping[str, object], faucet: object) -> Iterator[str]:
    values = list[int]()
    for node, notes in stakes.items():
        if isinstance(notes, list | tuple) and all(
            _is_number(each, 1, MAX_GENESIS_SUPPLY) for each in notes
        ):
            values += notes
        else:
            yield f"genesis_stake: {node} must have a list of whole numbers from 1 on"
    if stakes and not values:
        yield "genesis_stake: some node must have a note, or no block can be made"
    extra = faucet if isinstance(faucet, int) else DEFAULT_FAUCET
    if len(values) + (extra > 0) > MAX_OUTPUTS:
        yield f"genesis_stake: {len(values)} notes, with the faucet's at most {MAX_OUTPUTS}"
    if sum(values) + extra > MAX_GENESIS_SUPPLY:
        yield f"genesis_stake: {sum(values) + extra} tokens, at most {MAX_GENESIS_SUPPLY}"


def _is_number(value: object, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high
