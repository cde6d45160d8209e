"""Adding a module is one folder in services/ and one table in a topology: on containers."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from logos_testnet.container_testnet import ContainerTestnet
from logos_testnet.engine import run_docker
from logos_testnet.errors import GenesisError
from logos_testnet.layout import layout_of
from logos_testnet.opening import Description, Places, open_testnet, remember
from logos_testnet.progress import silent
from own_module import NAME, add_module, copy_checkout, greeting
from own_topology import PortBlock, claim_ports

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1800)]

IMAGE = f"logos/{NAME}:0.1.0"
LIST = "find /genesis -type f | sort; touch /genesis/public/mark /genesis/private/mark 2>&1; true"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the checkout with the module in its services/."""
    folder = copy_checkout(tmp_path_factory.mktemp("checkout"))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(add_module(folder))
        yield folder


@pytest.fixture(scope="module")
def ports() -> PortBlock:
    return claim_ports()


@pytest.fixture(scope="module")
def testnet(
    checkout: Path, ports: PortBlock, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ContainerTestnet]:
    """Two nodes with that module and no other; purged at the end."""
    opened = opened_with(checkout, tmp_path_factory.mktemp("state"), ports, node_count=2)
    try:
        asyncio.run(opened.up(silent))
        yield opened
    finally:
        asyncio.run(opened.down(silent, purge=True))
        asyncio.run(run_docker(["image", "rm", "--force", IMAGE]))
    mine = f"label=com.docker.compose.project=logos-{NAME}"
    for kind in ("network", "volume"):
        assert asyncio.run(run_docker([kind, "ls", "--quiet", "--filter", mine])) == ""


def opened_with(
    checkout: Path, state: Path, ports: PortBlock, *, node_count: int
) -> ContainerTestnet:
    text = (
        f'schema = 1\nname = "{NAME}"\nnode_count = {node_count}\n'
        f"[ports]\nfront = {ports.front}\nweb = {ports.p2p}\n"
        f'[containers]\nsubnet = "{ports.subnet}"\n[modules.{NAME}]\n'
    )
    description = Description(text, "greeter.toml")
    places = Places(checkout, state)
    opened = open_testnet(description, places, runtime="containers")
    assert isinstance(opened, ContainerTestnet)
    layout_of(state, NAME).directory.mkdir(parents=True, exist_ok=True)
    remember(description, opened, places)
    return opened


async def shell(testnet: ContainerTestnet, service: str, command: str) -> list[str]:
    return (await testnet.compose("exec", "-T", service, "sh", "-c", command)).splitlines()


async def test_its_containers_see_their_own_genesis_and_answer(testnet: ContainerTestnet) -> None:
    secrets = set()
    for node in testnet.plan.nodes:
        service = f"{node.name}-{NAME}"
        lines = await shell(testnet, service, LIST)
        assert lines[:3] == [
            "/genesis/private/secret",
            "/genesis/public/.genesis.json",
            "/genesis/public/names",
        ]
        assert sum("Read-only file system" in line for line in lines) == 2
        assert await shell(testnet, service, "cat /genesis/public/names") == ["node1 node2"]
        secret = (await shell(testnet, service, "cat /genesis/private/secret"))[0]
        assert secret.startswith(f"{node.name}: ")
        assert await greeting(node.front, "Ada", testnet.bearer) == f"Ada meets {secret}"
        secrets.add(secret)
        assert await shell(testnet, f"{node.name}-kernel", "find /genesis -type f") == []
    assert len(secrets) == 2


async def test_its_container_has_the_limits_that_it_named(testnet: ContainerTestnet) -> None:
    configuration = await testnet.configuration()

    assert int(configuration["services"][f"node1-{NAME}"]["mem_limit"]) == 256 * 1024**2


ASK = """
import socket, sys, urllib.request
try:
    if sys.argv[1].startswith("http"):
        print(urllib.request.urlopen(sys.argv[1], timeout=3).read().decode())
    else:
        socket.create_connection((sys.argv[1], int(sys.argv[2])), 3).close()
        print("reached")
except OSError as error:
    print("not reached")
"""


async def test_its_page_is_on_the_network_of_the_front_door_and_it_has_no_way_out(
    testnet: ContainerTestnet,
) -> None:
    """ADR 30."""
    page = testnet.plan.nodes[0].modules[0].panel

    async def ask(service: str, *words: str) -> str:
        asked = await testnet.compose("exec", "-T", service, "python", "-c", ASK, *words)
        return asked.strip()

    # The kernel stands where the app does.
    assert await ask("node1-kernel", f"http://{page}/") == "<h1>Greeter</h1>"
    assert await ask("node2-kernel", f"http://{page}/") == "not reached"
    for service in (f"node1-{NAME}", "node1-kernel"):
        assert await ask(service, "1.1.1.1", "53") == "not reached"
    assert await greeting(testnet.plan.nodes[0].front, "Ada", testnet.bearer)


async def test_compose_alone_makes_a_genesis_once(testnet: ContainerTestnet) -> None:
    service, show = f"node2-{NAME}", "cat /genesis/private/secret"
    first = await shell(testnet, service, show)

    await testnet.compose("down", "--volumes")
    await testnet.compose("up", "--wait", "--detach")
    second = await shell(testnet, service, show)
    await testnet.compose("down")
    await testnet.compose("up", "--wait", "--detach")
    third = await shell(testnet, service, show)

    assert first != second == third


async def test_a_genesis_is_not_that_of_nodes_that_came_later(
    testnet: ContainerTestnet, checkout: Path, ports: PortBlock, tmp_path: Path
) -> None:
    larger = opened_with(checkout, tmp_path, ports, node_count=3)

    with pytest.raises(GenesisError, match="made for node1, node2, and not for node3"):
        await larger.up(silent)

    # Compose alone may have made the testnet anew, and with it the operator's token.
    (bearer,) = await shell(testnet, "node1-kernel", "logos-token")
    for node in testnet.plan.nodes:  # untouched
        assert (await greeting(node.front, "Ada", bearer)).startswith(f"Ada meets {node.name}: ")
