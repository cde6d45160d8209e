"""Every numbered rule of docs/protocol is cited by code or by a test, and cited rules exist."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "protocol").glob("*.md"))
DEFINED = re.compile(r"^(?:#{2,4} |\*\*)([A-Z]{2,4}-\d+)\b", re.MULTILINE)
CITING = ("*.py", "*.rs", "*.pyi", "*.proto", "*.toml")


def defined_by(page: Path) -> set[str]:
    return set(DEFINED.findall(page.read_text(encoding="utf-8")))


@cache
def defined() -> set[str]:
    return {rule for page in PAGES for rule in defined_by(page)}


@cache
def cited() -> set[str]:
    listed = subprocess.run(
        ["git", "ls-files", *CITING], cwd=ROOT, check=True, capture_output=True, text=True
    )
    paths = [
        ROOT / line
        for line in listed.stdout.splitlines()
        if "logos-api" not in line and (ROOT / line).exists()
    ]
    layers = "|".join(sorted({rule.partition("-")[0] for rule in defined()}))
    pattern = re.compile(rf"\b(?:{layers})-\d+\b")
    return {rule for path in paths for rule in pattern.findall(path.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("rule", sorted(defined()))
def test_rule_is_cited(rule: str) -> None:
    assert rule in cited()


def test_cited_rules_exist() -> None:
    assert cited() - defined() == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_page_numbers_its_rules(page: Path) -> None:
    assert defined_by(page)
