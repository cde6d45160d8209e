"""What a topology and the manifests of its modules can disagree about."""

import pytest

from logos_base.manifest import parse_manifest
from logos_testnet.agreement import contradictions
from logos_testnet.topology import parse_topology

MANIFESTS = {
    "net": 'networks = ["mesh"]\nports = { p2p = 18000 }\nsettings = { listen = "p2p.listen" }',
    "other-net": 'networks = ["mesh"]\nports = { wire = 19000 }',
    "web": "ports = { http = 20000 }",
    "shop": "ports = { http = 21000 }",
    "close": "ports = { near = 18002 }",
}


def problems(modules: str, more: str = "", count: int = 5) -> list[str]:
    head = f'schema = 1\nname = "x"\nnode_count = {count}\n'
    tables = "".join(f"[modules.{name}]\n" for name in modules.split())
    manifests = {
        name: parse_manifest(f'name = "{name}"\nversion = "1.0.0"\n[testnet]\n{needs}')
        for name, needs in MANIFESTS.items()
        if name in modules.split()
    }
    return contradictions(parse_topology(head + tables + more), manifests)


def test_modules_that_go_together_have_no_problem() -> None:
    assert problems("net web", "[ports]\nhttp = 30000\nmetrics = 19000\napp = 18006\n") == []


@pytest.mark.parametrize(
    ("modules", "more", "words"),
    [
        ("net other-net", "", "node1: net and other-net are on the network mesh"),
        ("web shop", "", "ports.http: web and shop both have a port of that name"),
        ("net", "[ports]\nhttp = 5000\n", "ports.http: no module has a port of that name"),
        ("net close", "", "ports.near: the range of 5 ports overlaps that of p2p"),
        ("net", "[ports]\nfront = 18004\n", "ports.p2p: the range of 5 ports overlaps"),
        ("net", "[ports]\nmetrics = 18004\n", "ports.p2p: the range of 5 ports overlaps"),
        ("net", "[ports]\napp = 18003\n", "ports.app: 18003 is in the range of p2p"),
        (
            "net",
            "[modules.net.settings]\nlisten = []\n",
            "remove the setting listen of net: its manifest",
        ),
    ],
)
def test_what_does_not_go_together_is_reported(modules: str, more: str, words: str) -> None:
    assert any(words in problem for problem in problems(modules, more))
