"""What every service of the compose file must say: read as the engine reads it."""

import json
import subprocess
from typing import Any

import pytest

from logos_client.token_file import BEARER
from logos_testnet.manifests import load_manifests
from logos_testnet.opening import described_by
from logos_testnet.plan import Plan, container_plan
from own_topology import ROOT

pytestmark = [pytest.mark.containers]

FORBIDDEN = {"privileged", "cap_add", "pid", "ipc", "network_mode", "devices", "container_name"}
JOBS = {"genesis.mixnet", "genesis.chain"}


@pytest.fixture(scope="module")
def plan() -> Plan:
    topology = described_by(ROOT / "deploy/topologies/small.toml").topology()
    return container_plan(topology, load_manifests(topology), None)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    done = subprocess.run(
        ["docker", "compose", "config", "--format", "json"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return dict(json.loads(done.stdout))


def targets(service: dict[str, Any], *, read_only: bool = False) -> set[str]:
    """Returns where a service mounts volumes, or those that it cannot write."""
    volumes = service["volumes"]
    return {v["target"] for v in volumes if v.get("read_only", False) or not read_only}


def test_every_service_is_confined(compose: dict[str, Any], plan: Plan) -> None:
    started = {f"{node.name}-{module.name}" for node in plan.nodes for module in node.modules}
    kernels = {f"{node.name}-kernel" for node in plan.nodes}
    assert compose["services"].keys() == {"broker", "app"} | JOBS | kernels | started
    for name, service in compose["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert service["read_only"] is True, name
        assert service["init"] is True, name
        # The engine's socket is root's; without a capability this root has nothing else.
        assert service["user"] == ("0:0" if name == "broker" else "65532:65532"), name
        # Two that restart a module would fight: the kernel does.
        assert service["restart"] == ("no" if name in started | JOBS else "unless-stopped"), name
        assert service["stop_grace_period"], name
        for limit in ("mem_limit", "pids_limit", "cpus"):
            assert float(service[limit]) > 0, (name, limit)
        assert service["ulimits"]["nofile"]["hard"] > 0, name
        assert {"max-size", "max-file"} <= service["logging"]["options"].keys(), name
        if name in JOBS:  # it ends by itself, and reaches nothing meanwhile
            assert service["network_mode"] == "none", name
            assert not (FORBIDDEN - {"network_mode"}) & service.keys(), name
        else:
            assert service["healthcheck"]["test"][0] == "CMD", name
            assert not FORBIDDEN & service.keys(), name


def test_state_lies_in_named_volumes_alone(compose: dict[str, Any], plan: Plan) -> None:
    services = compose["services"]
    others = (service for name, service in services.items() if name != "broker")
    assert {v["type"] for service in others for v in service["volumes"]} == {"volume"}
    for node in plan.nodes:
        joins = {f"/join/{position + 1}" for position in range(len(node.modules))}
        kernel = services[f"{node.name}-kernel"]
        assert targets(kernel) == {"/data", "/operator", "/broker", *joins}
        assert targets(kernel, read_only=True) == {"/broker"}
        for position, module in enumerate(node.modules, start=1):
            service = services[f"{node.name}-{module.name}"]
            given = {f"/join/{position}"}
            if module.manifest.needs.genesis.command:
                given |= {"/genesis/public", "/genesis/private"}
            assert targets(service) == {"/data", *given}
            assert targets(service, read_only=True) == given


def test_a_secret_is_in_no_variable(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for variable, value in service["environment"].items():
            if variable in {"LOGOS_JOIN_SECRET", "LOGOS_OPERATOR_TOKEN", "LOGOS_BROKER_SECRET"}:
                assert value.startswith("/"), name  # the path of a file
            assert BEARER.search(value) is None, name


def test_only_kernels_and_the_app_publish_and_only_on_loopback(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        ports = service.get("ports", [])
        if name.endswith("-kernel"):
            assert [port["host_ip"] for port in ports] == ["127.0.0.1"], name
            assert service["environment"]["LOGOS_FRONT_PLAINTEXT"] == "1", name
        elif name == "app":
            assert [port["host_ip"] for port in ports] == ["127.0.0.1"], name
            assert service["environment"]["LOGOS_APP_ENCLOSED"] == "1", name
        else:
            assert ports == [], name


def test_networks_join_only_what_must_meet(compose: dict[str, Any], plan: Plan) -> None:
    networks, services = compose["networks"], compose["services"]
    for node in plan.nodes:
        own, front = node.name, f"{node.name}-front"
        assert services[f"{own}-kernel"]["networks"].keys() == {own, front, "broker"}
        for module in node.modules:
            wanted = {own, "mesh"} if module.manifest.needs.is_on_mesh else {own}
            assert services[f"{own}-{module.name}"]["networks"].keys() == wanted
        assert networks[own]["internal"] is True
    assert networks["mesh"]["internal"] is networks["broker"]["internal"] is True
    assert services["broker"]["networks"].keys() == {"broker"}
    subnets = [network["ipam"]["config"][0]["subnet"] for network in networks.values()]
    assert len(set(subnets)) == len(subnets) == 2 + 2 * len(plan.nodes)


def test_only_the_broker_sees_the_engine(compose: dict[str, Any]) -> None:
    seeing = [name for name, one in compose["services"].items() if "docker.sock" in json.dumps(one)]

    assert seeing == ["broker"]
