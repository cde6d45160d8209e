"""The scenarios, on containers, and what only containers must obey."""

import asyncio
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect, sync_playwright

from browser.conftest import LIVE, App, watched
from browser.launching import CHROMIUM
from logos_testnet.compose import project_name
from logos_testnet.container_testnet import ContainerTestnet
from logos_testnet.engine import run_docker
from logos_testnet.opening import Places
from logos_testnet.plan import CONTAINER_FRONT_PORT, CONTAINER_GRPC_PORT
from logos_testnet.scenarios.catalogue import EVERY, Scenario
from own_topology import ROOT, described, running

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1800)]

NAME = "containers"
LOOK_AROUND = (
    "cat /proc/self/status; touch /x 2>&1; id -u; "
    "for name in gcc cc ld cargo rustc maturin; do which $name; done; true"
)
CONNECT = """
import socket, sys
for address in sys.argv[1:]:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
        print(address)
    except OSError:
        pass
"""


@pytest.fixture(scope="module")
def testnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerTestnet]:
    """Five nodes in containers; nothing of them stays."""
    places = Places(ROOT, tmp_path_factory.mktemp("state"))
    with running(described(NAME), places, "containers") as opened:
        assert isinstance(opened, ContainerTestnet)
        yield opened
    assert asyncio.run(_remains()) == {"container": "", "network": "", "volume": ""}


@pytest.mark.parametrize("scenario", EVERY, ids=lambda scenario: scenario.__name__)
async def test_containers_withstand(testnet: ContainerTestnet, scenario: Scenario) -> None:
    await scenario(testnet)


async def test_no_address_of_another_node_answers_a_storage(testnet: ContainerTestnet) -> None:
    first, second = testnet.plan.nodes[:2]
    assert first.networks is not None
    assert second.networks is not None
    hosts = [
        second.networks.kernel,
        second.networks.front_kernel,
        second.networks.mesh,
        first.networks.mesh,
        *(module.address for module in second.modules),
    ]
    declared = [port for module in second.modules for port in module.ports.values()]
    ports = (CONTAINER_GRPC_PORT, CONTAINER_FRONT_PORT, *declared)
    strange = [f"{host}:{port}" for host in hosts for port in ports]
    own = f"{first.networks.kernel}:{CONTAINER_GRPC_PORT}"

    said = await testnet.compose(
        "exec", "-T", f"{first.name}-storage", "python", "-c", CONNECT, own, *strange
    )

    assert said.split() == [own]


async def test_the_limits_hold_inside_the_containers(testnet: ContainerTestnet) -> None:
    for module in ("kernel", *(each.name for each in testnet.plan.nodes[0].modules)):
        said = await testnet.compose("exec", "-T", f"node1-{module}", "sh", "-c", LOOK_AROUND)
        fields = dict(line.split(":\t", 1) for line in said.splitlines() if ":\t" in line)

        assert int(fields["CapEff"].strip(), 16) == 0
        assert fields["NoNewPrivs"].strip() == "1"
        assert fields["Seccomp"].strip() == "2"
        assert "Read-only file system" in said
        assert said.splitlines()[-1] == "65532"


async def test_logs_are_reported_by_node_and_module(testnet: ContainerTestnet) -> None:
    lines = [
        line
        async for line in testnet.log_lines(
            nodes=["node2"], module="mixnet", tail=1000, follow=False
        )
    ]

    assert {(line.node, line.module) for line in lines} == {("node2", "mixnet")}
    assert any('"message": "ready"' in line.text for line in lines)


def test_the_app_s_tour_and_fault_verbs_work_in_a_browser(testnet: ContainerTestnet) -> None:
    app = App(testnet)
    app.start()
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]) as browser,
        browser.new_context() as context,
        watched(context) as errors,
    ):
        page = context.new_page()
        page.goto(app.link())
        page.wait_for_url("**/testnet")
        expect(page.locator("#says")).to_have_text("All five nodes are joined.")
        page.goto(f"{app.address}/at/node1/files/")  # scenarios may have done the tour's step
        page.wait_for_selector(LIVE)
        page.click("button:has-text('Store a sample')")
        page.click("#notices a:has-text('Open it')")
        page.wait_for_selector(LIVE)
        page.click("button:has-text('Fetch it on node4')")
        expect(page.locator("#tour .done", has_text="store a file")).to_be_visible()

        page.goto(f"{app.address}/nodes/node2/modules/storage")
        page.wait_for_selector(LIVE)
        page.click("button:has-text('Restart')")
        expect(page.locator("#log-lines li").last).to_contain_text("ready")

        page.goto(f"{app.address}/testnet")
        page.wait_for_selector(LIVE)
        page.click("#card-node5 button:has-text('Isolate')")
        expect(page.locator("#says")).to_contain_text("node5 is isolated")
        page.click("#card-node5 button:has-text('Heal')")
        expect(page.locator("#says")).to_have_text("All five nodes are joined.")
    assert errors == []


async def _remains() -> dict[str, str]:
    mine = f"label=com.docker.compose.project={project_name(NAME)}"
    return {
        kind: (await run_docker([*words, "--quiet", "--filter", mine])).strip()
        for kind, words in {
            "container": ["ps", "--all"],
            "network": ["network", "ls"],
            "volume": ["volume", "ls"],
        }.items()
    }
