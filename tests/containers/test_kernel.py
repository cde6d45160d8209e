"""kernel.md 14 on containers: what a sceptic would try, with a kernel behind the broker."""

import asyncio
import base64
import json
import re
import secrets
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest

from logos.kernel.v1 import capability_pb2, module_pb2, settings_pb2, supervisor_pb2
from logos_testnet.container_testnet import ContainerTestnet
from logos_testnet.engine import run_docker
from logos_testnet.progress import silent
from unruly_node import (
    BACKOFF,
    FAILED,
    IMAGE,
    MODULES,
    PROJECT,
    STEP_S,
    STOPPED,
    UnrulyNode,
    container,
    inspected,
    running_containers,
    told,
    unruly_node,
)

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1800)]

NAMES = ("../base", "b" * 65, "", "base\0", "bаse", "Base", "base ")  # noqa: RUF001 - meant
KERNEL = container("kernel")
STEPS = ("kill", "engine kill", "kernel", "stop", "start", "restart", "set")
SHOW = """
import base64, sys
for path in sys.argv[1:]:
    print(base64.b64encode(open(path, "rb").read()).decode())
"""


@pytest.fixture(scope="module")
def testnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerTestnet]:
    with unruly_node(tmp_path_factory.mktemp("unruly")) as opened:
        yield opened
    mine = f"label=com.docker.compose.project={PROJECT}"
    for words in (["ps", "--all"], ["network", "ls"], ["volume", "ls"]):
        assert asyncio.run(run_docker([*words, "--quiet", "--filter", mine])) == ""


@pytest.fixture
async def node(testnet: ContainerTestnet) -> AsyncIterator[UnrulyNode]:
    """The node, with all modules READY."""
    async with UnrulyNode(testnet, testnet.plan.nodes[0].front).door() as node:
        await node.heal()
        yield node


async def test_a_crash_is_told_and_mended(node: UnrulyNode) -> None:
    """kernel.md 14.1."""
    before = await node.modules()
    request = supervisor_pb2.WatchTransitionsRequest()
    watching = node.supervisor.WatchTransitions(request)

    await node.kill("base", signal.SIGSEGV)

    after = await node.until_again(before["base"])
    assert after.restart_count == before["base"].restart_count + 1
    assert (await node.exits("base"))[0].signal == signal.SIGSEGV
    assert (await node.modules())["top"].epoch == before["top"].epoch
    states: list[str] = []
    async with asyncio.timeout(STEP_S):
        while not states or states[-1] != "READY":
            one = (await watching.read()).transition
            if one.module == "base":
                states.append(module_pb2.ModuleState.Name(one.new).removeprefix("MODULE_STATE_"))
    assert states == ["BACKOFF", "STARTING", "REGISTERED", "READY"]
    watching.cancel()


async def test_what_hangs_or_is_unwell_is_restarted(node: UnrulyNode) -> None:
    """kernel.md 14.2."""
    before = (await node.modules())["base"]
    await node.kill("base", signal.SIGSTOP)
    after = await node.until_again(before)
    assert after.last_exit == "no heartbeat for 5 s"

    await node.set("base", mode="unwell")
    try:
        await node.until("base", lambda now: now.epoch >= after.epoch + 2)
    finally:
        await node.set("base", mode="well")
    reasons = {one.reason for one in await node.exits("base")}
    assert module_pb2.TRANSITION_REASON_NOT_SERVING in reasons


async def test_what_keeps_failing_fails_and_is_revived(node: UnrulyNode) -> None:
    """kernel.md 14.3: two restarts, then FAILED and at rest; a reset revives it."""
    before = (await node.modules())["crash"]

    await node.set("crash", mode="exits")
    failed = await node.until("crash", lambda now: now.state == FAILED)

    assert failed.restart_count == before.restart_count + 2
    assert await inspected("{{.State.Running}}", container("crash")) == "false"
    assert [one.code for one in (await node.exits("crash"))[:3]] == [1, 1, 1]
    reset = supervisor_pb2.ResetFailedRequest(module="crash")
    await node.supervisor.ResetFailed(reset)
    await node.until("crash", lambda now: now.epoch > failed.epoch and now.state == FAILED)
    await node.set("crash", mode="well")  # the cause is mended
    await node.until_again(failed)


async def test_an_operator_kills_a_container(node: UnrulyNode) -> None:
    """KER-45."""
    before = await node.modules()

    await node.supervisor.KillModule(supervisor_pb2.KillModuleRequest(module="base"))

    await node.until_again(before["base"])
    killed = (await node.exits("base"))[0]
    assert (killed.signal, killed.reason) == (signal.SIGKILL, module_pb2.TRANSITION_REASON_KILLED)
    assert (await node.modules())["top"].epoch == before["top"].epoch


async def test_policies_say_what_is_restarted(node: UnrulyNode) -> None:
    """kernel.md 14.4."""
    before = await node.modules()

    await node.set("lazy", mode="leaves")
    left = await node.until("lazy", lambda now: now.state == STOPPED)
    assert left.epoch == before["lazy"].epoch + 1
    assert (await node.exits("lazy"))[0].code == 0
    await node.kill("once", signal.SIGKILL)
    failed = await node.until("once", lambda now: now.state == FAILED)
    assert failed.epoch == before["once"].epoch

    await node.kill("slow", signal.SIGKILL)
    await node.until("slow", lambda now: now.state == BACKOFF)
    await node.stop("slow")
    stopped = await node.until("slow", lambda now: now.state == STOPPED)
    assert stopped.epoch == before["slow"].epoch

    await node.set("lazy", mode="well")
    for name in ("lazy", "once", "slow"):
        await node.start(name)


async def test_groups_are_restarted_by_their_strategy(node: UnrulyNode) -> None:
    """kernel.md 14.5."""
    before = await node.modules()

    await node.kill("second", signal.SIGKILL)
    await node.kill("left", signal.SIGKILL)
    after = {
        name: await node.until_again(before[name]) for name in ("second", "third", "left", "right")
    }

    assert after["second"].since.ToNanoseconds() <= after["third"].since.ToNanoseconds()
    assert (await node.modules())["first"].epoch == before["first"].epoch


async def test_a_kill_for_want_of_memory_says_so(node: UnrulyNode) -> None:
    """kernel.md 14.6."""
    before = await node.modules()

    await node.set("loner", mode="hogs")
    await node.until("loner", lambda now: now.epoch >= before["loner"].epoch + 2)
    await node.set("loner", mode="well")

    assert any(one.out_of_memory for one in await node.exits("loner"))
    after = await node.modules()
    others = MODULES.keys() - {"loner"}
    assert {name: after[name].epoch for name in others} == {
        name: before[name].epoch for name in others
    }


async def test_modules_go_on_without_their_kernel(node: UnrulyNode) -> None:
    """kernel.md 14.7."""
    before = await node.modules()
    await node.until_calling()
    _, failed = await node.calls()

    await run_docker(["kill", KERNEL])
    await node.until_calling(100)
    await node.testnet.up(silent)

    after = await node.until_all_ready()
    await node.until_calling()
    assert (await node.calls())[1] == failed
    seen = {name: (one.epoch, one.pid) for name, one in after.items()}
    assert seen == {name: (one.epoch, one.pid) for name, one in before.items()}


async def test_a_second_kernel_on_one_volume_is_refused(node: UnrulyNode) -> None:
    """kernel.md 14.8."""
    variables = json.loads(await inspected("{{json .Config.Env}}", KERNEL))
    image = await inspected("{{.Config.Image}}", KERNEL)
    given = [word for variable in variables for word in ("--env", variable)]
    confined = ["--network", "none", "--read-only", "--tmpfs", "/tmp"]  # noqa: S108 - in a container
    words = ["run", "--rm", "--volumes-from", KERNEL, *confined, *given, image]

    said = await told(*words, accepted=(2,))

    assert "STATE_LOCKED" in said
    host = await inspected("{{.Config.Hostname}}", KERNEL)
    assert re.search(rf"another kernel runs on /data: pid \d+ on {host}", said)


async def test_desired_states_outlive_a_reboot(node: UnrulyNode) -> None:
    """kernel.md 14.9: an engine starts kernels and the broker again, as at the machine's boot."""
    await node.stop("lazy")
    await node.until("lazy", lambda now: now.state == STOPPED)
    listed = await run_docker(["ps", "--quiet", "--filter", f"name={PROJECT}-"])
    before = await node.modules()

    await run_docker(["kill", *listed.split()])
    await run_docker(["start", f"{PROJECT}-broker-1", KERNEL])

    for name in MODULES.keys() - {"lazy"}:
        await node.until_again(before[name])
    assert (await node.modules())["lazy"].state == STOPPED
    await node.start("lazy")


async def test_any_history_ends_well(node: UnrulyNode) -> None:
    """kernel.md 14.10: faults and requests at random; then all is READY, and no more runs."""
    steps: list[str] = []
    for _ in range(15):
        name, step = secrets.choice(sorted(MODULES)), secrets.choice(STEPS)
        steps.append(f"{step} {name}")
        await _step(node, step, name)
    await node.heal()

    expected = {container(name) for name in (*MODULES, "kernel")} | {f"{PROJECT}-broker-1"}
    assert await running_containers() == expected, steps
    log = await told("logs", KERNEL)
    assert "kernel failed" not in log, steps


async def _step(node: UnrulyNode, step: str, name: str) -> None:
    running = await inspected("{{.State.Running}}", container(name)) == "true"
    try:
        match step:
            case "kill" if running:
                await node.kill(name, signal.SIGKILL)
            case "engine kill" if running:
                await run_docker(["kill", container(name)], accepted=(0, 1))
            case "kernel":
                await _kill_kernel(node)
            case "stop":
                request = supervisor_pb2.StopModuleRequest(module=name, cascade=True)
                await node.supervisor.StopModule(request)
            case "start":
                await node.start(name)
            case "restart":
                request = supervisor_pb2.RestartModuleRequest(module=name)
                await node.supervisor.RestartModule(request)
            case "set":
                await node.set(name, number=1)
    except grpc.aio.AioRpcError as error:
        assert error.code() in {  # noqa: PT017 - all else is a fault
            grpc.StatusCode.FAILED_PRECONDITION,
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.ABORTED,
        }, error


async def _kill_kernel(node: UnrulyNode) -> None:
    """Ends once the engine has started it again: until then nothing more can be done to it."""
    before = await inspected("{{.State.StartedAt}}", KERNEL)
    await node.kill("kernel", signal.SIGKILL)
    async with asyncio.timeout(STEP_S):
        while await inspected("{{.State.StartedAt}}", KERNEL) == before:  # noqa: ASYNC110 - remote
            await asyncio.sleep(0.1)
    await node.modules()


async def test_a_name_takes_its_secret_and_its_epoch(node: UnrulyNode) -> None:
    """kernel.md 14.14 and 14.28: from inside a module's container."""
    before = (await node.modules())["top"]
    restart = supervisor_pb2.RestartModuleRequest(module="top")
    await node.supervisor.RestartModule(restart)
    await node.until_again(before)
    listen = await node.in_container("base", "printenv", "LOGOS_LISTEN")
    hostile = ("python", "/opt/logos/module/hostile.py", "base", listen.strip())

    came_of = json.loads(await node.in_container("top", *hostile))

    assert came_of == {
        "another's name": "JOIN_REFUSED",
        "a guessed secret": "JOIN_REFUSED",
        "an old epoch": "STALE_EPOCH",
        "no token": "TOKEN_MISSING",
        "a forged token": "TOKEN_INVALID",
    }
    noted = {(action, outcome) for action, _, outcome in await node.audit()}
    assert ("module.join", "JOIN_REFUSED") in noted


@pytest.mark.parametrize("name", NAMES, ids=ascii)
async def test_a_name_that_is_none_is_refused(node: UnrulyNode, name: str) -> None:
    """kernel.md 14.16."""
    calls = [
        node.supervisor.StopModule(supervisor_pb2.StopModuleRequest(module=name)),
        node.supervisor.StartModule(supervisor_pb2.StartModuleRequest(module=name)),
        node.supervisor.RestartModule(supervisor_pb2.RestartModuleRequest(module=name)),
        node.supervisor.ListExits(supervisor_pb2.ListExitsRequest(module=name)),
        node.supervisor.StreamLogs(supervisor_pb2.StreamLogsRequest(module=name)).read(),
        node.settings.GetSettings(settings_pb2.GetSettingsRequest(module=name)),
    ]
    for call in calls:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call
        assert refused.value.code().name in {"NOT_FOUND", "INVALID_ARGUMENT"}


async def test_what_is_not_declared_is_denied_and_explained(node: UnrulyNode) -> None:
    """kernel.md 14.27."""
    method = "test.base.Echo/UnaryUnary"

    async def explained(caller: str) -> Any:
        request = capability_pb2.ExplainRequest(module=caller, target="base", method=method)
        return await node.capability.Explain(request)

    assert (await explained("top")).allowed
    denied = await explained("loner")
    assert (denied.allowed, "loner" in denied.rule) == (False, True)
    before = (await node.modules())["loner"]
    await node.set("loner", tries="base")
    await node.until_again(before)
    show = ("sh", "-c", "until cat /data/tried 2>/dev/null; do sleep 0.1; done")
    assert await node.in_container("loner", *show) == "POLICY_DENIED"
    await node.set("loner", tries=None)


async def test_a_refusal_ends_calls_and_is_taken_back(node: UnrulyNode) -> None:
    """kernel.md 14.28."""
    await node.until_calling()
    grant = capability_pb2.Grant(caller="top", target="base", methods=["*"], refuse=True)
    await node.capability.SetGrant(capability_pb2.SetGrantRequest(grant=grant))
    _, failed = await node.calls()
    await node.until_calls(lambda _, now: now >= failed + 20)

    request = capability_pb2.DeleteGrantRequest(caller="top", target="base", refuse=True)
    await node.capability.DeleteGrant(request)

    await node.until_calling()


async def test_secrets_are_in_their_files_alone(node: UnrulyNode) -> None:
    """kernel.md 14.29: not in what the engine tells of containers and images, nor in logs."""
    joins = (await run_docker(["exec", KERNEL, "find", "/join", "-type", "f"])).split()
    files = ["/data/master.key", "/operator/token", "/broker/secret", *joins]
    said = await run_docker(["exec", KERNEL, "python", "-c", SHOW, *files])
    kept = [base64.b64decode(line) for line in said.split()]
    assert len(kept) == 3 + len(MODULES)
    names = [container(name) for name in (*MODULES, "kernel")] + [f"{PROJECT}-broker-1"]
    image = await inspected("{{.Config.Image}}", KERNEL)

    shown = [await run_docker(["inspect", *names]), await run_docker(["image", "inspect", IMAGE])]
    shown.append(await run_docker(["history", "--no-trunc", image]))
    shown += [await told("logs", name) for name in names]

    for secret in kept:
        plain = secret.strip().decode("latin-1")
        for form in (plain, secret.hex(), base64.b64encode(secret).decode().rstrip("=")):
            assert not any(form in text for text in shown)


async def test_sigterm_ends_all_in_order(node: UnrulyNode) -> None:
    """kernel.md 14.39. The last test of the file: it leaves the node stopped."""
    await node.until_calling()

    await run_docker(["stop", "--time", "60", KERNEL])

    assert await inspected("{{.State.ExitCode}}", KERNEL) == "0"
    for name in MODULES:
        state = await inspected("{{.State.Running}} {{.State.ExitCode}}", container(name))
        assert state == "false 0", name
    ended = {
        name: await inspected("{{.State.FinishedAt}}", container(name)) for name in ("base", "top")
    }
    assert ended["top"] < ended["base"]
