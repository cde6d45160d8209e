"""endpoints.json: schema 1, read back as written."""

import json
from pathlib import Path

import pytest

from logos_testnet.endpoints import Endpoints, NodeEndpoints, read_endpoints, write_endpoints
from logos_testnet.errors import UnreadableStateError

ENDPOINTS = Endpoints(
    "small",
    "processes",
    None,
    (NodeEndpoints("node1", "127.0.0.1:17001", ("mixnet",), "16U", "/ip4/127.0.0.1/tcp/18001"),),
)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "endpoints.json"
    write_endpoints(path, ENDPOINTS)

    assert read_endpoints(path) == ENDPOINTS
    assert list(tmp_path.iterdir()) == [path]


def test_programs_find_the_documented_fields(tmp_path: Path) -> None:
    path = tmp_path / "endpoints.json"
    write_endpoints(path, ENDPOINTS)

    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["schema"] == 1
    assert document["nodes"][0].keys() == {"name", "kernel", "modules", "peer_id", "p2p_address"}


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema": 2, "nodes": []}', '{"schema": 1}'])
def test_what_is_not_understood_is_refused_and_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "small" / "endpoints.json"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")

    with pytest.raises(UnreadableStateError, match=f"{path} .*up --testnet small"):
        read_endpoints(path)


def test_no_file_is_no_endpoints(tmp_path: Path) -> None:
    assert read_endpoints(tmp_path / "none") is None
