"""How the native core is linted and tested: with the dependencies that its wheel is built of."""

import os
from pathlib import Path
from typing import Final

from logos_cli.programs import tool_environment

TEST: Final = ("cargo", "test", "--release", "--locked")
BUILD_TESTS: Final = (*TEST, "--no-run")


def cargo_environment() -> dict[str, str]:
    """Returns the environment in which Clippy compiles the workspace's own crates.

    That is how `cargo clippy` calls it, which would check all dependencies a second time,
    since a check shares nothing with a build. So the tests run what has been linted.
    """
    environment = tool_environment()
    environment["PATH"] += f"{os.pathsep}{Path.home() / '.cargo' / 'bin'}"
    environment["RUSTC_WORKSPACE_WRAPPER"] = "clippy-driver"
    environment["CLIPPY_ARGS"] = "-Dwarnings__CLIPPY_HACKERY__"
    return environment
