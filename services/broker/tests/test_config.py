"""The description of a testnet, and what is wrong with others."""

import pytest

from logos_base.errors import ConfigError
from logos_broker.config import parse
from logos_broker.core.containers import Mount

TEXT = """
schema = 1
[nodes.node1.storage]
service = "node1-storage"
image = "logos/storage:0.2.0"
volumes = ["node1-storage:/data", "join.node1.storage:/join/2:ro"]
networks = ["node1"]
"""


def variables(text: str) -> dict[str, str]:
    return {
        "LOGOS_LISTEN": "127.0.0.1:7000",
        "LOGOS_SECRETS_DIR": "/nodes",
        "LOGOS_DESCRIPTION_TOML": text,
    }


def test_a_description_says_what_each_container_may_be() -> None:
    described = parse(variables(TEXT)).nodes["node1"]["storage"]

    assert (described.service, described.image) == ("node1-storage", "logos/storage:0.2.0")
    assert described.networks == {"node1"}
    assert described.mounts == {
        Mount("node1-storage", "/data", is_writable=True),
        Mount("join.node1.storage", "/join/2", is_writable=False),
    }


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("schema = 1", "schema = 2", "schema"),
        ("schema = 1", "schema =", "not TOML"),
        ("[nodes.node1.storage]", '[nodes.node1."../x"]', "nodes.node1"),
        ("networks =", "nets =", "nodes.node1.storage"),
        ('networks = ["node1"]', 'networks = "node1"', "nodes.node1.storage"),
        ('networks = ["node1"]', 'networks = ["node1"]\nprivileged = true', "and no more"),
        ("node1-storage:/data", "/etc:/data", "a volume is"),
        ("node1-storage:/data", "./here:/data", "a volume is"),
        ("node1-storage:/data", "node1-storage", "a volume is"),
        ("/join/2:ro", "/join/2:z", "a volume is"),
    ],
)
def test_another_is_refused_by_name(old: str, new: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        parse(variables(TEXT.replace(old, new)))


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as refusal:
        parse({})

    named = {problem.partition(":")[0] for problem in refusal.value.problems}
    assert named == {"LOGOS_LISTEN", "LOGOS_SECRETS_DIR", "LOGOS_DESCRIPTION_TOML"}
