"""Versions and upgrades by `logosctl module`: what it sends, waits for and prints."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_kernel import data, run, served
from grpc_status import rpc_status

from logos.kernel.v1 import installer_pb2 as pb
from logos.kernel.v1.installer_pb2_grpc import InstallerServicer, add_InstallerServicer_to_server
from logos_kernel.core.errors import RoleDeniedError
from logos_module.errors import to_status

BESIDE = pb.UPGRADE_PHASE_BESIDE
PROMOTED = pb.UPGRADE_PHASE_PROMOTED
ROLLED_BACK = pb.UPGRADE_PHASE_ROLLED_BACK


class Kernel(InstallerServicer):
    """An upgrade that is asked for three times before it has ended."""

    def __init__(self) -> None:
        self.address = ""
        self.asked: list[Any] = []
        self.end = PROMOTED

    def InstallModule(self, request: Any, context: Any) -> Any:  # noqa: N802
        error = RoleDeniedError("/opt/x is not below LOGOS_MODULES_DIR: only an admin may install")
        context.abort_with_status(rpc_status.to_status(to_status(error)))

    def operation(self, phase: pb.UpgradePhase.ValueType) -> pb.ModuleOperation:
        why = "" if phase == BESIDE else "so it is"
        return pb.ModuleOperation(
            id="ab", module="hello", from_version="0.1.0", to_version="0.2.0", phase=phase, why=why
        )

    def UpgradeModule(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked.append(request)
        return pb.UpgradeModuleResponse(operation=self.operation(BESIDE))

    def ReloadModule(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked.append(request)
        return pb.ReloadModuleResponse(operation=self.operation(BESIDE))

    def GetOperation(self, request: Any, context: Any) -> Any:  # noqa: N802
        assert request.id == "ab"
        self.asked.append(request)
        is_over = len(self.asked) > 3
        return pb.GetOperationResponse(operation=self.operation(self.end if is_over else BESIDE))


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    made = Kernel()
    with served(made, add_InstallerServicer_to_server):
        yield made


WORDS = [("upgrade", "hello", "0.2.0"), ("reload", "hello")]


@pytest.mark.parametrize("words", WORDS, ids=lambda words: words[0])
def test_it_does_not_wait_unless_it_is_told_to(kernel: Kernel, words: tuple[str, ...]) -> None:
    assert data(kernel, "module", *words)["phase"] == "beside"
    assert len(kernel.asked) == 1
    assert kernel.asked[0].module == "hello"
    assert len(kernel.asked[0].request_id) == 32


@pytest.mark.parametrize("words", WORDS, ids=lambda words: words[0])
def test_it_waits_until_the_upgrade_has_ended(kernel: Kernel, words: tuple[str, ...]) -> None:
    ended = run(kernel, "module", *words, "--wait")
    assert ended.exit_code == 0
    first, last = ended.stderr.splitlines()
    assert first.endswith("upgrade of hello to 0.2.0 is beside")
    assert last.endswith("upgrade of hello to 0.2.0 is promoted: so it is")
    assert len(kernel.asked) == 4


@pytest.mark.parametrize("words", WORDS, ids=lambda words: words[0])
def test_a_roll_back_that_was_waited_for_is_a_failure(
    kernel: Kernel, words: tuple[str, ...]
) -> None:
    kernel.end = ROLLED_BACK
    ended = run(kernel, "module", *words, "--wait", "--output", "json")
    assert ended.exit_code == 5
    record = json.loads(ended.stdout)
    assert (record["phase"], record["why"]) == ("rolled_back", "so it is")


def test_who_is_no_admin_is_told_what_is_missing(kernel: Kernel, tmp_path: Path) -> None:
    ended = run(kernel, "module", "install", str(tmp_path))
    assert ended.exit_code == 6
    assert "only an admin may install (ROLE_DENIED)" in ended.stderr
    assert "token of a higher role" in ended.stderr
