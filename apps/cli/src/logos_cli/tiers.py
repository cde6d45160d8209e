"""`./logos test`: the tiers of docs/architecture.md, each a run of its own."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from logos_cli.console import stderr
from logos_cli.programs import run, surroundings, tool
from logos_testnet.engine import engine_answers

_PYTEST: Final = {
    "unit": "not simulation and not integration and not containers",
    "simulation": "simulation",
    "integration": "integration",
    "containers": "containers",
}
TIERS: Final = ("unit", "native", "simulation", "integration", "containers")
_NOTHING_COLLECTED: Final = 5


def run_tests(root: Path, selection: Sequence[str]) -> bool:
    """Runs tiers named first in `selection`; what follows them goes to pytest.

    Without tiers: all of them, or just pytest with what was given.
    """
    named = [word for word in selection if word in TIERS]
    rest = [word for word in selection if word not in TIERS]
    if rest and not named:
        return run([tool("pytest"), *rest], root) == 0
    failed = [tier for tier in named or TIERS if not _run_tier(root, tier, rest)]
    if failed:
        stderr.print(f"[red]failed:[/] {', '.join(failed)}", highlight=False)
    return not failed


def _run_tier(root: Path, tier: str, rest: Sequence[str]) -> bool:
    stderr.rule(tier)
    if tier == "native":
        around = surroundings()
        around["PATH"] += f"{os.pathsep}{Path.home() / '.cargo' / 'bin'}"
        return (
            run(["cargo", "test", "--release", "--locked"], root / "native", variables=around) == 0
        )
    if tier == "containers" and not os.environ.get("CI") and not asyncio.run(engine_answers()):
        stderr.print("no container engine answers: skipped", highlight=False)
        return True
    code = run([tool("pytest"), "-m", _PYTEST[tier], *rest], root)
    return code == 0 or (bool(rest) and code == _NOTHING_COLLECTED)
