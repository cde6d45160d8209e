"""`python -m logos_module.conformance DIR`: all checks, a line of JSON each.

`logosctl module check --run DIR` shows them to people. Exit code 0 if all pass, 1 if not, 2 if
there is nothing to check.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable
from functools import partial
from pathlib import Path
from typing import Final

from logos_base.errors import ConfigError
from logos_module.conformance.answers import SECRET
from logos_module.conformance.broken import ContractBrokenError
from logos_module.conformance.catalogue import CHECKS, OUTSIDE, Check, name_of, prove
from logos_module.conformance.subject import subject_of

INTERRUPTED: Final = 130


def main() -> int:
    """Runs all checks of the module in a folder."""
    given = _arguments()
    try:
        settings = json.loads(given.settings)
        if not isinstance(settings, dict):
            raise ConfigError([f"--settings: must be a JSON object, is {given.settings}"])
        if (given.kernel is None) != (given.join_secret is None):
            raise ConfigError(["--kernel and --join-secret: give both, or none"])
        subject = subject_of(given.folder, settings)
        beside = [subject_of(folder) for folder in given.beside]
        if given.join_secret is not None:
            given.join_secret.write_bytes(SECRET)
    except (ConfigError, ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    checks = CHECKS if given.kernel is None else OUTSIDE
    prove_one = partial(prove, subject=subject, beside=beside, address=given.kernel)
    try:
        passed = [_report(check, asyncio.run(_problem_of(prove_one(check)))) for check in checks]
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0 if all(passed) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m logos_module.conformance")
    add = parser.add_argument
    add("folder", type=Path, help="the module: its module.toml at the top or in src/*")
    add("--settings", default="{}", help="its settings, a JSON object")
    add("--beside", type=Path, action="append", default=[], help="a module that it calls")
    add("--kernel", help="address to serve an externally started module: its LOGOS_KERNEL")
    add("--join-secret", type=Path, help="file to write for it: its LOGOS_JOIN_SECRET")
    return parser.parse_args()


def _report(check: Check, problem: str) -> bool:
    line = {"check": name_of(check), "passed": not problem, "problem": problem}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
    return not problem


async def _problem_of(proving: Awaitable[None]) -> str:
    """Makes one check; returns what the module does wrong, or the empty string."""
    try:
        await proving
    except ContractBrokenError as broken:
        return str(broken)
    return ""


if __name__ == "__main__":
    sys.exit(main())
