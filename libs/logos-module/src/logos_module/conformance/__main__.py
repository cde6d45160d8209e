"""`python -m logos_module.conformance DIR`: all checks, a line of JSON each.

`logosctl module check --run DIR` shows them to people. Exit code 0 if all pass, 1 if not, 2 if
there is nothing to check.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Final

from logos_base.errors import ConfigError
from logos_module.conformance.broken import ContractBrokenError
from logos_module.conformance.catalogue import CHECKS, Check, name_of, prove
from logos_module.conformance.subject import Subject, subject_of

INTERRUPTED: Final = 130


def main() -> int:
    """Runs all checks of the module in a folder."""
    parser = argparse.ArgumentParser(prog="python -m logos_module.conformance")
    parser.add_argument(
        "folder", type=Path, help="the module: its module.toml at the top or in src/*"
    )
    parser.add_argument("--settings", default="{}", help="its settings, a JSON object")
    parser.add_argument(
        "--beside", type=Path, action="append", default=[], help="a module that it calls"
    )
    given = parser.parse_args()
    try:
        settings = json.loads(given.settings)
        if not isinstance(settings, dict):
            raise ConfigError([f"--settings: must be a JSON object, is {given.settings}"])
        subject = subject_of(given.folder, settings)
        beside = [subject_of(folder) for folder in given.beside]
    except (ConfigError, ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    try:
        passed = [
            _report(check, asyncio.run(_problem_of(check, subject, beside))) for check in CHECKS
        ]
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0 if all(passed) else 1


def _report(check: Check, problem: str) -> bool:
    line = {"check": name_of(check), "passed": not problem, "problem": problem}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
    return not problem


async def _problem_of(check: Check, subject: Subject, beside: list[Subject]) -> str:
    """Makes one check; returns what the module does wrong, or the empty string."""
    try:
        await prove(check, subject, beside=beside)
    except ContractBrokenError as broken:
        return str(broken)
    return ""


if __name__ == "__main__":
    sys.exit(main())
