"""`logosctl call` and `logosctl describe`: what they send, print and refuse."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_kernel import run, served

from conformance_interface import extended_api
from logos.kernel.v1 import capability_pb2, router_pb2_grpc
from logos.kernel.v1 import router_pb2 as pb
from logos.module.v1.value_pb2 import List, Value
from logos_module.reflection import describe


class Kernel(router_pb2_grpc.RouterServicer):
    """Answers with the arguments, and with a description."""

    def __init__(self) -> None:
        self.address = ""

    def Call(self, request: Any, context: Any) -> Any:  # noqa: N802
        value = Value(list_value=List(values=request.args))
        return pb.CallResponse(value=value, served_by=pb.ServedBy(instance_id=b"\1" * 16, epoch=7))

    def CallStream(self, requests: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        for arg in next(requests).open.args:
            yield pb.CallStreamResponse(value=arg)

    def Describe(self, request: Any, context: Any) -> Any:  # noqa: N802
        service = "logos.kernel.v1.Capability"
        files = describe([service]).SerializeToString()
        return pb.DescribeResponse(
            module=request.target,
            version="1.2.3",
            services=[service],
            file_descriptor_set=files,
            interface=extended_api().describe(),
        )


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    """A kernel that answers, and a token for it."""
    monkeypatch.setenv("LOGOS_STATE", str(tmp_path))
    monkeypatch.setenv("LOGOS_TOKEN", f"logos_{43 * 'b'}")
    one = Kernel()
    with served(one, router_pb2_grpc.add_RouterServicer_to_server):
        yield one


ARGS = ("18446744073709551615", "1.0", '{"_bytes": "AP8"}', "str:hello", "null", "-7")
SENT = [18446744073709551615, 1.0, {"_bytes": "AP8"}, "hello", None, -7]


def test_arguments_are_json_and_so_is_the_result(kernel: Kernel) -> None:
    ended = run(kernel, "call", "base", "greet", "--", *ARGS)

    assert ended.exit_code == 0, ended.stderr
    assert json.loads(ended.stdout) == SENT
    assert "1.0" in ended.stdout


def test_as_json_the_result_says_who_answered(kernel: Kernel) -> None:
    ended = run(kernel, "call", "base", "greet", "true", "--output", "json")

    assert json.loads(ended.stdout) == {
        "target": "base",
        "method": "greet",
        "value": [True],
        "instance_id": "01" * 16,
        "epoch": 7,
    }


def test_results_of_a_stream_are_lines(kernel: Kernel) -> None:
    ended = run(kernel, "call", "base", "greet", "--stream", "--", *ARGS)

    assert [json.loads(line) for line in ended.stdout.splitlines()] == SENT


@pytest.mark.parametrize("arg", ["hello", "[", "18446744073709551616", '{"_bytes": 1}'])
def test_what_stands_for_no_value_is_refused_here(kernel: Kernel, arg: str) -> None:
    ended = run(kernel, "call", "base", "greet", arg)

    assert (ended.exit_code, ended.stdout) == (2, "")


def test_a_module_is_described_in_lines_and_in_json(kernel: Kernel) -> None:
    lines = run(kernel, "describe", "base").stdout.splitlines()
    told = json.loads(run(kernel, "describe", "base", "--output", "json").stdout)

    explained = "(logos.kernel.v1.ExplainRequest) -> logos.kernel.v1.ExplainResponse"
    assert f"logos.kernel.v1.Capability/Explain{explained}" in lines
    assert "echoOptList(v: [Opt]) -> [Opt]" in lines
    assert "event blobEvent(v: Blob)" in lines
    assert "record Blob {id: tstr, n: uint, payload: bstr}" in lines
    assert told["version"] == "1.2.3"
    methods = capability_pb2.DESCRIPTOR.services_by_name["Capability"].methods
    assert len(told["typed_methods"]) == len(methods)
    echo = next(one for one in told["methods"] if one["name"] == "echoOptional")
    assert (echo["returns"], echo["repetition"]) == ("?tstr", "NO_SIDE_EFFECTS")
