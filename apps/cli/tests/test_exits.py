"""Failures end with a stable exit code and a sentence on stderr."""

import grpc
import pytest
import typer

from logos_base.errors import ConfigError
from logos_cli.exits import Exit, exit_of, explained
from logos_testnet.errors import PortInUseError, UnknownNodeError


def test_exit_codes_never_change() -> None:
    assert {code.name: code.value for code in Exit} == {
        "OK": 0,
        "USAGE": 2,
        "UNREACHABLE": 3,
        "NOT_FOUND": 4,
        "FAILED": 5,
        "INTERRUPTED": 130,
    }


def failed(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), "why")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, Exit.USAGE),
        (grpc.StatusCode.OUT_OF_RANGE, Exit.USAGE),
        (grpc.StatusCode.UNAVAILABLE, Exit.UNREACHABLE),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Exit.UNREACHABLE),
        (grpc.StatusCode.NOT_FOUND, Exit.NOT_FOUND),
        (grpc.StatusCode.DATA_LOSS, Exit.FAILED),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Exit.FAILED),
        (grpc.StatusCode.UNKNOWN, Exit.FAILED),
    ],
)
def test_every_status_has_an_exit_code(code: grpc.StatusCode, expected: Exit) -> None:
    assert exit_of(failed(code)) is expected


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ConfigError(["first", "second"]), 2, ["first", "second"]),
        (UnknownNodeError("no such node"), 4, ["no such node", "NODE_UNKNOWN"]),
        (PortInUseError("port 1 is taken"), 5, ["port 1 is taken"]),
        (FileNotFoundError(2, "No such file", "x.bin"), 2, ["x.bin", "No such file"]),
        (KeyboardInterrupt(), 130, ["interrupted"]),
        (failed(grpc.StatusCode.UNAVAILABLE), 3, ["nobody answers at node7"]),
        (failed(grpc.StatusCode.DATA_LOSS), 5, ["why", "DATA_LOSS"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_failure_is_told_on_stderr(
    error: BaseException, code: int, words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as caught, explained("node7"):
        raise error

    captured = capfd.readouterr()
    assert caught.value.exit_code == code
    assert captured.out == ""
    assert all(word in captured.err for word in words)
