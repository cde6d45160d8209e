"""Topology files: what they say, and every problem at once with its line."""

import pytest

from logos_testnet.errors import TopologyError
from logos_testnet.topology import Topology, parse_topology

GOOD = """\
schema = 1
name = "small"
node_count = 3
[modules.mixnet]
[modules.storage.settings]
quota_bytes = 5
"""


def problems_of(text: str, node_count: int | None = None) -> list[str]:
    with pytest.raises(TopologyError) as caught:
        parse_topology(text, source="t.toml", node_count=node_count)
    return caught.value.problems


def test_equal_nodes_are_counted() -> None:
    topology = parse_topology(GOOD)

    assert [(node.name, node.index) for node in topology.nodes] == [
        ("node1", 1),
        ("node2", 2),
        ("node3", 3),
    ]
    assert [module.package for module in topology.nodes[0].modules] == [
        "logos_mixnet",
        "logos_storage",
    ]
    assert topology.nodes[2].modules[1].settings == {"quota_bytes": 5}


SUPERVISED = """
[kernel]
stop_grace_ms = 500
[groups.files]
strategy = "one_for_all"
[modules.a]
group = "files"
restart = { kind = "never" }
"""


def test_what_kernels_do_with_modules_is_theirs_to_check() -> None:
    topology = parse_topology(GOOD + SUPERVISED)

    assert topology.supervision == {
        "kernel": {"stop_grace_ms": 500},
        "groups": {"files": {"strategy": "one_for_all"}},
    }
    assert topology.nodes[1].modules[2].supervision == {
        "restart": {"kind": "never"},
        "group": "files",
    }
    assert topology.nodes[1].modules[1].supervision == {}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[kernel]\nsince = 2026-01-01\n", "t.toml:8: kernel.since: must hold no date"),
        ("[[groups]]\n", "t.toml:7: groups: must be a table"),
        ("[modules.a]\nrestart = 3\n", "t.toml:8: modules.a.restart: must be a table"),
        ("[modules.a]\ngroup = 3\n", "t.toml:8: modules.a.group: must be a string"),
    ],
)
def test_but_must_be_what_a_profile_can_hold(text: str, problem: str) -> None:
    (told,) = problems_of(GOOD + text)
    assert told.startswith(problem)


def test_the_command_line_replaces_the_number_of_nodes() -> None:
    assert len(parse_topology(GOOD, node_count=7).nodes) == 7


def test_the_app_has_one_port() -> None:
    assert parse_topology(GOOD).app_port is None
    assert parse_topology(GOOD + "[ports]\napp = 17900\n").app_port == 17900


def listed() -> Topology:
    return parse_topology(
        GOOD.replace("node_count = 3", "")
        + '[[nodes]]\nname = "relay"\nmodules = ["mixnet"]\n'
        + "[[nodes]]\n[nodes.settings.storage]\nquota_bytes = 9\n"
    )


def test_nodes_may_be_listed_with_modules_and_settings_of_their_own() -> None:
    relay, keeper = listed().nodes

    assert (relay.name, [module.name for module in relay.modules]) == ("relay", ["mixnet"])
    assert keeper.name == "node2"
    assert keeper.modules[1].settings == {"quota_bytes": 9}


def test_all_problems_are_reported_at_once_with_their_lines() -> None:
    text = """\
schema = 2
name = "Big One"
target_peers = -1
colour = "red"
[ports]
front = 100
p2p = true
[containers]
subnet = "8.8.0.0/16"
[modules.mixnet]
packge = "x"
[[nodes]]
name = "a"
[[nodes]]
name = "a"
modules = ["mixnet", "telepathy"]
[nodes.settings.storage]
quota_bytes = 1
"""

    problems = problems_of(text)

    lines = {int(problem.split(":")[1]) for problem in problems}
    assert lines == {1, 2, 3, 4, 6, 7, 9, 11, 15, 16, 17}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("schema = ", "not TOML"),
        ('schema = 1\nname = "a"\n[modules.x]\n', "node_count"),
        (GOOD.replace("node_count = 3", "node_count = 0"), "from 1 to 100"),
        (GOOD.replace("node_count = 3", "node_count = 101"), "from 1 to 100"),
        ('schema = 1\nname = "a"\nnode_count = 1\n', "at least one module"),
        (GOOD + "[[nodes]]\n", "cannot be combined"),
        (
            GOOD + "[modules.a.settings]\nb = [{ c = 2026-01-01 }]\n",
            "a.settings.b: must hold no date",
        ),
        (GOOD + "[modules.a.settings]\nb = 10:30:00\n", "a.settings.b: must hold no date"),
        (GOOD + '[modules.a]\nfolder = ""\n', "a.folder: must be the path of a folder"),
        (GOOD + '[modules.a]\nfolder = "a"\npackage = "a"\n', "cannot be combined with a package"),
    ],
)
def test_what_cannot_be_run_is_refused(text: str, words: str) -> None:
    assert words in "\n".join(problems_of(text))


def test_a_number_of_nodes_contradicts_a_list_of_them() -> None:
    text = GOOD.replace("node_count = 3", "") + "[[nodes]]\n"

    assert "cannot be combined" in problems_of(text, node_count=2)[0]


def nodes_named(*names: str, modules: str = "") -> str:
    tables = "".join(f'[[nodes]]\nname = "{name}"\n' for name in names)
    return f'schema = 1\nname = "x"\n[modules.mixnet]\n{modules}{tables}'


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (nodes_named("a", "lock"), 7, "a file in the testnet's folder"),
        (nodes_named("genesis"), 5, "folder of the genesis"),
        (nodes_named("run"), 5, "folder of the sockets"),
        (nodes_named("mesh"), 5, "network between the nodes"),
        (nodes_named("a", "a-front"), 7, "front door's network of node 'a'"),
        (nodes_named("a-b", "a", modules="[modules.c]\n[modules.b-c]\n"), 9, "'a-b-c'"),
        (nodes_named("a", "a-b", modules="[modules.b-kernel]\n"), 8, "'a-b-kernel'"),
        (nodes_named("a", modules="[modules.kernel]\n"), 4, "the node's kernel"),
        (nodes_named("a", modules="[modules.profile]\n"), 4, "the node's profile"),
        (nodes_named("a") + 'modules = ["mixnet", "mixnet"]\n', 6, "twice"),
        (nodes_named("a") + "modules = [[1]]\n", 6, "a list of names"),
    ],
)
def test_names_that_would_meet_on_disk_or_between_containers_are_refused(
    text: str, line: int, words: str
) -> None:
    problems = problems_of(text)

    assert [problem for problem in problems if f"t.toml:{line}:" in problem and words in problem]
