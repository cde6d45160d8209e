"""KER-14: damaged calls of every method that reflection names, of a node and of its modules.

`LOGOS_FUZZ_RPC_SECONDS` (4) says for how long; `LOGOS_FUZZ_SEED` repeats a run, but for how its
calls fall between one another. The testnet is its own: valid calls ban, publish and store.
"""

import asyncio
import json
import os
import secrets
import sys
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random  # noqa: TID251 - a seed repeats a run
from typing import Any, Final

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2

from integration.fuzzing import Method, Requests, methods_of
from kernel_tokens import credential_for
from logos.kernel.v1 import (
    installer_pb2,
    installer_pb2_grpc,
    kernel_pb2,
    kernel_pb2_grpc,
    module_pb2,
)
from logos.network.v1 import peering_pb2, peering_pb2_grpc
from logos.storage.v1 import storage_pb2, storage_pb2_grpc
from logos_base.capabilities import KERNEL
from logos_client.authorized import AuthorizedChannel, Bearer, Credential, Metadata
from logos_client.channels import open_channel, write
from logos_module.errors import reason_of
from logos_module.reflection import describe
from logos_testnet.layout import Layout, layout_of
from logos_testnet.opening import Description, Places
from logos_testnet.processes import find_processes
from logos_testnet.testnet import Testnet
from own_topology import claim_ports, running
from raw_calls import call_raw

SECONDS: Final = float(os.environ.get("LOGOS_FUZZ_RPC_SECONDS", "4"))

pytestmark = [
    pytest.mark.integration,
    pytest.mark.stress,
    pytest.mark.timeout(SECONDS + 600),
]

PORTS: Final = claim_ports()
TOPOLOGY: Final = f"""\
schema = 1
name = "fuzz"
node_count = 2
[ports]
front = {PORTS.front}
p2p = {PORTS.p2p}
hello-page = {PORTS.page}
[modules.mixnet]
[modules.storage]
[modules.storage.settings]
quota_bytes = 1073741824
[modules.delivery]
[modules.chain]
settings.preset = "ci"
[modules.hello]
"""
MODULES: Final = {"mixnet", "storage", "delivery", "chain", "hello"}
WORKERS: Final = 12
DEADLINES_S: Final = (0.001, 0.02, 0.2, 1.0)
HANG_S: Final = 60.0
GROWTH_BYTES: Final = 32 * 1024 * 1024
"""What a process may still grow by once it has seen a third of the calls."""
WARM_PART: Final = 1 / 3
MODULE_HOST: Final = "logos.module.v1.ModuleHost"
REFLECTION: Final = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
FAULTS: Final = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}
WITHDRAWING: Final = {
    "/logos.kernel.v1.Capability/RotateKey",
    "/logos.kernel.v1.Capability/SetGrant",
}
"""What takes rights away from others: tried last."""
STOPPING: Final = {
    "/logos.kernel.v1.Supervisor/StartModule",
    "/logos.kernel.v1.Supervisor/StopModule",
    "/logos.kernel.v1.Supervisor/RestartModule",
    "/logos.kernel.v1.Supervisor/KillModule",
    "/logos.kernel.v1.Installer/ReloadModule",
}
INSTALLED: Final = "fuzzed"
"""A module that is installed, loaded, upgraded and unloaded. What it requires does not exist, so
that it is never started."""
ODD_PATHS: Final = (
    b"",
    b"/",
    b"//",
    b"/\xff/\xc3",
    b"/logos.storage.v1.Storage/G\xffet",
    b"x" * 126,
)
ODD_VALUES: Final = (b"", b"\xff\xfe", b"\x01\x02", b"gr\xc3\xbc\xc3\x9fe", b"x" * 126)


@dataclass(frozen=True, slots=True)
class Target:
    """A server, and what it serves."""

    name: str
    address: str
    channel: grpc.aio.Channel
    credential: Credential
    methods: tuple[Method, ...]


@dataclass(slots=True)
class Findings:
    """What came out of the calls."""

    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Calls by code and reason."""
    methods: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def small(places: Places) -> Iterator[Testnet]:
    """Two nodes."""
    with running(Description(TOPOLOGY, "fuzz.toml"), places, "processes") as opened:
        yield opened


@pytest.fixture
def layout(places: Places) -> Layout:
    return layout_of(places.state_root, "fuzz")


@pytest.fixture
def versions(tmp_path: Path) -> list[str]:
    """Folders that two versions of a module can be installed from."""
    folders = [tmp_path / number for number in ("0.1.0", "0.2.0")]
    for folder in folders:
        folder.mkdir()
        manifest = f'name = "{INSTALLED}"\nversion = "{folder.name}"\n'
        manifest += 'command = ["true"]\nrequires = ["absent"]\n'
        (folder / "module.toml").write_text(manifest, encoding="utf-8")
    return [str(folder) for folder in folders]


async def test_damaged_calls_are_the_callers_fault(
    small: Testnet, layout: Layout, versions: list[str]
) -> None:
    seed = int(os.environ.get("LOGOS_FUZZ_SEED") or secrets.randbits(32))
    sys.stderr.write(f"LOGOS_FUZZ_SEED={seed}\n")
    node, bearer = small.plan.nodes[0], small.bearer
    assert bearer is not None
    withdrawing: list[Method] = []
    async with AsyncExitStack() as stack:

        async def target(
            name: str, address: str, credential: Credential, also: Sequence[str] = ()
        ) -> Target:
            opened = AuthorizedChannel(open_channel(address), credential)
            channel = await stack.enter_async_context(opened)
            every = await _methods(channel, also)
            withdrawing.extend(one for one in every if one.path in WITHDRAWING)
            methods = tuple(one for one in every if one.path not in WITHDRAWING)
            return Target(name, address, channel, credential, methods)

        targets = [await target("front door", node.front, Bearer(bearer))]
        door = targets[0].channel
        before = await _modules(door)
        inner = before[0].endpoint.rpartition("/")[0] + "/kernel.sock"
        state = layout.node(node.name) / KERNEL
        targets.append(await target("inner listener", inner, credential_for(KERNEL, state)))
        for module in before:
            credential = credential_for(module.name, state)
            targets.append(await target(module.name, module.endpoint, credential, [MODULE_HOST]))
        known = await _known(door, before)
        known |= {"module": [*known["module"], INSTALLED], "directory": versions}
        known["version"] += ["0.2.0"]

        warm, findings = Findings(), Findings()
        await _fuzz(targets, known, f"{seed}/warm", SECONDS * WARM_PART, warm)
        memory = _memory(layout)
        await _fuzz(targets, known, f"{seed}", SECONDS * (1 - WARM_PART), findings)

        last = [replace(targets[0], methods=tuple(withdrawing))]
        await _fuzz(last, known, f"{seed}/last", SECONDS / 10, findings)

        _tell(findings)
        assert warm.faults + findings.faults == []
        untried = {method.path for one in targets + last for method in one.methods}
        untried -= warm.methods | findings.methods
        assert not untried
        assert findings.answers["INVALID_ARGUMENT", "MALFORMED_REQUEST"]
        await _unload(door)
        after = await _modules(door)
        assert [_start_of(module) for module in after] == [_start_of(module) for module in before]
        grown = {name: size - memory[name] for name, size in _memory(layout).items()}
        sys.stderr.write(f"{ {name: size // 1024 for name, size in grown.items()} }\n")
        assert max(grown.values()) < GROWTH_BYTES, grown
        assert "\n".join(_log_faults(layout)) == ""


async def _fuzz(
    targets: list[Target],
    known: dict[str, list[str]],
    seed: str,
    seconds: float,
    findings: Findings,
) -> None:
    """Calls each method once, and then any, for `seconds` at least."""
    end_s = asyncio.get_running_loop().time() + seconds
    pairs = [(target, method) for target in targets for method in target.methods]
    Random(seed).shuffle(pairs)  # noqa: S311
    due = list({method.path: (target, method) for target, method in pairs}.values())
    async with asyncio.TaskGroup() as tasks:
        for worker in range(WORKERS):
            rng = Random(f"{seed}/{worker}")  # noqa: S311
            requests = Requests(rng, known)
            tasks.create_task(_work(targets, requests, rng, findings, due=due, end_s=end_s))


async def _work(
    targets: list[Target],
    requests: Requests,
    rng: Random,
    findings: Findings,
    *,
    due: list[tuple[Target, Method]],
    end_s: float,
) -> None:
    loop = asyncio.get_running_loop()
    while (due or loop.time() < end_s) and len(findings.faults) < 20:
        target = rng.choice(targets)
        if not due and rng.random() < 0.02:
            await _call_raw(target, rng, findings)
            continue
        target, method = due.pop() if due else (target, rng.choice(target.methods))
        messages = [requests.next(method) for _ in range(rng.choice((0, 1, 1, 1, 1, 3)))]
        messages = [raw for raw in messages if _is_harmless(method, raw)]
        call = _call(target.channel, method.path, messages, rng)
        text = f"{target.name} {method.path} {[raw[:300].hex() for raw in messages]}"
        try:
            async with asyncio.timeout(HANG_S):
                code, reason = await call
        except TimeoutError:
            findings.faults.append(f"hangs: {text}")
            continue
        findings.methods.add(method.path)
        findings.answers[code.name, reason] += 1
        if code in FAULTS:
            findings.faults.append(f"{code.name} {reason}: {text}")


async def _call(
    channel: grpc.aio.Channel, path: str, messages: list[bytes], rng: Random
) -> tuple[grpc.StatusCode, str]:
    """Makes a call as a stream in both directions, which every kind is on the wire."""
    metadata = (("x-odd", rng.choice(("", "a b", "~" * 500))), ("x-odd-bin", rng.randbytes(9)))
    leaves, stays = rng.random() < 0.1, rng.random() < 0.1
    call = channel.stream_stream(path)(timeout=rng.choice(DEADLINES_S), metadata=metadata)
    try:
        for message in messages:
            if not await write(call, message):
                break
        if leaves:
            call.cancel()
        elif not stays:
            with suppress(grpc.aio.InternalError, asyncio.InvalidStateError):
                await call.done_writing()
        async for _answer in call:
            pass
    except grpc.aio.AioRpcError as error:
        return error.code(), reason_of(error)
    except asyncio.CancelledError:
        if not leaves:
            raise
    return await call.code(), ""


async def _call_raw(target: Target, rng: Random, findings: Findings) -> None:
    method = rng.choice(target.methods).path.encode()
    path, value = rng.choice(((rng.choice(ODD_PATHS), b""), (method, rng.choice(ODD_VALUES))))
    if b"PrepareStop" in path or b"StartOver" in path:
        return
    metadata = [(b"x-odd", value), *_raw(target.credential.metadata(path.decode("latin1")[1:]))]
    status = await asyncio.to_thread(call_raw, target.address, path, b"\xff", metadata)
    findings.answers[str(status), "raw"] += 1
    if status in {fault.value[0] for fault in FAULTS}:
        findings.faults.append(f"{status}: {target.name} {path!r} {value!r}")


def _raw(metadata: Metadata) -> list[tuple[bytes, bytes]]:
    """Metadata as it is on the wire: that in bytes is base64."""
    return [
        (key.encode(), value.encode() if isinstance(value, str) else b64encode(value))
        for key, value in metadata
    ]


def _is_harmless(method: Method, raw: bytes) -> bool:
    """Whether a request asks for no process to be stopped, and no chain to be given up."""
    if method.path.endswith("/StartOver"):
        return False  # whatever its bytes are: the message is empty
    request = method.read(raw)
    if request is None:
        return True
    if method.path in STOPPING:
        return request.module not in MODULES
    return not method.path.endswith("/PrepareStop")


async def _modules(door: grpc.aio.Channel) -> list[module_pb2.Module]:
    kernel: Any = kernel_pb2_grpc.KernelStub(door)
    status = await kernel.GetStatus(kernel_pb2.GetStatusRequest(), timeout=HANG_S)
    assert status.ready
    return list(status.modules)


async def _unload(door: grpc.aio.Channel) -> None:
    """Removes the module that was installed, if it is loaded."""
    installer: Any = installer_pb2_grpc.InstallerStub(door)
    try:
        await installer.UnloadModule(
            installer_pb2.UnloadModuleRequest(module=INSTALLED), timeout=HANG_S
        )
    except grpc.aio.AioRpcError as error:
        if reason_of(error) != "MODULE_NOT_FOUND":
            raise


def _start_of(module: module_pb2.Module) -> tuple[str, int, int, int]:
    return module.name, module.pid, module.epoch, module.state


async def _known(door: grpc.aio.Channel, modules: list[module_pb2.Module]) -> dict[str, list[str]]:
    """What requests must name so that there is something to find."""
    peering: Any = peering_pb2_grpc.PeeringStub(door)
    listed = await peering.ListPeers(peering_pb2.ListPeersRequest(), timeout=HANG_S)
    return {
        "cid": [await _stored(door)],
        "peer_id": [peer.peer_id for peer in listed.peers],
        "address": [address for peer in listed.peers for address in peer.addresses],
        "module": [module.name for module in modules],
        "endpoint": [module.endpoint for module in modules],
        "services": [service for module in modules for service in module.services],
        "version": ["0.1.0"],
        "topic": ["fuzz"],
        "protocol": ["/fuzz/1"],
        "reason": ["fuzz"],
        "filename": ["fuzz"],
        "mimetype": ["text/plain"],
        "content_topic": ["/fuzz/1/fuzz/proto"],
        "content_topics": ["/fuzz/1/fuzz/proto"],
        "pubsub_topic": ["/waku/2/rs/66/0"],
        "channel_id": ["fuzz"],
    }


async def _stored(door: grpc.aio.Channel) -> str:
    """Stores a file; returns its CID, for requests that find something."""

    async def content() -> AsyncIterator[storage_pb2.PutRequest]:
        yield storage_pb2.PutRequest(header=storage_pb2.PutRequest.Header(filename="fuzz"))
        yield storage_pb2.PutRequest(data=bytes(200_000))

    storage: Any = storage_pb2_grpc.StorageStub(door)
    return str((await storage.Put(content(), timeout=HANG_S)).dataset.cid)


async def _methods(channel: grpc.aio.Channel, also: Sequence[str]) -> tuple[Method, ...]:
    """Asks a server for its methods."""
    listed = await _reflect(channel, reflection_pb2.ServerReflectionRequest(list_services=""))
    services = [one.name for one in listed.list_services_response.service]
    files: list[bytes] = []
    for service in services:
        request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=service)
        answer = await _reflect(channel, request)
        files += answer.file_descriptor_response.file_descriptor_proto
    for service in also:
        files += [file.SerializeToString() for file in describe([service]).file]
    return tuple(methods_of(files, [*services, *also]))


async def _reflect(channel: grpc.aio.Channel, request: Any) -> Any:
    method: Any = channel.stream_stream(
        REFLECTION,
        reflection_pb2.ServerReflectionRequest.SerializeToString,
        reflection_pb2.ServerReflectionResponse.FromString,
    )
    return await method(iter([request]), timeout=HANG_S).read()


def _memory(layout: Layout) -> dict[str, int]:
    """Resident bytes of every process, by what it is and its id."""
    sizes = {}
    for process in find_processes(layout.directory):
        pages = int(Path(f"/proc/{process.pid}/statm").read_text(encoding="ascii").split()[1])
        name = f"{process.node} {process.name} {process.pid}"
        sizes[name] = pages * os.sysconf("SC_PAGE_SIZE")
    return sizes


def _log_faults(layout: Layout) -> list[str]:
    """Traces in the logs, and more lines about damaged requests than one a second."""
    faults = []
    for path in sorted(layout.directory.glob("*/logs/*.log")):
        text = path.read_text(encoding="utf-8", errors="replace")
        lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        faults += [f"{path}: {line['exception']}" for line in lines if "exception" in line]
        faults += [f"{path}: Traceback"] if "\nTraceback" in text else []
        malformed = [line for line in lines if line["logger"].endswith(".malformed")]
        if len(malformed) > 2 * len({line["time"][:19] for line in malformed}):
            faults.append(f"{path}: {len(malformed)} lines about damaged requests")
    return faults


def _tell(findings: Findings) -> None:
    sys.stderr.write(f"{findings.answers.total()} calls\n")
    for (code, reason), count in findings.answers.most_common():
        sys.stderr.write(f"{count:8} {code} {reason}\n")
