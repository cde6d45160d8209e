"""`./logos test`: the test tiers of docs/architecture.md, each a separate run."""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import takewhile
from pathlib import Path
from typing import Final

from logos_cli.cargo import TEST, cargo_environment
from logos_cli.console import stderr
from logos_cli.exits import UsageError
from logos_cli.marks import files_of
from logos_cli.programs import run, tool, tool_environment
from logos_testnet.engine import engine_answers

TIERS: Final = ("unit", "native", "proofs", "simulation", "stress", "integration", "containers")
_MARKS: Final = ("stress", "proofs", "simulation", "integration", "containers")
"""A test belongs to the first of these tiers whose mark it has, and to `unit` without any."""
_PARALLEL: Final = ("unit", "simulation", "stress", "integration")
"""Tiers whose tests run in several processes: one alone leaves the cores idle most of the time.

The tests of a file, and of a package, run in the same process and share its fixtures.
"""
_USAGE: Final = 4
_NOTHING_COLLECTED: Final = 5


class Result(StrEnum):
    """The result of a run."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    EMPTY = "empty"
    """No test was selected."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of tests."""

    tier: str
    """Its name; `pytest` if no tier was given."""
    result: Result
    seconds: float = field(default=0.0, compare=False)


def run_tests(root: Path, selection: Sequence[str], *, to_stderr: bool = False) -> list[Run]:
    """Runs the tiers at the start of `selection`; further arguments go to pytest.

    Without tiers: all of them, or pytest once if there are other arguments.

    Args:
        root: The checkout.
        selection: Tiers, paths, options of pytest.
        to_stderr: Whether to redirect the tests' stdout to stderr.

    Raises:
        UsageError: It has neither tiers nor files, or pytest refuses it.
    """
    named = list(takewhile(TIERS.__contains__, selection))
    rest = list(selection[len(named) :])
    _refuse_unknown(root, rest)
    if rest and not named:
        runs = [Run("pytest", _pytest(root, rest, to_stderr=to_stderr))]
    else:
        wanted = named or TIERS
        runs = [_timed(root, tier, rest, to_stderr=to_stderr) for tier in wanted]
        _show_times(runs)
    if failed := [each.tier for each in runs if each.result is Result.FAILED]:
        stderr().print(f"[red]failed:[/] {', '.join(failed)}", highlight=False)
    if all(each.result is Result.EMPTY for each in runs):
        raise UsageError(f"{' '.join(selection)} selects no test")
    return runs


def selected(tier: str) -> str:
    """Returns pytest's `-m` expression of a tier: each test belongs to exactly one."""
    others = _MARKS[: _MARKS.index(tier)] if tier in _MARKS else _MARKS
    words = [tier] if tier in _MARKS else []
    return " and ".join(words + [f"not {each}" for each in others])


def _processes() -> int:
    """Returns the number of test processes: more than cores, since many tests wait."""
    cores = os.cpu_count() or 1
    return cores + (cores + 1) // 2


def _timed(root: Path, tier: str, rest: Sequence[str], *, to_stderr: bool) -> Run:
    begun = time.monotonic()
    result = _run_tier(root, tier, rest, to_stderr=to_stderr)
    return Run(tier, result, round(time.monotonic() - begun, 1))


def _show_times(runs: Sequence[Run]) -> None:
    """Prints the time of each tier."""
    stderr().rule("time")
    for each in runs:
        stderr().print(f"{each.tier:12} {each.seconds:7.1f} s  {each.result}", highlight=False)
    stderr().print(f"{'all':12} {sum(each.seconds for each in runs):7.1f} s", highlight=False)


def _refuse_unknown(root: Path, rest: Sequence[str]) -> None:
    """Refuses words that are neither tiers nor paths, up to the first option."""
    for word in takewhile(lambda each: not each.startswith("-"), rest):
        if not (root / word.split("::")[0]).exists():
            raise UsageError(f"{word} is neither a tier nor a file; tiers are {', '.join(TIERS)}")


def _run_tier(root: Path, tier: str, rest: Sequence[str], *, to_stderr: bool) -> Result:
    stderr().rule(tier)
    if tier == "native":
        code = run(TEST, root / "native", variables=cargo_environment(), to_stderr=to_stderr)
        return Result.FAILED if code else Result.PASSED
    if tier == "containers" and not os.environ.get("CI") and not asyncio.run(engine_answers()):
        stderr().print("no container engine answers: skipped", highlight=False)
        return Result.SKIPPED
    processes = ["-n", str(_processes()), "--dist", "loadfile"]
    words = [*(processes if tier in _PARALLEL and not rest else []), "-m", selected(tier), *rest]
    if tier in _MARKS and not rest:
        words += files_of(root, tier)
    result = _pytest(root, words, to_stderr=to_stderr)
    # A tier without tests is an error, unless arguments deselect them.
    return Result.FAILED if result is Result.EMPTY and not rest else result


def _pytest(root: Path, words: Sequence[str], *, to_stderr: bool) -> Result:
    environment = tool_environment()
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # assertion rewriting takes seconds
    code = run([tool("pytest"), *words], root, variables=environment, to_stderr=to_stderr)
    if code == _USAGE:
        raise UsageError(f"pytest refuses the arguments {' '.join(words)}")
    if code == _NOTHING_COLLECTED:
        return Result.EMPTY
    return Result.FAILED if code else Result.PASSED
