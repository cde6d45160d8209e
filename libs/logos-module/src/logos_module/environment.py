"""The environment variables that a module process is started with."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from logos_base.errors import ConfigError

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
ADDRESS: Final = re.compile(r"unix:/[^\x00]+|[A-Za-z0-9.:_\[\]-]+:[0-9]{1,5}")
"""Addresses to bind and to dial. Without a host gRPC would listen on all interfaces."""


@dataclass(frozen=True, slots=True)
class Environment:
    """The configuration of a module process. docs/operations.md lists the variables."""

    module: str
    kernel: str
    """gRPC target of the kernel."""
    listen: str
    """gRPC address to bind, and to register with."""
    state_dir: Path
    join_secret: Path
    """File of 32 bytes that the kernel makes, readable by the two alone."""
    epoch: int
    """Epoch that the kernel assigned; 0 if the kernel did not start this process."""
    is_beside: bool
    """Whether the kernel started it beside another version that serves (KER-48)."""
    log_level: str
    metrics_listen: tuple[str, int] | None


def parse_environment(variables: Mapping[str, str] = os.environ) -> Environment:
    """Reads the variables, or raises `ConfigError` with every problem in them."""
    problems: list[str] = []

    def required(name: str) -> str:
        value = variables.get(name, "")
        if not value:
            problems.append(f"{name}: must be set, by the kernel or the compose file")
        return value

    module, kernel = required("LOGOS_MODULE"), required("LOGOS_KERNEL")
    listen, state_dir = required("LOGOS_LISTEN"), required("LOGOS_STATE_DIR")
    join_secret = required("LOGOS_JOIN_SECRET")
    epoch = variables.get("LOGOS_EPOCH", "0")
    if not epoch.isdecimal():
        problems.append(f"LOGOS_EPOCH: must be a number, is {epoch!r}")
    beside = variables.get("LOGOS_BESIDE", "")
    if beside not in {"", "1"}:
        problems.append(f"LOGOS_BESIDE: must be 1 or absent, is {beside!r}")
    level = parse_log_level(variables, problems)
    metrics = parse_metrics_listen(variables, problems)
    if listen and not ADDRESS.fullmatch(listen):
        problems.append(f"LOGOS_LISTEN: must be unix:/path or host:port, is {listen!r}")
    if problems:
        raise ConfigError(problems)
    return Environment(
        module=module,
        kernel=kernel,
        listen=listen,
        state_dir=Path(state_dir),
        join_secret=Path(join_secret),
        epoch=int(epoch),
        is_beside=beside == "1",
        log_level=level,
        metrics_listen=metrics,
    )


def parse_log_level(variables: Mapping[str, str], problems: list[str]) -> str:
    """Returns LOGOS_LOG_LEVEL in capitals, INFO if it is not set."""
    level = variables.get("LOGOS_LOG_LEVEL", "INFO").upper()
    if level not in LEVELS:
        problems.append(f"LOGOS_LOG_LEVEL: must be one of {', '.join(LEVELS)}, is {level!r}")
    return level


def parse_metrics_listen(
    variables: Mapping[str, str], problems: list[str]
) -> tuple[str, int] | None:
    """Returns host and port of LOGOS_METRICS_LISTEN; None if it is not set or not valid."""
    value = variables.get("LOGOS_METRICS_LISTEN", "")
    host, _, port = value.rpartition(":")
    if not value:
        return None
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        problems.append(
            f"LOGOS_METRICS_LISTEN: must be host:port, such as 127.0.0.1:9090, is {value!r}"
        )
        return None
    return host.strip("[]"), int(port)
