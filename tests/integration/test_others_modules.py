"""Modules by others on a node of processes: they call each other and storage, and may be killed."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import pytest

from logos.kernel.v1 import (
    capability_pb2,
    installer_pb2,
    module_pb2,
)
from logos_module.conformance import CHECKS, Check, name_of, prove, subject_of
from logos_module.errors import reason_of
from logos_testnet.opening import Description, Places
from logos_testnet.testnet import Testnet
from others_modules import (
    GUESTBOOK,
    TALLY,
    TIMEOUT_S,
    Door,
    assert_that_they_call_each_other,
    build_tally,
    door_of,
    guestbook_pb2,
    tally_pb2,
    topology_of,
)
from own_topology import ROOT, claim_ports, running

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

KILLS = 20
CALLERS = 4
CALLS_BETWEEN = 50
"""Right answers after each kill, before the next."""


@pytest.fixture(scope="module")
def tally(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tally(tmp_path_factory.mktemp("tally"))


@pytest.fixture(scope="module")
def node(tally: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testnet]:
    """One node, with the two."""
    folder = tally.parent
    text = topology_of("others", claim_ports(), "", f'folder = "{tally.name}"')
    places = Places(folder, tmp_path_factory.mktemp("state"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(GUESTBOOK / "src"))
        description = Description(text, "others.toml", base=folder)
        with running(description, places, "processes") as opened:
            yield opened


@pytest.fixture
async def door(node: Testnet) -> AsyncIterator[Door]:
    async with door_of(node) as opened:
        yield opened


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
@pytest.mark.parametrize("module", ["guestbook", "tally"])
async def test_they_keep_the_contract(module: str, check: Check, tally: Path) -> None:
    await prove(check, subject_of(GUESTBOOK if module == "guestbook" else tally))


@pytest.mark.parametrize("check", CHECKS, ids=name_of)
async def test_ours_keep_it_too(check: Check) -> None:
    """Storage calls mixnet from its start on."""
    mixnet, storage = (subject_of(ROOT / "services" / name) for name in ("mixnet", "storage"))

    await prove(check, mixnet)
    await prove(check, storage, beside=[mixnet])


@pytest.mark.parametrize("module", [GUESTBOOK, TALLY], ids=["guestbook", "tally"])
def test_their_committed_code_is_what_the_contracts_generate(
    module: Path, tmp_path: Path, tally: Path
) -> None:
    environment = os.environ | {"PYTHON_BIN": str(Path(sys.executable).parent)}

    subprocess.run([str(module / "generate"), str(tmp_path)], env=environment, check=True)

    committed = module / ("src" if module is GUESTBOOK else "gen")
    fresh = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert fresh
    for path in fresh:
        assert (committed / path.relative_to(tmp_path)).read_bytes() == path.read_bytes(), path


async def test_they_call_each_other_and_storage(door: Door) -> None:
    await assert_that_they_call_each_other(door)


async def test_an_error_keeps_its_reason_through_both(door: Door) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as empty:
        await door.tally.Count(tally_pb2.CountRequest(), timeout=TIMEOUT_S)
    with pytest.raises(grpc.aio.AioRpcError) as wrong:
        await door.tally.Count(tally_pb2.CountRequest(cid="zzz"), timeout=TIMEOUT_S)

    assert reason_of(empty.value) == "CONTENT_MISSING"
    assert reason_of(wrong.value).startswith("CID_"), "storage says it, and tally passes it on"


@pytest.mark.parametrize(
    ("caller", "target", "method", "allowed"),
    [
        ("guestbook", "tally", "tally.v1.Tally/Count", True),
        ("guestbook", "tally", "tally.v1.Tally/Report", False),
        ("tally", "guestbook", "guestbook.v1.Guestbook/List", True),
        ("tally", "guestbook", "guestbook.v1.Guestbook/Sign", False),
        ("tally", "storage", "logos.storage.v1.Storage/Delete", False),
        ("tally", "mixnet", "logos.network.v1.Gossip/Publish", False),
    ],
)
async def test_they_may_call_what_their_manifests_declare(
    door: Door, caller: str, target: str, method: str, *, allowed: bool
) -> None:
    request = capability_pb2.ExplainRequest(module=caller, target=target, method=method)

    explained = await door.capability.Explain(request, timeout=TIMEOUT_S)

    assert explained.allowed is allowed, explained.rule


async def test_killed_20_times_under_load_it_gives_no_wrong_answer(door: Door) -> None:
    """The module in Python is its caller: it may be asked to try again, and nothing else."""
    outcomes: Counter[str] = Counter()
    over = asyncio.Event()

    async def call(number: int) -> None:
        while not over.is_set():
            number += 1
            words = number % 50 + 1
            request = guestbook_pb2.MeasureRequest(text=" ".join(["word"] * words))
            try:
                answer = await door.guestbook.Measure(request, timeout=TIMEOUT_S)
            except grpc.aio.AioRpcError as error:
                outcomes[f"{error.code().name} {reason_of(error)}"] += 1
            else:
                outcomes["right" if answer.words == words else "wrong"] += 1

    async with asyncio.TaskGroup() as callers:
        for number in range(CALLERS):
            callers.create_task(call(number * 7))
        try:
            epochs = [await kill_and_await_next(door, outcomes) for _ in range(KILLS)]
        finally:
            over.set()

    assert epochs == list(range(epochs[0], epochs[0] + KILLS)), "each was one start"
    assert outcomes.keys() <= {"right", "UNAVAILABLE NEIGHBOUR_AWAY"}, outcomes
    assert outcomes["right"] >= KILLS * CALLS_BETWEEN


async def kill_and_await_next(door: Door, outcomes: Counter[str]) -> int:
    """Kills the module in Go; returns the epoch of the next, once that has answered well."""
    before = await door.process_of("tally")
    os.kill(before.pid, signal.SIGKILL)
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            now = await door.process_of("tally")
            if now.epoch > before.epoch and now.state == module_pb2.MODULE_STATE_READY:
                break
            await asyncio.sleep(0.05)
        answered = outcomes["right"] + CALLS_BETWEEN
        while outcomes["right"] < answered:  # noqa: ASYNC110 -- other tasks count
            await asyncio.sleep(0.01)
    return now.epoch


async def test_no_call_of_theirs_fails_while_the_other_is_reloaded(
    door: Door, tmp_path: Path
) -> None:
    """KER-48, KER-52: each goes on at the address of the other's new process."""
    signed = await door.guestbook.Sign(guestbook_pb2.SignRequest(text="a b"), timeout=TIMEOUT_S)
    entry = guestbook_pb2.ReadRequest(cid=signed.cid)
    folder = tmp_path / "logos_guestbook"
    shutil.copytree(GUESTBOOK / "src" / "logos_guestbook", folder)
    manifest = (folder / "module.toml").read_text(encoding="utf-8")
    manifest = manifest.replace("exclusive = true\n", "").replace("0.1.0", "0.2.0", 1)
    (folder / "module.toml").write_text(manifest, encoding="utf-8")
    install = installer_pb2.InstallModuleRequest(directory=str(folder))
    await door.installer.InstallModule(install, timeout=TIMEOUT_S)
    upgrade = installer_pb2.UpgradeModuleRequest(module="guestbook", version="0.2.0")
    begun = await door.installer.UpgradeModule(upgrade, timeout=TIMEOUT_S)
    assert begun.operation.phase == installer_pb2.UPGRADE_PHASE_STOPPING, "it was exclusive"
    await _promoted(door, begun.operation)

    done: Counter[str] = Counter()
    over = asyncio.Event()

    async def read() -> None:  # the module in Python calls the one in Go
        while not over.is_set():
            assert (await door.guestbook.Read(entry, timeout=TIMEOUT_S)).words == 2
            done["read"] += 1

    async def report() -> None:  # and the other way
        while not over.is_set():
            assert (await door.tally.Report(tally_pb2.ReportRequest(), timeout=TIMEOUT_S)).words
            done["report"] += 1

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(read())
        tasks.create_task(report())
        for module in ("tally", "guestbook"):
            before = await door.process_of(module)
            reload = installer_pb2.ReloadModuleRequest(module=module)
            begun = await door.installer.ReloadModule(reload, timeout=TIMEOUT_S)
            assert begun.operation.phase == installer_pb2.UPGRADE_PHASE_BESIDE
            await _promoted(door, begun.operation)
            async with asyncio.timeout(TIMEOUT_S):
                while Path(f"/proc/{before.pid}").exists():  # noqa: ASYNC110, ASYNC240
                    await asyncio.sleep(0.05)
            reached = Counter(done)
            async with asyncio.timeout(TIMEOUT_S):
                while any(done[kind] < reached[kind] + 3 for kind in ("read", "report")):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            after = await door.process_of(module)
            assert (after.epoch, after.restart_count) == (before.epoch + 1, before.restart_count)
        over.set()


async def _promoted(door: Door, begun: installer_pb2.ModuleOperation) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            request = installer_pb2.GetOperationRequest(id=begun.id)
            found = (await door.installer.GetOperation(request, timeout=TIMEOUT_S)).operation
            if found.HasField("ended_at"):
                assert found.phase == installer_pb2.UPGRADE_PHASE_PROMOTED, found.why
                return
            await asyncio.sleep(0.05)
