"""Manifests are found beside the code, without importing it."""

import subprocess
import sys
from pathlib import Path

import pytest

from logos_testnet.errors import TopologyError
from logos_testnet.manifests import load_manifests
from logos_testnet.topology import parse_topology

HEAD = 'schema = 1\nname = "x"\nnode_count = 1\n'


FRESH = f"""
import sys
from logos_testnet.manifests import load_manifests
from logos_testnet.topology import parse_topology
load_manifests(parse_topology({HEAD!r} + "[modules.mixnet]\\n"))
print("logos_mixnet.node" in sys.modules)
"""


def test_the_manifest_lies_in_the_modules_package() -> None:
    found = load_manifests(parse_topology(HEAD + "[modules.mixnet]\n"))

    assert found["mixnet"].manifest.command == ("python", "-m", "logos_mixnet")


def test_the_code_of_a_module_is_not_loaded_for_its_manifest() -> None:
    said = subprocess.run([sys.executable, "-c", FRESH], check=True, capture_output=True, text=True)

    assert said.stdout == "False\n"


def test_a_manifest_that_is_not_utf8_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "logos_latin"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "module.toml").write_bytes(b'name = "caf\xe9"')
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(TopologyError, match=r"module latin: .*module\.toml is not UTF-8"):
        load_manifests(parse_topology(HEAD + "[modules.latin]\n"))


def test_all_problems_are_reported_at_once() -> None:
    topology = parse_topology(
        HEAD
        + '[modules.ghost]\n[modules.other]\npackage = "logos_base"\n[modules.storage]\n'
        + '[modules.nowhere]\nfolder = "nowhere"\n'
    )

    with pytest.raises(TopologyError) as caught:
        load_manifests(topology)

    text = "\n".join(caught.value.problems)
    assert "logos_ghost is not installed" in text
    assert "logos_base has no module.toml" in text
    assert "storage requires mixnet" in text
    assert "module nowhere: nowhere: has no module.toml" in text
