"""Every line of docs/acceptance.md has a test that cites it, and cited lines exist."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ["*test_*.py", "tests/*.py", "benchmarks/*.py"]
LINE = re.compile(r"^- \*\*([A-Z]?\d+)\*\* ", re.MULTILINE)
KERNEL = re.compile(r"\bkernel\.md (14\.\d+(?:(?:, | and )14\.\d+)*)")
MIXNET = re.compile(r"\bmixnet\.md 11, ([PRMDS]\d+)")
NAMED = re.compile(r"^(?:async )?def test_([prmds]\d+)_", re.MULTILINE)


def listed() -> set[str]:
    text = (ROOT / "docs" / "acceptance.md").read_text(encoding="utf-8")
    return set(LINE.findall(text))


@cache
def cited() -> set[str]:
    files = subprocess.run(
        ["git", "ls-files", *SOURCES], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    found = set[str]()
    for name in files:
        if (ROOT / name).exists():
            text = (ROOT / name).read_text(encoding="utf-8")
            found.update(*(re.findall(r"14\.(\d+)", each) for each in KERNEL.findall(text)))
            found.update(MIXNET.findall(text), (each.upper() for each in NAMED.findall(text)))
    return found


@pytest.mark.parametrize("line", sorted(listed()))
def test_line_has_a_test(line: str) -> None:
    assert line in cited()


def test_cited_lines_exist() -> None:
    assert cited() - listed() == set()
