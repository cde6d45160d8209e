"""`./logos check`: the static checks."""

import os
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from logos_cli.cargo import BUILD_TESTS, cargo_environment
from logos_cli.console import stderr
from logos_cli.exits import UsageError
from logos_cli.programs import capture, tool, tool_environment
from logos_cli.protos import drift

Verdict = tuple[bool, str]
"""Whether the check passed, and its output."""
Check = Callable[[Path], Verdict]

_ADDRESS: Final = re.compile(r"https?://|--(extra-)?index-url|--find-links|git\+|file:")


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of one check."""

    check: str
    passed: bool
    seconds: float
    said: str
    """Its output, if it failed."""


def run_checks(root: Path, only: Sequence[str]) -> list[Checked]:
    """Runs the checks named in `only`, or all; prints each result to stderr, in order.

    As many run side by side as there are cores.

    Raises:
        UsageError: A name is unknown.
    """
    unknown = [name for name in only if name not in CHECKS]
    if unknown:
        raise UsageError(f"unknown check {', '.join(unknown)}; there are {', '.join(CHECKS)}")
    done = []
    with ThreadPoolExecutor(max(2, os.cpu_count() or 1)) as pool:
        for checked in pool.map(partial(_checked, root), only or CHECKS):
            _show(checked)
            done.append(checked)
    if failed := [each.check for each in done if not each.passed]:
        stderr().print(f"[red]{len(failed)} failed:[/] {', '.join(failed)}", highlight=False)
    return done


def _checked(root: Path, name: str) -> Checked:
    begun = time.monotonic()
    passed, said = CHECKS[name](root)
    seconds = round(time.monotonic() - begun, 1)
    return Checked(name, passed, seconds, "" if passed else said)


def _show(checked: Checked) -> None:
    mark = "[green]ok[/]    " if checked.passed else "[red]FAILED[/]"
    stderr().print(f"{mark} {checked.check} [dim]{checked.seconds:.1f} s[/]", highlight=False)
    if not checked.passed:
        stderr().print(checked.said, highlight=False, markup=False, soft_wrap=True)


def _program(*arguments: str, folder: str = ".", **variables: str) -> Check:
    def check(root: Path) -> Verdict:
        path = str(Path.home() / ".cargo" / "bin")
        environment = tool_environment(**variables)
        environment["PATH"] = f"{environment['PATH']}:{path}"
        code, output = capture(arguments, root / folder, variables=environment)
        return code == 0, output

    return check


def _types(root: Path) -> Verdict:
    """Strict types. What is no package, and the examples, are checked separately."""
    sources = sorted(
        str(path.relative_to(root))
        for pattern in ("libs/*/src", "services/*/src", "apps/*/src")
        for path in root.glob(pattern)
    )
    bases = ":".join([*sources, "native/crates/python"])
    sources.remove("libs/logos-api/src")
    runs = [_program(tool("mypy"), *sources, MYPYPATH=bases)]
    compat = "compat/logos-delivery"
    worlds = {"apps/cli/bootstrap": "apps/cli/bootstrap", compat: f"{bases}:{compat}"}
    for package in root.glob("examples/*/src/logos_*"):
        place = package.relative_to(root)
        worlds[str(place)] = f"{place.parent}:libs/logos-api/src"
    runs += [_program(tool("mypy"), world, MYPYPATH=path) for world, path in worlds.items()]
    verdicts = [run(root) for run in runs]
    return all(passed for passed, _ in verdicts), "".join(said for _, said in verdicts)


def _clippy(root: Path) -> Verdict:
    code, output = capture(BUILD_TESTS, root / "native", variables=cargo_environment())
    return code == 0, output


def _generated(root: Path) -> Verdict:
    changed = drift(root)
    return not changed, "\n".join([*changed, "out of date: `./logos proto`"])


def _breaking(root: Path) -> Verdict:
    """Compares contracts with the last tag; before the first tag, everything may change."""
    code, tag = capture(["git", "describe", "--tags", "--abbrev=0", "--match", "v*"], root)
    if code != 0:
        return True, ""
    against = f".git#tag={tag.strip()},subdir=proto"
    return _program(tool("buf"), "breaking", "proto", "--against", against)(root)


def _locks(root: Path) -> Verdict:
    problems = []
    for path in sorted(root.glob("requirements*.lock")):
        lines = path.read_text(encoding="utf-8").splitlines()
        problems += [
            f"{path.name}:{number}: names an address: {line}"
            for number, line in enumerate(lines, start=1)
            if _ADDRESS.search(line)
        ]
        if not any("--hash=sha256:" in line for line in lines):
            problems.append(f"{path.name}: holds no hashes")
    return not problems, "\n".join(problems)


CHECKS: Final[dict[str, Check]] = {
    "ruff": _program(tool("ruff"), "check", "--no-cache", "."),
    "format": _program(tool("ruff"), "format", "--check", "."),
    "types": _types,
    "imports": _program(tool("python"), "tests/architecture/contracts.py"),
    "contracts": _program(tool("buf"), "lint", "proto"),
    "breaking": _breaking,
    "generated": _generated,
    "locks": _locks,
    "dockerfile": _program(tool("hadolint"), "deploy/Dockerfile"),
    "architecture": _program(tool("pytest"), "--quiet", "tests/architecture"),
    "rustfmt": _program("cargo", "fmt", "--check", folder="native"),
    "clippy": _clippy,
}
