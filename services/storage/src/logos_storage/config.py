"""The settings of the storage module."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from logos_base.errors import ConfigError
from logos_storage.core.errors import InvalidBlockSizeError
from logos_storage.core.types import DEFAULT_BLOCK_BYTES, check_block_size


@dataclass(frozen=True, slots=True)
class Config:
    """Settings with their defaults. All are whole numbers."""

    quota_bytes: int = 20 * 1024**3
    """The most that this node may use."""
    block_size_bytes: int = DEFAULT_BLOCK_BYTES
    """For puts that set none."""
    fetch_timeout_ms: int = 20_000
    """A fetch fails when no block has arrived for this long."""
    stall_timeout_ms: int = 10_000
    """A provider that sends nothing for this long is dropped; 1 to 45 s."""
    advertise_interval_s: int = 1800
    """Interval at which everything held is announced again."""


_LIMITS = {
    "quota_bytes": (1024**2, 2**62),
    "fetch_timeout_ms": (1000, 3_600_000),
    "stall_timeout_ms": (1000, 45_000),
    "advertise_interval_s": (1, 43_200),
}


def parse(settings: Mapping[str, object]) -> Config:
    """Reads the settings.

    Raises:
        ConfigError: With all problems at once.
    """
    problems = [
        f"unknown setting {name}"
        for name in sorted(settings.keys() - {field.name for field in fields(Config)})
    ]
    values: dict[str, int] = {}
    for field in fields(Config):
        value = settings.get(field.name, field.default)
        if not isinstance(value, int) or isinstance(value, bool):
            problems.append(f"{field.name} must be a whole number")
            continue
        values[field.name] = value
        low, high = _LIMITS.get(field.name, (value, value))
        if not low <= value <= high:
            problems.append(f"{field.name} must be from {low} to {high}")
    try:
        check_block_size(values.get("block_size_bytes", DEFAULT_BLOCK_BYTES))
    except InvalidBlockSizeError as error:
        problems.append(f"block_size_bytes: {error}")
    if problems:
        raise ConfigError(problems)
    return Config(**values)
