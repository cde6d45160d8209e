"""Every numbered rule of docs/protocol is cited by code or by a test, and none is made up."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RULE = r"(?:CER|KER|KEY|NET|RLN|STO|ZK)-\d+"
DEFINED = re.compile(rf"^#{{2,4}} ({RULE})\b|^\*\*({RULE})\b", re.MULTILINE)
CITED = re.compile(rf"\b{RULE}\b")
CITING = ("*.py", "*.rs", "*.pyi", "*.proto", "*.toml")


def defined() -> set[str]:
    pages = (ROOT / "docs" / "protocol").glob("*.md")
    found = [DEFINED.findall(page.read_text(encoding="utf-8")) for page in pages]
    return {first or second for page in found for first, second in page}


def cited() -> set[str]:
    listed = subprocess.run(
        ["git", "ls-files", *CITING], cwd=ROOT, check=True, capture_output=True, text=True
    )
    paths = [
        ROOT / line
        for line in listed.stdout.splitlines()
        if "logos-api" not in line and (ROOT / line).exists()
    ]
    return {rule for path in paths for rule in CITED.findall(path.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("rule", sorted(defined()))
def test_rule_is_cited(rule: str) -> None:
    assert rule in cited()


def test_cited_rules_exist() -> None:
    assert cited() - defined() == set()


def test_there_are_rules_of_every_layer() -> None:
    layers = {"CER", "KER", "KEY", "NET", "RLN", "STO", "ZK"}
    assert {rule.partition("-")[0] for rule in defined()} == layers
