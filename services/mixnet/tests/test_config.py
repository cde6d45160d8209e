import pytest
from mixnet_nodes import fake_peer_id

from logos_base.errors import ConfigError
from logos_mixnet.config import parse
from logos_mixnet.core.trimming import Watermarks


def test_defaults() -> None:
    config = parse({"listen": ["/ip4/127.0.0.1/tcp/18001"]})

    assert [str(address) for address in config.listen] == ["/ip4/127.0.0.1/tcp/18001"]
    assert (config.bootstrap, config.seed, config.key_type) == ((), None, "secp256k1")
    assert (config.target_peers, config.max_peers) == (8, 250)
    assert (config.discovery_profile, config.announce) == ("public", ())
    assert config.watermarks == Watermarks(160, 192, 20_000, 10_000)
    assert (config.max_connections, config.peer_exchange) == (500, True)


def test_everything_that_a_profile_may_set() -> None:
    config = parse(
        {
            "listen": ["/ip4/0.0.0.0/tcp/1"],
            "bootstrap": ["/dns4/node1/tcp/2", f"/ip4/1.1.1.1/tcp/2/p2p/{fake_peer_id(1)}"],
            "key_type": "ed25519",
            "seed": 7,
            "target_peers": 3,
            "max_peers": 4,
            "low_peers": 3,
            "high_peers": 6,
            "grace_s": 1,
            "silence_s": 2,
            "peer_exchange": False,
            "max_streams": 5,
            "max_gossip_bytes": 1024 * 1024,
            "gossip_protocol": "/g",
            "kademlia_protocol": "/k",
            "discovery_profile": "local",
            "announce": ["/dns4/node.example/tcp/30300"],
        }
    )

    assert config.bootstrap[1].peer_id == fake_peer_id(1)
    assert config.discovery_profile == "local"
    assert [str(address) for address in config.announce] == ["/dns4/node.example/tcp/30300"]
    assert config.watermarks == Watermarks(3, 6, 1000, 2000)
    assert (config.max_connections, config.peer_exchange) == (12, False)
    assert config.max_gossip_bytes == 1_048_576
    assert (config.seed, config.max_streams, config.gossip_protocol) == (7, 5, "/g")


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(
            {
                "listen": ["/dns4/x/tcp/1"],
                "bootstrap": "one",
                "seed": -1,
                "key_type": "rsa",
                "target_peers": True,
                "max_peers": "9",
                "gossip_protocol": "no-slash",
                "listn": [],
                "discovery_profile": "lan",
                "announce": ["/ip4/1.1.1.1/tcp/0"],
            }
        )

    keys = [problem.split(":")[0] for problem in caught.value.problems]
    assert sorted(keys) == [
        *(
            "announce",
            "bootstrap",
            "discovery_profile",
            "gossip_protocol",
            "key_type",
            "listen",
            "listn",
        ),
        *("max_peers", "seed", "target_peers"),
    ]


@pytest.mark.parametrize(
    ("settings", "low", "high"),
    [
        ({"max_peers": 100}, 64, 76),
        ({"max_peers": 4, "target_peers": 3}, 3, 4),
        ({"max_peers": 8, "target_peers": 8}, 8, 9),
        ({"max_peers": 1, "target_peers": 0}, 0, 1),
        ({"high_peers": 20}, 19, 20),
        ({"low_peers": 200}, 200, 201),
    ],
)
def test_watermarks_follow_from_the_most_peers(
    settings: dict[str, int], low: int, high: int
) -> None:
    """The host allows more connections than the high one in any case (NET-18)."""
    config = parse({"listen": ["/ip4/127.0.0.1/tcp/1"], **settings})

    assert (config.watermarks.low, config.watermarks.high) == (low, high)
    assert config.max_connections > config.watermarks.high


@pytest.mark.parametrize(
    "settings",
    [
        {"low_peers": 5, "high_peers": 5},
        {"low_peers": 7},
        {"high_peers": 8},
        {"low_peers": "1"},
        {"grace_s": -1},
        {"silence_s": 90_000},
        {"peer_exchange": 1},
    ],
)
def test_watermarks_that_make_no_sense_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        parse({"listen": ["/ip4/127.0.0.1/tcp/1"], **settings})


@pytest.mark.parametrize(
    "settings",
    [{}, {"listen": []}, {"listen": ["/ip4/1.1.1.1/tcp/1"], "target_peers": 9, "max_peers": 8}],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        parse(settings)


AT = ["/ip4/127.0.0.1/tcp/1"]
GENESIS = [f"{number:02x}" + 62 * "0" for number in (1, 2)]


def test_rate_limits_are_on_for_identities_that_can_have_them() -> None:
    at = ["/ip4/127.0.0.1/tcp/1"]
    config = parse({"listen": at})

    assert config.keeps_rate_limits
    assert (config.rln_limit, config.rln_period_ms) == (100, 10_000)
    assert config.rln_membership == "announcements"
    assert not parse({"listen": at, "key_type": "ed25519"}).keeps_rate_limits
    assert not parse({"listen": at, "rln": "off"}).keeps_rate_limits
    listed = parse({"listen": at, "rln_membership": "genesis", "rln_genesis": GENESIS})
    assert [each[0] for each in listed.rln_genesis] == [1, 2]


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"rln": "on", "key_type": "ed25519"}, "rln"),
        ({"rln": True}, "rln"),
        ({"rln_limit": 0}, "rln_limit"),
        ({"rln_limit": 65_536}, "rln_limit"),
        ({"rln_period_ms": 99}, "rln_period_ms"),
        ({"rln_membership": "chain"}, "rln_membership"),
        ({"rln_membership": "genesis"}, "rln_genesis"),
        ({"rln_genesis": GENESIS}, "rln_genesis"),
        ({"rln_membership": "genesis", "rln_genesis": [GENESIS[0]] * 2}, "rln_genesis"),
        ({"rln_membership": "genesis", "rln_genesis": ["ff" * 32]}, "rln_genesis"),
        ({"rln_membership": "genesis", "rln_genesis": ["xx"]}, "rln_genesis"),
        ({"rln_membership": "registry"}, "rln_registry"),
        ({"rln_registry": "unix:/x"}, "rln_registry"),
        ({"rln_membership": "registry", "rln_registry": "module:No"}, "rln_registry"),
        ({"rln_allocation_secret": "s"}, "rln_allocation_secret"),
    ],
)
def test_rate_limits_that_cannot_work_are_refused(settings: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse({"listen": ["/ip4/127.0.0.1/tcp/1"], **settings})

    assert [problem.split(":")[0] for problem in caught.value.problems] == [key]


def test_the_mix_is_on_for_identities_that_it_can_be_reached_by() -> None:
    config = parse({"listen": AT})
    assert (config.mixes, config.mix_profile, config.mix_exit) == (True, "laptop", False)
    assert (config.mix_key_epoch_s, config.tap) == (86_400, False)
    assert not parse({"listen": AT, "key_type": "ed25519"}).mixes
    assert not parse({"listen": AT, "mix": "off"}).mixes


def test_what_is_wrong_with_the_mix_is_named() -> None:
    wrong = {"mix_profile": "fast", "mix_key_epoch_s": 0, "mix_exit": 1, "tap": "yes"}
    with pytest.raises(ConfigError) as caught:
        parse({"listen": AT, **wrong})
    assert [problem.split(":")[0] for problem in caught.value.problems] == list(wrong)
    with pytest.raises(ConfigError, match="mix: needs key_type secp256k1"):
        parse({"listen": AT, "mix": "on", "key_type": "ed25519"})
