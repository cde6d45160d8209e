"""The `[testnet]` table of a manifest: docs/modules.md."""

import pytest

from logos_base.errors import ConfigError
from logos_base.manifest import parse_manifest
from logos_base.needs import Genesis, Limits, Needs, PanelAddress, ReadyFigure

HEAD = 'name = "chain"\nversion = "0.1.0"\n'
WHOLE = """
[testnet]
networks = ["mesh"]
[testnet.ports]
p2p = 18000
http = 19000
[testnet.limits]
memory_mib = 1024
cpus = 2
processes = 64
[testnet.settings]
listen = "p2p.listen"
peers = "p2p.peers"
api = "http.address"
seed = "seed"
genesis = "genesis.public"
[testnet.defaults]
pace = "fast"
slots = 3
[testnet.ready]
call = "logos.chain.v1.Chain/GetStatus"
field = 4
counts = "blocks"
at_least = 2
[testnet.genesis]
command = ["python", "-m", "logos_chain.genesis"]
late_nodes = true
[testnet.panel]
title = "Chain"
address = "127.0.0.1:20500"
"""


def needs_of(text: str) -> Needs:
    return parse_manifest(HEAD + text).needs


def problems_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        parse_manifest(HEAD + text)
    return refused.value.problems


def test_the_table_is_read() -> None:
    assert needs_of(WHOLE) == Needs(
        networks=frozenset({"mesh"}),
        ports={"p2p": 18000, "http": 19000},
        limits=Limits(memory_mib=1024, cpus=2.0, processes=64),
        settings={
            "listen": "p2p.listen",
            "peers": "p2p.peers",
            "api": "http.address",
            "seed": "seed",
            "genesis": "genesis.public",
        },
        defaults={"pace": "fast", "slots": 3},
        ready=ReadyFigure("logos.chain.v1.Chain/GetStatus", 4, "blocks", at_least=2),
        genesis=Genesis(("python", "-m", "logos_chain.genesis"), late_nodes=True),
        panel=PanelAddress("Chain", "127.0.0.1:20500"),
    )


def test_a_module_without_the_table_is_on_the_network_of_its_node_only() -> None:
    assert needs_of("") == Needs()
    assert not needs_of("").is_on_mesh


def test_a_figure_may_be_as_many_as_there_are_others() -> None:
    text = '[testnet.ready]\ncall = "a.B/C"\nfield = 1\ncounts = "x"\nat_least = "others"\n'
    ready = needs_of(text).ready

    assert ready is not None
    assert ready.at_least is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("testnet = 3", "testnet: must be a table"),
        ("[testnet]\ncolour = 1", "testnet.colour: unknown key; known are networks"),
        ('[testnet]\nnetworks = ["internet"]', "testnet.networks: must be a list of mesh"),
        ("[testnet]\nnetworks = [[]]", "testnet.networks: must be a list of mesh"),
        ("[testnet]\nports = 3", "testnet.ports: must be a table"),
        ("[testnet.ports]\nfront = 5000", "testnet.ports.front: the name must match"),
        ("[testnet.ports]\nmetrics = 5000", "testnet.ports.metrics: the name must match"),
        ("[testnet.ports]\na_b = 5000", "testnet.ports.a_b: the name must match"),
        ("[testnet.ports]\np2p = 80", "testnet.ports.p2p: must be a whole number from 1024"),
        ("[testnet.limits]\nmemory_mib = true", "testnet.limits.memory_mib: must be"),
        ("[testnet.limits]\ncpus = 0", "testnet.limits.cpus: must be a number over 0"),
        ("[testnet.limits]\nprocesses = 0", "testnet.limits.processes: must be"),
        ("[testnet.limits]\ndisk = 0", "testnet.limits.disk: unknown key"),
        ("[testnet.settings]\nx = 3", "testnet.settings.x: must be the name of a value"),
        ("[testnet.defaults]\nx = [1]", "testnet.defaults.x: must be a string, a number or"),
        (
            '[testnet]\nsettings = { x = "seed" }\ndefaults = { x = 7 }',
            "testnet.defaults.x: is derived from the topology",
        ),
        ('[testnet.settings]\nx = "sed"', "testnet.settings.x: unknown value 'sed'"),
        ('[testnet.settings]\nx = ".listen"', "testnet.settings.x: unknown value"),
        ('[testnet.settings]\nx = "p2p.listen"', "testnet.settings.x: p2p.listen: [testnet.ports]"),
        (
            '[testnet.settings]\nx = "genesis.private"',
            "testnet.settings.x: genesis.private needs [testnet.genesis]",
        ),
        (
            "[testnet.genesis]\ncommand = []",
            "testnet.genesis.command: must be a list of the program",
        ),
        ("[testnet.panel]\ntitle = 'x'", "testnet.panel: needs either an address or a port"),
        (
            "[testnet.ports]\na = 2000\n[testnet.panel]\ntitle = 'x'\naddress = 'a:1'\nport = 'a'",
            "testnet.panel: needs either an address or a port",
        ),
        ("[testnet.panel]\ntitle = 'x'\nport = 'a'", "testnet.panel.port: [testnet.ports] has no"),
        ("[testnet.panel]\naddress = 'a:1'", "testnet.panel.title: must be a word or two"),
        (
            "[testnet.panel]\ntitle = 'x'\naddress = 'http://a:1'",
            "testnet.panel.address: must be like",
        ),
        ("[testnet.genesis]", "testnet.genesis.command: must be a list of"),
        (
            "[testnet.genesis]\ncommand = ['x']\nlate_nodes = 1",
            "testnet.genesis.late_nodes: must be true or false, is 1",
        ),
        (
            '[testnet]\nports = { p2p = 18000 }\nsettings = { x = "p2p.peers" }',
            "testnet.settings.x: p2p.peers: testnet.networks must contain 'mesh'",
        ),
    ],
)
def test_what_is_wrong_is_named(text: str, problem: str) -> None:
    problems = problems_of(text)

    assert len(problems) == 1
    assert problems[0].startswith(problem)


def test_all_problems_of_a_figure_are_reported_at_once() -> None:
    problems = problems_of('[testnet.ready]\ncall = "a.B"\nfield = 0\ncounts = 3\nat_least = 0')

    assert [problem.partition(":")[0].rpartition(".")[2] for problem in problems] == [
        "call",
        "counts",
        "at_least",
        "field",
    ]
