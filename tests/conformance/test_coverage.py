"""README.md says which tests here are of which file of the public suites."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `(?P<theirs>[a-z0-9_/]+\.py)` \| (?P<ours>`.+`) \|$", re.MULTILINE)


def rows() -> dict[str, list[str]]:
    """Files of ours by each of theirs."""
    text = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    return {row["theirs"]: re.findall(r"`([^`]+)`", row["ours"]) for row in ROW.finditer(text)}


def passing() -> set[str]:
    """Files of the suites that have tests which have passed."""
    lists = [
        (ROOT / "compat" / "logos-delivery" / name).read_text(encoding="utf-8").splitlines()
        for name in ("interop-passing.txt", "e2e-passing.txt")
    ]
    return {line.partition("::")[0].removeprefix("tests/") for lines in lists for line in lines}


def test_each_file_of_the_suites_has_tests_here() -> None:
    assert set(rows()) == passing()


def test_the_files_that_are_named_have_tests() -> None:
    for ours in {name for names in rows().values() for name in names}:
        assert re.search(r"^(async )?def test_", (ROOT / ours).read_text("utf-8"), re.MULTILINE), (
            f"{ours} has no test"
        )


def test_each_file_here_is_named() -> None:
    here = {str(file.relative_to(ROOT)) for file in Path(__file__).parent.glob("test_*.py")}
    named = {name for names in rows().values() for name in names}
    assert here - {str(Path(__file__).relative_to(ROOT))} <= named
