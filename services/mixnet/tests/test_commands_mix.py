"""`logosctl mix`, against a node that tells a script."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from typer.testing import CliRunner, Result

from logos.network.v1 import mix_pb2 as pb
from logos.network.v1 import mix_pb2_grpc, peering_pb2, peering_pb2_grpc
from logos_cli.main import app
from logos_commands.mix import sources

FAR = f"16Uiu2HAm{44 * 'a'}"
NEAR = f"16Uiu2HAm{44 * 'b'}"
HIDDEN = pb.Anonymity(
    basis=pb.Anonymity.BASIS_OBSERVED,
    waiting=3.5,
    entropy_bits=4.34,
    best_guess=0.095,
    words="One of five.",
)


def planned(there: int = 3, back: int = 3) -> pb.MixPingResponse:
    way = pb.MixPingResponse.Planned(
        forward=[pb.TracedHop(peer_id=FAR)] * there,
        back=[pb.TracedHop(peer_id=FAR)] * back,
        anonymity=HIDDEN,
    )
    return pb.MixPingResponse(planned=way)


def answered(round_trip_ms: int = 1240, under_way_ms: int = 980) -> pb.MixPingResponse:
    response = pb.MixPingResponse()
    response.answered.round_trip.FromMilliseconds(round_trip_ms)
    response.answered.under_way.FromMilliseconds(under_way_ms)
    return response


DEPARTED = pb.MixPingResponse(departed=pb.MixPingResponse.Departed())


def profile(name: str, delay_ms: int) -> pb.MixProfile:
    made = pb.MixProfile(name=name, limit=10, hops=3, law=pb.MixProfile.LAW_POISSON)
    made.period.FromSeconds(10)
    made.mean_delay.FromMilliseconds(delay_ms)
    made.mean_pause.FromMilliseconds(5714)
    return made


def status() -> pb.MixGetStatusResponse:
    counts = pb.MixCounts(
        forwarded=9, delivered=4, loops_sent=8, loops_back=6, loops_lost=1, loops_skipped=2,
        own_sent=3, proofs_verified=13, dropped={"MIX_PACKET_REPEATED": 2, "BAD\x1b": 1},
    )  # fmt: skip
    return pb.MixGetStatusResponse(
        peer_id=NEAR, profile=profile("laptop", 10_000), anonymity=HIDDEN, pool_size=4, usable=3,
        profiles=[profile("demo", 200), profile("laptop", 10_000)], guarded=True, ids_left=7,
        key_epoch=2, held=5, queued_bytes=2048, counts=counts, awaited=1,
    )  # fmt: skip


class Scripted(mix_pb2_grpc.MixServicer, peering_pb2_grpc.PeeringServicer):
    """Answers with what a test has it say; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.pings: list[list[Any]] = [[planned(), DEPARTED, answered()]]
        self.messages: list[pb.MixListenResponse] = [pb.MixListenResponse()]
        self.sent = pb.SendResponse(packets=1, anonymity=HIDDEN)
        self.error: tuple[grpc.StatusCode, str] | None = None
        self.readings = 1_000_000
        self.status = status()

    def Ping(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        self.asked.append(request)
        self._refuse(context)
        for each in self.pings.pop(0):
            if isinstance(each, tuple):
                fail(context, *each)
            yield each

    def Send(self, request: Any, context: Any) -> pb.SendResponse:  # noqa: N802
        self.asked.append(request)
        self._refuse(context)
        return self.sent

    def Listen(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        self.asked.append(request)
        self._refuse(context)
        yield from self.messages

    def GetStatus(self, request: Any, context: Any) -> pb.MixGetStatusResponse:  # noqa: N802
        self.readings -= 1
        if self.readings < 0:
            fail(context, grpc.StatusCode.UNAVAILABLE, "MODULE_NOT_READY")
        return self.status

    def ListMixes(self, request: Any, context: Any) -> pb.ListMixesResponse:  # noqa: N802
        one = FAR if request.page_token else NEAR
        mix = pb.KnownMix(
            peer_id=one, address="/ip4/1.2.3.4/tcp/5", availability=0.875, usable=True
        )
        return pb.ListMixesResponse(mixes=[mix], next_page_token="" if one == FAR else "more")

    def SetProfile(self, request: Any, context: Any) -> pb.SetProfileResponse:  # noqa: N802
        self.asked.append(request)
        self._refuse(context)
        return pb.SetProfileResponse(profile=profile(request.name, 2000))

    def GetIdentity(self, request: Any, context: Any) -> Any:  # noqa: N802
        return peering_pb2.GetIdentityResponse(peer_id=FAR)

    def _refuse(self, context: Any) -> None:
        if self.error is not None:
            fail(context, *self.error)


def fail(context: Any, code: grpc.StatusCode, reason: str) -> None:
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(reason=reason, domain="logos"))
    status = status_pb2.Status(code=code.value[0], message="the reason why", details=[detail])
    context.abort_with_status(rpc_status.to_status(status))


class Node:
    """A node, and the command line towards it, in a testnet of two names."""

    def __init__(self, address: str, mix: Scripted) -> None:
        self.mix = mix
        self.address = address

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["--address", self.address, "mix", *words])


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Node]:
    monkeypatch.setenv("LOGOS_TOKEN", f"logos_{43 * 'b'}")
    mix, server = Scripted(), grpc.server(ThreadPoolExecutor(2))
    mix_pb2_grpc.add_MixServicer_to_server(mix, server)
    peering_pb2_grpc.add_PeeringServicer_to_server(mix, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    address = f"127.0.0.1:{port}"
    known(monkeypatch, tmp_path, {"node1": address, "node4": address, "node5": "127.0.0.1:1"})
    yield Node(address, mix)
    server.stop(0).wait()


@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[bytes], None]]:
    """Gives commands something to read: they read descriptors, which the runner has none of."""
    with ExitStack() as files:

        def pipe(content: bytes) -> None:
            (tmp_path / "stdin").write_bytes(content)
            stdin = files.enter_context((tmp_path / "stdin").open("rb"))
            monkeypatch.setattr(sources, "sys", SimpleNamespace(stdin=stdin))

        yield pipe


Pipe = Callable[[bytes], None]


def known(monkeypatch: pytest.MonkeyPatch, root: Path, doors: dict[str, str]) -> None:
    """Writes the endpoints of a testnet, as `./logos up` does."""
    nodes = [
        {"name": name, "kernel": door, "modules": [], "peer_id": "", "p2p_address": ""}
        for name, door in doors.items()
    ]
    document = {"schema": 1, "testnet": "some", "runtime": "processes", "seed": None}
    (root / "some").mkdir()
    (root / "some" / "topology.toml").touch()
    (root / "some" / "endpoints.json").write_text(json.dumps({**document, "nodes": nodes}))
    monkeypatch.setenv("LOGOS_STATE", str(root))
    monkeypatch.delenv("LOGOS_TESTNET", raising=False)


def test_a_ping_says_hops_times_and_what_hid_it(node: Node) -> None:
    ended = node.run("ping", FAR)

    assert ended.exit_code == 0, ended.output
    assert ended.stdout == (
        f"{FAR} answered: 3 hops there, 3 back, round trip 1.24 s, 980 ms under way\n"
    )
    assert "what hid it: 4.3 bits, the best guess is right in 10% of cases" in ended.stderr
    assert "as observed here, which is less than its profile promises; One of five." in ended.stderr
    [asked] = node.mix.asked
    assert (asked.route.destination, asked.route.mean_delay.ToMilliseconds()) == (FAR, 200)


def test_pings_are_as_many_as_asked_for_each_a_line_of_json(node: Node) -> None:
    node.mix.pings = [[planned(4, 3), DEPARTED, answered()], [planned(), DEPARTED, answered(90)]]

    ended = node.run("ping", FAR, "--count", "2", "--delay", "50", "--output", "json")

    first, second = map(json.loads, ended.stdout.splitlines())
    assert (first["number"], first["hops_there"], first["round_trip_s"]) == (1, 4, 1.24)
    assert (second["number"], second["hops_there"], second["round_trip_s"]) == (2, 3, 0.09)
    assert first["anonymity"]["entropy_bits"] == 4.34
    assert [each.route.mean_delay.ToMilliseconds() for each in node.mix.asked] == [50, 50]


@pytest.mark.parametrize("form", ["json", "table"])
def test_a_lost_ping_does_not_end_the_others_but_the_exit_code_says_so(
    node: Node, form: str
) -> None:
    late = (grpc.StatusCode.DEADLINE_EXCEEDED, "MIX_NO_ANSWER")
    node.mix.pings = [[planned(), DEPARTED, late], [planned(), DEPARTED, answered()]]

    ended = node.run("ping", FAR, "--count", "2", "--output", form)

    assert ended.exit_code == 3
    if form == "json":
        assert [json.loads(line)["answered"] for line in ended.stdout.splitlines()] == [False, True]
    else:
        assert len(ended.stdout.splitlines()) == 1
        assert f"{FAR}: no answer came in 18 s" in ended.stderr


def test_a_node_is_named_and_asked_for_its_peer_id(node: Node) -> None:
    ended = node.run("ping", "node4")

    assert ended.exit_code == 0, ended.output
    assert node.mix.asked[0].route.destination == FAR
    assert ended.stdout.startswith("node4 answered: ")


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        (
            "node9",
            4,
            "node9 is no peer id, and the testnet has no node of that name; it has node1,",
        ),
        ("16Uiu2", 4, "NODE_UNKNOWN"),
        ("node5", 3, "no node answers at node5 (127.0.0.1:1)"),
    ],
)
def test_what_is_no_destination_is_said(node: Node, name: str, code: int, said: str) -> None:
    ended = node.run("ping", name)

    assert ended.exit_code == code
    assert said in ended.stderr
    assert node.mix.asked == []


STATUS = grpc.StatusCode


@pytest.mark.parametrize(
    ("error", "ends", "advice"),
    [
        ((STATUS.FAILED_PRECONDITION, "MIX_POOL_TOO_SMALL"), 5, "logosctl mix pool"),
        ((STATUS.NOT_FOUND, "MIX_DESTINATION_UNKNOWN"), 4, "logosctl mix pool"),
        ((STATUS.UNAVAILABLE, "MIX_LINK_DOWN"), 3, "logosctl peers"),
        ((STATUS.FAILED_PRECONDITION, "MIX_OFF"), 5, "settings get mixnet"),
        ((STATUS.FAILED_PRECONDITION, "ANONYMITY_TOO_LOW"), 5, "longer --delay"),
    ],
    ids=str,
)
@pytest.mark.parametrize("verb", ["ping", "send"])
def test_a_refusal_has_its_exit_code_and_advice(
    node: Node, verb: str, error: tuple[STATUS, str], ends: int, advice: str
) -> None:
    node.mix.error = error

    ended = node.run(verb, FAR, *(["/dev/null"] if verb == "send" else []))

    assert ended.exit_code == ends
    assert error[1] in ended.stderr
    assert advice in ended.stderr


def test_a_file_is_sent_with_every_option(node: Node, tmp_path: Path) -> None:
    (tmp_path / "note").write_bytes(b"hello")
    node.mix.sent = pb.SendResponse(packets=3, anonymity=HIDDEN, below_floor=True)
    options = ("--codec", "/chat/1.0.0", "--delay", "2000", "--redundancy", "3", "--floor", "6.5")

    ended = node.run("send", FAR, str(tmp_path / "note"), *options, "--output", "json")

    [asked] = node.mix.asked
    assert (asked.content, asked.codec) == (b"hello", "/chat/1.0.0")
    assert (asked.route.redundancy, asked.route.mean_delay.ToMilliseconds()) == (3, 2000)
    assert (asked.route.floor_bits, asked.route.below_floor) == (6.5, pb.FLOOR_ACTION_WARN)
    found = json.loads(ended.stdout)
    assert (found["bytes"], found["packets"], found["below_floor"]) == (5, 3, True)
    assert "5 B have left in 3 packets" in ended.stderr
    assert "warning: that is below the floor of 6.5 bits" in ended.stderr


def test_without_a_delay_the_profile_decides_and_stdin_is_read(node: Node, piped: Pipe) -> None:
    piped(b"from a pipe")

    ended = node.run("send", "node4")

    assert (ended.exit_code, ended.stdout) == (0, "")
    [asked] = node.mix.asked
    assert not asked.route.HasField("mean_delay")
    assert asked.content == b"from a pipe"
    assert "what hides it: 4.3 bits" in ended.stderr


def test_a_floor_may_refuse(node: Node) -> None:
    assert node.run("send", FAR, "/dev/null", "--floor", "4", "--refuse").exit_code == 0
    assert node.mix.asked[0].route.below_floor == pb.FLOOR_ACTION_REFUSE


@pytest.mark.parametrize(
    "words",
    [
        ("send", FAR, "--refuse"),
        ("send", FAR, "--redundancy", "6"),
        ("send", FAR, "no such file"),
        ("ping", FAR, "--delay", "65536"),
        ("ping", FAR, "--count", "0"),
        ("status", "--interval", "0"),
    ],
    ids=" ".join,
)
def test_wrong_usage_asks_nothing(node: Node, words: tuple[str, ...]) -> None:
    assert node.run(*words).exit_code == 2
    assert node.mix.asked == []


def test_no_more_is_read_than_may_be_sent(node: Node, piped: Pipe) -> None:
    piped(bytes(3 * 2**20))

    node.run("send", FAR)

    assert len(node.mix.asked[0].content) == 2**20 + 1, "the node refuses it, whatever its limit"


def test_messages_are_printed_as_they_come(node: Node) -> None:
    node.mix.messages += [
        pb.MixListenResponse(content=b"hi\x1b[2J"),
        pb.MixListenResponse(content=b"\xff\xfe", reply_token=b"t", reply_limit_bytes=900),
    ]

    ended = node.run("listen", "--codec", "/chat/1.0.0")

    assert ended.stdout == "hi\\x1b[2J\n2 B that are not text  (an answer is asked for)\n"
    assert "listens for /chat/1.0.0" in ended.stderr
    assert node.mix.asked[0].codec == "/chat/1.0.0"


def test_messages_are_lines_of_json_and_may_be_counted(node: Node) -> None:
    node.mix.messages += [
        pb.MixListenResponse(content=b"one"),
        pb.MixListenResponse(content=b"\xff"),
    ]
    node.mix.messages += [pb.MixListenResponse(content=b"three")]

    ended = node.run("listen", "--count", "2", "--output", "json")

    first, second = map(json.loads, ended.stdout.splitlines())
    assert (first["content"], first["reply_token_base64"]) == ("one", None)
    assert (second["content_base64"], second["bytes"]) == ("/w==", 1)


def test_a_taken_codec_is_refused(node: Node) -> None:
    node.mix.error = grpc.StatusCode.FAILED_PRECONDITION, "CODEC_TAKEN"

    ended = node.run("listen")

    assert (ended.exit_code, ended.stdout) == (5, "")
    assert "CODEC_TAKEN" in ended.stderr


def test_the_status_is_told_in_lines(node: Node) -> None:
    text = node.run("status").stdout

    for line in (
        "anonymity    4.3 bits, the best guess is right in 10% of cases; as observed here",
        "profile      laptop: 3 hops, 10 s at each",
        "pool         4 other mixes, 3 of them used",
        "cover        8 loops sent, 6 back, 1 lost, 2 left out",
        "held now     5 packets",
        "message ids  7 left",
        "dropped      1 BAD\\x1b, 2 MIX_PACKET_REPEATED",
    ):
        assert line in text
    assert "trouble" not in text
    assert "tap" not in text


def test_the_status_warns_of_a_tap_and_says_how_its_file_is(node: Node) -> None:
    node.mix.status.tapped = True
    assert "for testnets of one's own only\n" in node.run("status").stdout

    node.mix.status.tap_skipped, node.mix.status.tap_trouble = 3, "the disk is full\x1b"

    text = node.run("status").stdout
    assert (
        "tapped       a tap writes down when packets come and leave: for testnets of one's own"
        " only; 3 packets are not in its file; it cannot be written: the disk is full\\x1b\n"
    ) in text
    found = json.loads(node.run("status", "--output", "json").stdout)
    assert (found["tapped"], found["tap_skipped"]) == (True, 3)


def test_the_status_as_json_is_whole(node: Node) -> None:
    found = json.loads(node.run("status", "--output", "json").stdout)

    assert found["loops"] == {"sent": 8, "back": 6, "lost": 1, "skipped": 2}
    assert (found["ids_left"], found["key_epoch"], found["held"]) == (7, 2, 5)
    assert found["profile"]["mean_delay_s"] == 10


@pytest.mark.parametrize("form", ["json", "table"])
def test_the_meter_is_a_line_a_reading_until_the_node_goes(node: Node, form: str) -> None:
    node.mix.readings = 3

    ended = node.run("status", "--watch", "--interval", "0.5", "--output", form)

    assert ended.exit_code == 3
    assert "MODULE_NOT_READY" in ended.stderr
    lines = ended.stdout.splitlines()
    assert len(lines) == 3
    if form == "json":
        assert [json.loads(line)["anonymity"]["best_guess"] for line in lines] == 3 * [0.095]
    else:
        assert all("4.3 bits  |#################  " in line for line in lines)
        assert all(line.endswith("best guess 0.10") for line in lines)


def test_the_pool_is_read_to_its_end(node: Node) -> None:
    header, near, far = node.run("pool").stdout.splitlines()

    assert header.split() == ["PEER", "ID", "ADDRESS", "AVAILABILITY", "USABLE"]
    assert (near.split()[0], far.split()[0]) == (NEAR, FAR)
    assert near.split()[1:] == ["/ip4/1.2.3.4/tcp/5", "0.875", "yes"]


def test_a_profile_is_set_and_what_it_costs_is_said(node: Node) -> None:
    ended = node.run("profile", "strong", "--output", "json")

    assert json.loads(ended.stdout)["name"] == "strong"
    assert node.mix.asked[0].name == "strong"
    assert "a loop every 5.71 s, 2 s at each of 3 hops" in ended.stderr


def test_the_profiles_are_listed_with_the_used_one(node: Node) -> None:
    _, demo, laptop = node.run("profile").stdout.splitlines()

    assert demo.split()[:4] == ["demo", "no", "0.2", "s"]
    assert laptop.split()[:2] == ["laptop", "yes"]


def test_an_unknown_profile_is_wrong_usage(node: Node) -> None:
    node.mix.error = grpc.StatusCode.INVALID_ARGUMENT, "INVALID_PROFILE"

    ended = node.run("profile", "none")

    assert ended.exit_code == 2
    assert "logosctl mix profile" in ended.stderr
