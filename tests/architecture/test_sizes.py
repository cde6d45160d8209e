"""Files and functions stay small; CONTRIBUTING.md names the budget."""

import ast
import subprocess
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[2]
MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 80
MEDIAN_FILE_LINES = 200


def sources() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "*.py"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    paths = [ROOT / line for line in listed.stdout.splitlines()]
    return [path for path in paths if path.exists() and "logos-api" not in path.parts]


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_file_is_within_the_budget(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert text.count("\n") <= MAX_FILE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < MAX_FUNCTION_LINES, node.name


def test_most_files_are_short() -> None:
    lines = [path.read_text(encoding="utf-8").count("\n") for path in sources()]

    assert median(lines) <= MEDIAN_FILE_LINES
