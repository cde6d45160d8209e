"""A node that is started by the reference's flags: what its modules and its kernel are given."""

import importlib.util
import sys
import tomllib
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from logos_delivery.config import parse as parse_delivery
from logos_delivery.core.enr import fields, record
from logos_delivery.core.enr.identity import RecordKey
from logos_delivery.node.exchanging import capabilities_of
from logos_kernel.config import parse as parse_kernel
from logos_mixnet.config import parse as parse_mixnet
from logos_module.http.listening import HttpListen

sys.path.insert(0, str(Path(__file__).parents[2] / "compat" / "logos-delivery"))  # a program

from flags import NEEDLESS, Flags, FlagsError, level_of, parse, told
from node_profile import NodeProfile, profile_of

COMPAT = Path(__file__).parents[2] / "compat" / "logos-delivery"
KEY = "7b" * 32
OTHER = RecordKey(b"\x01" * 32)
ADDRESS = f"/ip4/172.18.3.4/tcp/5001/p2p/{record.build(OTHER, 1, {}).peer_id}"
SUITE = [
    "--listen-address=0.0.0.0",
    "--rest=true",
    "--rest-admin=true",
    "--websocket-support=true",
    "--log-level=TRACE",
    "--rest-relay-cache-capacity=100",
    "--websocket-port=5002",
    "--rest-port=5000",
    "--tcp-port=5001",
    "--discv5-udp-port=5003",
    "--rest-address=0.0.0.0",
    "--nat=extip:172.18.9.8",
    "--peer-exchange=true",
    "--discv5-discovery=true",
    "--cluster-id=3",
    f"--nodekey={KEY}",
    "--shard=0",
    "--metrics-server=true",
    "--metrics-server-address=0.0.0.0",
    "--metrics-server-port=5004",
    "--metrics-logging=true",
]
"""What the public suite gives every node."""


def made(*arguments: str) -> NodeProfile:
    return profile_of(parse(arguments))


def test_the_flags_of_the_public_suite() -> None:
    found = made(*SUITE, "--relay=true", "--store=true", "--filter=true")
    mixnet = parse_mixnet(found.mixnet)
    assert [str(one) for one in mixnet.listen] == ["/ip4/0.0.0.0/tcp/5001"]
    assert [str(one) for one in mixnet.announce] == ["/ip4/172.18.9.8/tcp/5001"]
    assert mixnet.peer_exchange
    delivery = parse_delivery(found.delivery)
    assert (delivery.preset.cluster, delivery.preset.shards) == (3, 8)
    assert (delivery.relays, delivery.keeps, delivery.pushes, delivery.publishes) == (
        True,
        True,
        True,
        False,
    )
    assert delivery.http == HttpListen("127.0.0.1", 5000)
    assert delivery.http_metrics == HttpListen("127.0.0.1", 5004)
    assert (delivery.http_open, delivery.http_cache) == (True, 100)
    assert delivery.http_topics == ("/waku/2/rs/3/0",)
    assert delivery.own_shards == (), "those of the flag alone, by HTTP"


@pytest.mark.parametrize("flag", ["", "--store-resume=false", "--store-resume=true"])
def test_a_store_node_resumes_where_that_is_asked_for(flag: str) -> None:
    found = made(*SUITE, "--store=true", *filter(None, [flag]))

    assert parse_delivery(found.delivery).resume is flag.endswith("true")


def test_the_node_makes_its_record_itself() -> None:
    """DLC-38: of where it is announced, what it serves, and the shards that it follows."""
    delivery = parse_delivery(made(*SUITE, "--relay=true", "--lightpush=true").delivery)
    assert not delivery.enr
    capabilities = capabilities_of(delivery)
    assert capabilities == fields.Capability.RELAY | fields.Capability.LIGHT_PUSH


def test_a_record_leads_to_its_node() -> None:
    said = fields.NodeFields(ip=IPv4Address("172.18.9.8"), tcp=5001)
    own = record.build(OTHER, 1, said.pairs())
    other = made(f"--discv5-bootstrap-node={own}")
    assert other.mixnet["bootstrap"] == [f"/ip4/172.18.9.8/tcp/5001/p2p/{own.peer_id}"]
    assert parse_delivery(other.delivery).records == (str(own),), "others learn of it"


@pytest.mark.parametrize(
    ("flags", "serves", "asks"),
    [
        ([], False, False),
        (["--peer-exchange=true"], True, True),
        ([f"--peer-exchange-node={ADDRESS}"], False, True),
        (["--peer-exchange=true", "--relay=false"], False, True),
    ],
)
def test_peer_exchange_is_what_the_flags_say(flags: list[str], *, serves: bool, asks: bool) -> None:
    delivery = parse_delivery(made(*flags).delivery)
    assert (delivery.tells_of_peers, delivery.asks_for_peers) == (serves, asks)
    named = ADDRESS.rpartition("/")[2] if "-node=" in "".join(flags) else None
    assert delivery.peer_exchange_peers == ((named,) if named else ())


def test_service_nodes_are_named_and_dialled() -> None:
    found = made("--relay=false", f"--filternode={ADDRESS}", f"--storenode={ADDRESS}")
    peer_id = ADDRESS.rpartition("/")[2]
    assert found.mixnet["bootstrap"] == [ADDRESS]
    delivery = parse_delivery(found.delivery)
    assert (delivery.mode, delivery.filter_peers, delivery.store_peers) == (
        "edge",
        (peer_id,),
        (peer_id,),
    )
    found = made(f"--lightpushnode={ADDRESS}", f"--staticnode={ADDRESS}", f"--entry-node={ADDRESS}")
    assert found.delivery["light_push_peers"] == [peer_id]
    assert found.mixnet["bootstrap"] == [ADDRESS]


@pytest.mark.parametrize(
    ("arguments", "cluster", "shards"),
    [
        (["--cluster-id=2"], 2, 8),
        (["--cluster-id=2", "--num-shards-in-network=1"], 2, 1),
        (["--cluster-id=199"], 199, 1),
        (["--cluster-id=199", "--num-shards-in-network=8"], 199, 8),
        (["--preset=status.prod"], 16, 1),
        (["--preset=twn"], 1, 8),
    ],
)
def test_clusters(arguments: list[str], cluster: int, shards: int) -> None:
    delivery = parse_delivery(made(*arguments).delivery)
    assert (delivery.preset.cluster, delivery.preset.shards) == (cluster, shards)
    assert not delivery.rln


def test_other_flags() -> None:
    found = made(
        "--content-topic=/a/1/b/c",
        "--shard=1",
        "--shard=2",
        "--cluster-id=3",
        "--store-message-db-url=postgres://user:word@db:5432/kept",
        "--store-message-retention-policy=time:60;capacity:7",
        "--rate-limit=filter:30/1m",
        "--rate-limit=40/1s",
        "--ports-shift=3",
        "--listen-address=127.0.0.1",
    )
    delivery = parse_delivery(found.delivery)
    assert delivery.http_topics == ("/waku/2/rs/3/1", "/waku/2/rs/3/2", "/a/1/b/c")
    assert delivery.archive_url == "postgresql+asyncpg://user:word@db:5432/kept"
    assert delivery.retention == "time:60;capacity:7"
    assert delivery.http == HttpListen("127.0.0.1", 8_648)
    assert found.mixnet["listen"] == ["/ip4/127.0.0.1/tcp/60003"]
    assert made("--rest=false", "--shard=0").delivery["shards"] == [0]
    assert "http" not in made("--rest=false").delivery


@pytest.mark.parametrize(
    "argument",
    [
        "--no-such-flag=1",
        "relay",
        "-relay=true",
        "--relay=maybe",
        "--tcp-port=65536",
        "--tcp-port=-1",
        "--nodekey=12",
        "--nat=upnp:x",
        "--rest-address=localhost",
        "--log-level=LOUD",
        "--rln-relay=true",
        "--mix",
    ],
)
def test_what_cannot_be_kept_is_refused(argument: str) -> None:
    with pytest.raises(FlagsError):
        parse([argument])


@pytest.mark.parametrize(
    "argument",
    [
        "--storenode=/ip4/1.2.3.4/tcp/1",
        "--discv5-bootstrap-node=enr:xxxx",
        "--preset=none",
    ],
)
def test_addresses_records_and_presets_that_are_none(argument: str) -> None:
    with pytest.raises(FlagsError):
        made(argument)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(FlagsError, match=r"--a: unknown; --b: unknown; --rest-port: "):
        parse(["--a=1", "--b", "--rest-port=x"])


def test_flags_without_effect_are_told(capsys: Any) -> None:
    told(parse([f"--{name}=1" for name in sorted(NEEDLESS)]))
    assert capsys.readouterr().err.count("--") == len(NEEDLESS)
    told(Flags())
    assert capsys.readouterr().err == "INF Created WakuMetadata protocol clusterId=0\n"


def test_stores_are_reconciled_if_the_flag_says_so() -> None:
    flags = ["--store=true", "--store-sync=true", "--store-sync-interval=7", "--store-sync-range=9"]
    flags.append("--store-sync-relay-jitter=3")
    delivery = parse_delivery(made(*flags).delivery)
    assert (delivery.sync, delivery.sync_interval_s, delivery.sync_range_s) == (True, 7, 9)
    assert delivery.sync_offset_s == 3
    assert not parse_delivery(made("--store=true").delivery).sync


def test_alone_in_a_container_it_listens_where_it_is_told() -> None:
    found = profile_of(parse(SUITE), is_enclosed=True)
    delivery = parse_delivery(found.delivery)
    assert delivery.http == HttpListen("0.0.0.0", 5000)  # noqa: S104 -- the container's
    assert delivery.http_metrics == HttpListen("0.0.0.0", 5004)  # noqa: S104
    here = profile_of(parse(["--rest-address=::"]), is_enclosed=True)
    assert parse_delivery(here.delivery).http == HttpListen("::", 8_645)


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("TRACE", "DEBUG"),
        ("debug", "DEBUG"),
        ("NOTICE", "INFO"),
        ("WARN", "WARNING"),
        ("FATAL", "ERROR"),
    ],
)
def test_levels_of_logs(level: str, expected: str) -> None:
    assert level_of(parse([f"--log-level={level}"])) == expected


def loaded() -> Any:
    spec = importlib.util.spec_from_file_location("compat_main", COMPAT / "__main__.py")
    assert spec is not None
    assert spec.loader is not None
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    return program


def test_an_address_that_is_there_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    program = loaded()
    slept: list[float] = []
    times = iter([0.0, 0.1, 0.2, 2.5])
    monkeypatch.setattr(program.time, "sleep", slept.append)
    monkeypatch.setattr(program.time, "monotonic", lambda: next(times))
    program.await_address("127.0.0.1", 2.0)
    program.await_address("", 2.0)
    assert not slept
    times = iter([0.0, 0.1, 0.2, 2.5])
    program.await_address("192.0.2.1", 2.0)
    assert len(slept) == 2


def test_the_kernel_takes_the_profile(tmp_path: Path) -> None:
    program = loaded()
    folder, sockets = tmp_path / "state", Path("/tmp/ld")  # noqa: S108 -- it is not made
    variables = program.prepared(parse(SUITE), folder, sockets)
    text = tomllib.loads((folder / "profile.toml").read_text())
    assert set(text["modules"]) == {"mixnet", "delivery"}
    found = parse_kernel(variables)
    assert {plan.manifest.name for plan in found.plans} == {"mixnet", "delivery"}
    identity = folder / "modules" / "mixnet" / "identity.key"
    assert identity.read_bytes() == bytes.fromhex(KEY)
    assert identity.stat().st_mode & 0o777 == 0o600
    program.prepared(parse([]), folder, sockets)
    assert identity.read_bytes() == bytes.fromhex(KEY)
    with pytest.raises(FlagsError, match="--nodekey"):
        program.prepared(parse([f"--nodekey={'ff' * 32}"]), folder, sockets)
