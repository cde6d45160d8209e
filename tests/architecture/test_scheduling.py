"""Tests that share a testnet are run by one process, and every test is found by its tier."""

from pathlib import Path

import pytest

from logos_cli.marks import files_of, names_mark
from own_scheduling import InPackages


class Sharing(InPackages):
    """Without a run."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config

    def unit(self, nodeid: str) -> str:
        return self._split_scope(nodeid)


@pytest.mark.parametrize(
    ("nodeid", "unit"),
    [
        ("tests/browser/test_pages.py::test_a[/testnet::x]", "packages"),
        ("tests/integration/whole/test_app.py::test_b", "packages"),
        ("tests/integration/test_lifecycle.py::test_c", "tests/integration/test_lifecycle.py"),
        ("libs/logos-base/tests/test_x.py::TestX::test_d", "libs/logos-base/tests/test_x.py"),
    ],
)
def test_a_file_is_run_by_one_process_and_so_are_all_packages(
    pytestconfig: pytest.Config, nodeid: str, unit: str
) -> None:
    assert Sharing(pytestconfig).unit(nodeid) == unit


def test_a_mark_is_named_by_a_file_or_the_conftest_beside_it(tmp_path: Path) -> None:
    texts = {
        "pyproject.toml": '[tool.pytest.ini_options]\ntestpaths = ["one", "two"]\n',
        "one/test_a.py": "@pytest.mark.stress\ndef test_a(): ...\n",
        "one/test_b.py": "def test_b(): ...\n",
        "one/of_tests.py": "pytest.mark.stress",
        "two/deep/conftest.py": "item.add_marker(pytest.mark.stress)\n",
        "two/deep/test_c.py": "def test_c(): ...\n",
        "three/test_d.py": "@pytest.mark.stress\ndef test_d(): ...\n",
    }
    for name, text in texts.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    assert files_of(tmp_path, "stress") == ["one/test_a.py", "two/deep/test_c.py"]
    assert files_of(tmp_path, "proofs") == []
    assert not names_mark(tmp_path / "one/test_b.py", "stress")
