"""Every line of docs/acceptance.md has a test that cites it, and cited lines exist."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINE = re.compile(r"^- \*\*(\d+)\*\* ", re.MULTILINE)
CITATION = re.compile(r"\bkernel\.md (14\.\d+(?:(?:, | and )14\.\d+)*)")


def listed() -> set[int]:
    text = (ROOT / "docs" / "acceptance.md").read_text(encoding="utf-8")
    return {int(number) for number in LINE.findall(text)}


@cache
def cited() -> set[int]:
    files = subprocess.run(
        ["git", "ls-files", "*test_*.py", "tests/*.py"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in files if (ROOT / name).exists()]
    named = [each for text in texts for each in CITATION.findall(text)]
    return {int(number) for each in named for number in re.findall(r"14\.(\d+)", each)}


@pytest.mark.parametrize("number", sorted(listed()))
def test_line_has_a_test(number: int) -> None:
    assert number in cited()


def test_cited_lines_exist() -> None:
    assert cited() - listed() == set()
