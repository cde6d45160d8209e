"""Which files have tests of a tier, without a collection of all tests."""

import tomllib
from functools import cache
from pathlib import Path


def files_of(root: Path, tier: str) -> list[str]:
    """Returns the files of tests that name the mark of a tier; to collect all takes long."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    folders = settings["tool"]["pytest"]["ini_options"]["testpaths"]
    files = sorted(file for folder in folders for file in (root / folder).rglob("test_*.py"))
    return [str(file.relative_to(root)) for file in files if names_mark(file, tier)]


def names_mark(file: Path, mark: str) -> bool:
    """Whether a file of tests names a mark, or the `conftest.py` beside it does."""
    word = f"mark.{mark}"
    return word in _text(file) or word in _text(file.with_name("conftest.py"))


@cache
def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.is_file() else ""
