"""What passed of the public suite is listed by its id."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "compat" / "logos-delivery"))  # a program

from interop_passing import main

LISTED = Path(__file__).parents[2] / "compat" / "logos-delivery" / "interop-passing.txt"

RESULTS = """<testsuites><testsuite>
<testcase classname="tests.relay.test_publish.TestRelay" name="test_one"/>
<testcase classname="tests.relay.test_publish.TestRelay" name="test_two[a]"/>
<testcase classname="tests.relay.test_publish.TestRelay" name="test_three"><failure/></testcase>
<testcase classname="tests.relay.test_publish.TestRelay" name="test_four"><skipped/></testcase>
<testcase classname="tests.relay.test_publish.TestRelay" name="test_five"><error/></testcase>
</testsuite></testsuites>"""


def test_what_passed_is_added(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results, listed = tmp_path / "results.xml", tmp_path / "passing.txt"
    results.write_text(RESULTS)
    known = "tests/relay/test_publish.py::TestRelay::test_one"
    other = "tests/filter/test_ping.py::TestPing::test_other"
    listed.write_text(f"{known}\n{other}\n")
    assert main(results, listed) == 0
    assert listed.read_text().splitlines() == [
        other,
        known,
        "tests/relay/test_publish.py::TestRelay::test_two[a]",
    ]
    assert capsys.readouterr().out == "2 passed, 1 for the first time, 3 listed\n"


def test_the_list_is_one_of_ids_in_order() -> None:
    ids = LISTED.read_text(encoding="utf-8").splitlines()
    assert ids == sorted(set(ids))
    assert all(each.startswith("tests/") and each.count("::") == 2 for each in ids)
