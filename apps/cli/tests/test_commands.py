"""Commands that modules bring along are found where their sources are."""

from pathlib import Path

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from typer.testing import CliRunner

from logos_cli.commands import FoundPlaces, Place
from logos_cli.main import app
from logos_cli.messages import report_error

COMMAND = """
import typer

ADVICE = {"TOO_FAR": "come nearer"}

def command(context: typer.Context, name: str) -> None:
    '''Greets a person.'''
    print(f"hello {name}")
"""


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A part of the namespace of commands, in a folder of sources that was just added."""
    part = tmp_path / "logos_commands"
    part.mkdir()
    (part / "wave_to.py").write_text(COMMAND, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return part


def refused(reason: str) -> grpc.aio.AioRpcError:
    """A call that a node refused."""
    info = any_pb2.Any()
    info.Pack(error_details_pb2.ErrorInfo(reason=reason, domain="logos"))
    status = status_pb2.Status(code=9, message="it is far away", details=[info])
    trailing = grpc.aio.Metadata(("grpc-status-details-bin", status.SerializeToString()))
    code = grpc.StatusCode.FAILED_PRECONDITION
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, "it is far away")


def test_a_file_in_the_namespace_is_a_command(added: Path) -> None:
    listed = CliRunner().invoke(app, ["--help"])
    ended = CliRunner().invoke(app, ["wave-to", "Ada"])

    assert "wave-to" in listed.stdout
    assert "Greets a person." in listed.stdout
    assert (ended.exit_code, ended.stdout) == (0, "hello Ada\n")


def test_places_are_those_of_all_folders_of_sources(added: Path) -> None:
    places = FoundPlaces("logos_commands")

    assert {"module", "node", "peers", "storage", "token", "wave-to"} <= set(places)
    assert list(places) == sorted(places)
    assert len(places) == len(list(places))
    assert places["wave-to"] == Place("logos_commands.wave_to", "command")


def test_what_to_do_next_comes_with_the_command(
    added: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    CliRunner().invoke(app, ["wave-to", "Ada"])

    report_error(refused("TOO_FAR"))

    assert capfd.readouterr().err == "error: it is far away (TOO_FAR)\n  come nearer\n"


@pytest.mark.parametrize(
    "name", ["wave_to", "storage.transfers", "Storage", "", "no-such", "storage/", ".storage", "é"]
)
def test_a_name_that_is_no_command_is_not_found(added: Path, name: str) -> None:
    assert name not in FoundPlaces("logos_commands")
    assert CliRunner().invoke(app, [name]).exit_code == 2
