"""The settings of the module: read with all their problems at once."""

import tomllib
from pathlib import Path

import pytest

import logos_chain
from logos_base.errors import ConfigError
from logos_chain.config import OF_GENESIS, Config, parse

MANIFEST = tomllib.loads(
    (Path(logos_chain.__file__).parent / "module.toml").read_text(encoding="utf-8")
)


def test_without_settings_but_the_genesis_a_node_leads_and_claims_nothing() -> None:
    assert parse({"genesis": "/given"}) == Config(Path("/given"))


def test_settings_of_the_genesis_job_are_left_alone() -> None:
    settings = dict.fromkeys(OF_GENESIS, "anything")
    assert parse({"genesis": "/given", **settings}) == Config(Path("/given"))


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(
            {
                "lead": 1,
                "database_url": "sqlite:///x",
                "initial_peers": ["a", 1],
                "claim_delay_slots": -1,
                "faucet_value": True,
                "genesis": "",
                "mystery": 0,
            }
        )
    assert [each.partition(":")[0] for each in caught.value.problems] == [
        "unknown setting mystery",
        "genesis",
        "lead",
        "database_url",
        "initial_peers",
        "claim_delay_slots",
        "faucet_value",
    ]


def test_a_node_without_a_genesis_is_told_where_it_comes_from() -> None:
    with pytest.raises(ConfigError, match=r"genesis: .*testnet"):
        parse({})


def test_the_manifest_has_all_settings_and_no_other() -> None:
    known = {*Config.__dataclass_fields__, *OF_GENESIS}
    assert MANIFEST["settings"]["properties"].keys() == known


def test_a_checkpoint_is_a_path_and_may_have_a_hash() -> None:
    """CKP-7."""
    given = {"genesis": "/given", "checkpoint": "/file", "checkpoint_hash": "0x" + "ab" * 32}
    assert parse(given) == Config(
        Path("/given"), checkpoint=Path("/file"), checkpoint_hash=b"\xab" * 32
    )
    none = {"genesis": "/given", "checkpoint": "", "checkpoint_hash": ""}
    assert parse(none) == Config(Path("/given"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"checkpoint": 1},
        {"checkpoint": "/file", "checkpoint_hash": "ab"},
        {"checkpoint": "/file", "checkpoint_hash": "zz" * 32},
        {"checkpoint": "/file", "checkpoint_hash": 7},
        {"checkpoint_hash": "ab" * 32},
    ],
)
def test_a_checkpoint_that_cannot_be_meant_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="checkpoint"):
        parse({"genesis": "/given", **wrong})


def test_a_registry_is_off_and_has_a_keeper_if_one_is_named() -> None:
    """RLC-1, RLC-12."""
    assert not parse({"genesis": "/given"}).rln_registry
    found = parse(
        {
            "genesis": "/given",
            "rln_registry": True,
            "rln_limit": 65_535,
            "rln_stake": 1,
            "rln_keeper": "0a" * 32,
            "rln_keeper_key": "/key",
        }
    )
    assert (found.rln_registry, found.rln_limit, found.rln_stake) == (True, 65_535, 1)
    assert (found.rln_keeper, found.rln_keeper_key) == (b"\n" * 32, Path("/key"))
    assert parse({"genesis": "/given", "rln_keeper": ""}).rln_keeper is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rln_registry", "yes"),
        ("rln_limit", 0),
        ("rln_limit", 65_536),
        ("rln_stake", 0),
        ("rln_keeper", "0a" * 31),
        ("rln_keeper", "not hexadecimal"),
        ("rln_keeper", 1),
        ("rln_keeper_key", ""),
    ],
)
def test_rules_of_a_registry_that_make_no_sense_are_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigError) as caught:
        parse({"genesis": "/given", name: value})
    assert [each.partition(":")[0] for each in caught.value.problems] == [name]
