"""`./logos test`: the tiers of docs/architecture.md, each a run of its own."""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import takewhile
from pathlib import Path
from typing import Final

from logos_cli.console import stderr
from logos_cli.exits import UsageError
from logos_cli.programs import run, surroundings, tool
from logos_testnet.engine import engine_answers

TIERS: Final = ("unit", "native", "proofs", "simulation", "stress", "integration", "containers")
_MARKS: Final = ("stress", "proofs", "simulation", "integration", "containers")
"""A test is of the first of these tiers whose mark it bears, and of `unit` if it bears none."""
_PARALLEL: Final = ("unit", "simulation")
"""Tiers whose tests run in several processes: they start nothing that fills the machine.

The tests of a file stay in one of them, and share its fixtures.
"""
_USAGE: Final = 4
_NOTHING_COLLECTED: Final = 5


class Result(StrEnum):
    """How a run ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    EMPTY = "empty"
    """No test was selected."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of tests."""

    tier: str
    """Its name; `pytest` where no tier was named."""
    result: Result
    seconds: float = field(default=0.0, compare=False)


def run_tests(root: Path, selection: Sequence[str], *, to_stderr: bool = False) -> list[Run]:
    """Runs the tiers that stand first in `selection`; what follows them goes to pytest.

    Without tiers: all of them, or just pytest with what was given.

    Args:
        root: The checkout.
        selection: Tiers, paths, options of pytest.
        to_stderr: Whether what the tests print goes to stderr.

    Raises:
        UsageError: It names neither tiers nor files, or pytest does not take it.
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
        raise UsageError(f"no test is selected by {' '.join(selection)}")
    return runs


def selected(tier: str) -> str:
    """What pytest's `-m` takes for a tier: each test is of exactly one."""
    others = _MARKS[: _MARKS.index(tier)] if tier in _MARKS else _MARKS
    words = [tier] if tier in _MARKS else []
    return " and ".join(words + [f"not {each}" for each in others])


def _processes() -> int:
    """How many processes run tests: more than there are cores, since many tests wait."""
    cores = os.cpu_count() or 1
    return cores + (cores + 1) // 2


def _timed(root: Path, tier: str, rest: Sequence[str], *, to_stderr: bool) -> Run:
    begun = time.monotonic()
    result = _run_tier(root, tier, rest, to_stderr=to_stderr)
    return Run(tier, result, round(time.monotonic() - begun, 1))


def _show_times(runs: Sequence[Run]) -> None:
    """Says where the time went."""
    stderr().rule("time")
    for each in runs:
        stderr().print(f"{each.tier:12} {each.seconds:7.1f} s  {each.result}", highlight=False)
    stderr().print(f"{'all':12} {sum(each.seconds for each in runs):7.1f} s", highlight=False)


def _refuse_unknown(root: Path, rest: Sequence[str]) -> None:
    """A tier that is misspelled is no path; after an option, a word may be its value."""
    for word in takewhile(lambda each: not each.startswith("-"), rest):
        if not (root / word.split("::")[0]).exists():
            raise UsageError(f"{word} is no tier and no file; tiers are {', '.join(TIERS)}")


def _run_tier(root: Path, tier: str, rest: Sequence[str], *, to_stderr: bool) -> Result:
    stderr().rule(tier)
    if tier == "native":
        around = surroundings()
        around["PATH"] += f"{os.pathsep}{Path.home() / '.cargo' / 'bin'}"
        words = ["cargo", "test", "--release", "--locked"]
        code = run(words, root / "native", variables=around, to_stderr=to_stderr)
        return Result.FAILED if code else Result.PASSED
    if tier == "containers" and not os.environ.get("CI") and not asyncio.run(engine_answers()):
        stderr().print("no container engine answers: skipped", highlight=False)
        return Result.SKIPPED
    processes = ["-n", str(_processes()), "--dist", "loadfile"]
    words = [*(processes if tier in _PARALLEL and not rest else []), "-m", selected(tier), *rest]
    result = _pytest(root, words, to_stderr=to_stderr)
    # A tier without tests is a fault, unless they were selected.
    return Result.FAILED if result is Result.EMPTY and not rest else result


def _pytest(root: Path, words: Sequence[str], *, to_stderr: bool) -> Result:
    around = surroundings()
    around.pop("PYTHONDONTWRITEBYTECODE", None)  # to rewrite all tests takes each process seconds
    code = run([tool("pytest"), *words], root, variables=around, to_stderr=to_stderr)
    if code == _USAGE:
        raise UsageError(f"pytest does not take {' '.join(words)}")
    if code == _NOTHING_COLLECTED:
        return Result.EMPTY
    return Result.FAILED if code else Result.PASSED
