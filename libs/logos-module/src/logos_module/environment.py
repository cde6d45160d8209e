"""The environment variables that a module process is started with."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from logos_base.errors import ConfigError

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a module process stands. docs/operations.md lists the variables."""

    module: str
    kernel: str
    """gRPC target of the kernel."""
    listen: str
    """gRPC address to bind, and to register with."""
    state_dir: Path
    epoch: int
    """Epoch that the kernel started this process with; 0 if it did not."""
    log_level: str
    metrics_listen: tuple[str, int] | None


def parse_environment(variables: Mapping[str, str] = os.environ) -> Environment:
    """Reads the variables, or raises `ConfigError` with all that is wrong with them."""
    problems: list[str] = []

    def required(name: str) -> str:
        value = variables.get(name, "")
        if not value:
            problems.append(f"{name}: must be set; the kernel or the compose file sets it")
        return value

    module, kernel = required("LOGOS_MODULE"), required("LOGOS_KERNEL")
    listen, state_dir = required("LOGOS_LISTEN"), required("LOGOS_STATE_DIR")
    epoch = variables.get("LOGOS_EPOCH", "0")
    if not epoch.isdecimal():
        problems.append(f"LOGOS_EPOCH: must be a number, is {epoch!r}")
    level = variables.get("LOGOS_LOG_LEVEL", "INFO").upper()
    if level not in LEVELS:
        problems.append(f"LOGOS_LOG_LEVEL: must be one of {', '.join(LEVELS)}, is {level!r}")
    host, _, port = variables.get("LOGOS_METRICS_LISTEN", "").rpartition(":")
    if host and not port.isdecimal():
        problems.append(f"LOGOS_METRICS_LISTEN: must be host:port, ends with {port!r}")
    if problems:
        raise ConfigError(problems)
    metrics = (host, int(port)) if host else None
    return Environment(module, kernel, listen, Path(state_dir), int(epoch), level, metrics)
