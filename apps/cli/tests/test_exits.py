"""Failures end with a stable exit code and a sentence on stderr."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
import typer
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

from logos_base.errors import ConfigError, ErrorKind, LogosError
from logos_cli.entry import outcome_of
from logos_cli.exits import Exit, explained
from logos_cli.messages import exit_of
from logos_cli.streams import ReaderGoneError
from logos_testnet.errors import BusyError, PortInUseError, UnknownNodeError

ROOT = Path(__file__).parents[3]
PATIENCE_S = 60


def test_exit_codes_never_change() -> None:
    assert {code.name: code.value for code in Exit} == {
        "OK": 0,
        "USAGE": 2,
        "UNREACHABLE": 3,
        "NOT_FOUND": 4,
        "FAILED": 5,
        "REFUSED": 6,
        "HUNG_UP": 129,
        "INTERRUPTED": 130,
        "TERMINATED": 143,
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
        (grpc.StatusCode.UNAUTHENTICATED, Exit.REFUSED),
        (grpc.StatusCode.PERMISSION_DENIED, Exit.REFUSED),
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
        (BusyError("wait"), 3, ["wait", "TESTNET_BUSY"]),
        (FileNotFoundError(2, "No such file", "x.bin"), 2, ["x.bin", "No such file"]),
        (PermissionError(13, "Permission denied", b"caf\xe9"), 2, ["caf", "Permission denied"]),
        (OSError(errno.ENOSPC, "No space left on device", "x"), 5, ["x: No space left"]),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), 5, ["error: Disk quota exceeded"]),
        (OSError(errno.EIO, "Input/output error"), 5, ["Input/output error"]),
        (OSError(errno.EMFILE, "Too many open files"), 5, ["Too many open files"]),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset"), 3, ["Connection reset"]),
        (TimeoutError(), 3, ["timed out"]),
        (ZeroDivisionError("oops"), 5, ["internal error", "ZeroDivisionError: oops"]),
        (ZeroDivisionError("oops"), 5, ["INTERNAL", "LOGOS_DEBUG=1"]),
        (KeyboardInterrupt(), 130, ["interrupted"]),
        (failed(grpc.StatusCode.UNAVAILABLE), 3, ["no node answers at node7"]),
        (failed(grpc.StatusCode.DATA_LOSS), 5, ["why", "DATA_LOSS"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_failure_is_printed_to_stderr(
    error: BaseException, code: int, words: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as caught, explained("node7"):
        raise error

    captured = capfd.readouterr()
    assert caught.value.exit_code == code
    assert captured.out == ""
    assert all(word in captured.err for word in words)


def test_text_of_a_node_cannot_control_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    details = "gone\x1b[2J\nerror: another"
    error = grpc.aio.AioRpcError(
        grpc.StatusCode.DATA_LOSS, grpc.aio.Metadata(), grpc.aio.Metadata(), details
    )
    with pytest.raises(typer.Exit), explained("node7"):
        raise error

    assert r"gone\x1b[2J\nerror: another" in capfd.readouterr().err


def busy(code: grpc.StatusCode, **retry: int) -> grpc.aio.AioRpcError:
    """Returns a failed call of a node; `retry` is the delay."""
    reason, again = any_pb2.Any(), any_pb2.Any()
    reason.Pack(error_details_pb2.ErrorInfo(reason="DATASET_BUSY", domain="logos"))
    delay = duration_pb2.Duration(**retry)
    again.Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    details = [reason, *([again] if retry else [])]
    status = status_pb2.Status(code=code.value[0], message="why", details=details)
    trailing = grpc.aio.Metadata(("grpc-status-details-bin", status.SerializeToString()))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, "why")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (busy(grpc.StatusCode.FAILED_PRECONDITION), Exit.FAILED),
        (busy(grpc.StatusCode.FAILED_PRECONDITION, seconds=1), Exit.UNREACHABLE),
        (busy(grpc.StatusCode.RESOURCE_EXHAUSTED, nanos=5_000_000), Exit.UNREACHABLE),
        (busy(grpc.StatusCode.INVALID_ARGUMENT, seconds=1), Exit.USAGE),
        (busy(grpc.StatusCode.NOT_FOUND, seconds=1), Exit.NOT_FOUND),
    ],
)
def test_a_failure_with_a_retry_delay_is_unreachable(
    error: grpc.aio.AioRpcError, code: Exit
) -> None:
    assert exit_of(error) is code


def test_the_retry_delay_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), explained():
        raise busy(grpc.StatusCode.FAILED_PRECONDITION, seconds=1, nanos=500_000_000)

    assert "try again in 1.5 s" in capfd.readouterr().err


class FullError(LogosError):
    """An error with a retry delay, whose kind has none."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "FULL"
    retry_after_ms = 5


def test_our_own_errors_may_say_so_too() -> None:
    with pytest.raises(typer.Exit) as caught, explained():
        raise FullError("wait")

    assert caught.value.exit_code == Exit.UNREACHABLE


def ending(error: BaseException | None) -> None:
    if error is not None:
        raise error


def test_control_c_ends_logs_that_are_followed_as_it_ends_every_command(state: Path) -> None:
    (state / "small" / "node1" / "logs").mkdir(parents=True)
    shutil.copy(ROOT / "deploy" / "topologies" / "small.toml", state / "small" / "topology.toml")
    (state / "small" / "node1" / "logs" / "kernel.log").write_text('{"message": "here"}\n')
    words = [sys.executable, "-P", "-m", "logos_cli", "logs", "node1", "kernel", "-f"]

    with subprocess.Popen(words, stdout=subprocess.PIPE) as following:
        assert following.stdout is not None
        assert b"here" in following.stdout.readline()
        following.send_signal(signal.SIGINT)
        assert following.wait(PATIENCE_S) == Exit.INTERRUPTED


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, 0),
        (SystemExit(), 0),
        (SystemExit(4), 4),
        (SystemExit(1), 5),
        (SystemExit("a message"), 5),
        (KeyboardInterrupt(), 130),
        (ReaderGoneError(), 0),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 0),
        (ImportError("half an installation"), 5),
        (RecursionError(), 5),
        (UnicodeEncodeError("utf-8", os.fsdecode(b"\xff"), 0, 1, "surrogates not allowed"), 2),
    ],
    ids=repr,
)
def test_whatever_ends_a_program_has_an_exit_code(error: BaseException | None, code: int) -> None:
    assert outcome_of(lambda: ending(error)) == code


def test_the_traceback_of_a_fault_is_shown_on_demand(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOGOS_DEBUG", "1")

    assert outcome_of(lambda: ending(ZeroDivisionError("oops"))) == 5

    assert "Traceback (most recent call last)" in capfd.readouterr().err
