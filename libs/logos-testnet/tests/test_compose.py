"""The compose file: what it says, and that the committed one is current."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

import yaml

from logos_testnet.compose import render_compose
from logos_testnet.manifests import FoundManifest, load_manifests
from logos_testnet.opening import described_by
from logos_testnet.plan import Plan, container_plan
from logos_testnet.topology import MAX_NODES, parse_topology

ROOT = Path(__file__).parents[3]
TOPOLOGY = Path("deploy/topologies/small.toml")


def test_the_committed_file_is_current() -> None:
    topology = described_by(ROOT / TOPOLOGY).topology()
    plan = container_plan(topology, load_manifests(topology), None)

    text = render_compose(plan, source=str(TOPOLOGY))

    assert text == (ROOT / "docker-compose.yml").read_text(encoding="utf-8"), "./logos render"


HEALTHY = {"condition": "service_healthy"}
WITHOUT = "[containers]\nbroker = false\n"


def test_a_kernel_starts_the_modules_that_compose_has_made(containers: Plan) -> None:
    services = yaml.safe_load(render_compose(containers, source="x"))["services"]

    assert services["node3-kernel"]["depends_on"] == {"broker": HEALTHY}
    probe = services["node3-kernel"]["healthcheck"]["test"]
    assert probe[-1].endswith("probe.py")  # and no service: the node as a whole
    for module in ("mixnet", "storage"):
        service = services[f"node3-{module}"]
        assert service["depends_on"] == {"node3-kernel": HEALTHY}
        assert service["restart"] == "no"


def test_the_broker_is_told_what_each_container_may_be(containers: Plan) -> None:
    services = yaml.safe_load(render_compose(containers, source="x"))["services"]

    broker = services["broker"]
    told = tomllib.loads(broker["environment"]["LOGOS_DESCRIPTION_TOML"])
    assert told.pop("schema") == 1
    for node in containers.nodes:
        for module in node.modules:
            service = services[f"{node.name}-{module.name}"]
            assert told["nodes"][node.name].pop(module.name) == {
                "service": f"{node.name}-{module.name}",
                "image": service["image"],
                "volumes": service["volumes"],
                "networks": list(service["networks"]),
            }
    assert not any(told["nodes"].values())


def test_only_the_broker_sees_the_engine_and_only_kernels_the_broker(containers: Plan) -> None:
    services = yaml.safe_load(render_compose(containers, source="x"))["services"]

    seeing = [name for name, one in services.items() if "docker.sock" in str(one["volumes"])]
    assert seeing == ["broker"]
    meeting = {name for name, one in services.items() if "broker" in one["networks"]}
    assert meeting == {"broker", *(f"{node.name}-kernel" for node in containers.nodes)}
    for node in containers.nodes:
        volume = f"broker.{node.name}"
        mounts = {
            name: mount
            for name, one in services.items()
            for mount in one["volumes"]
            if mount.startswith(f"{volume}:")
        }
        own = {f"{node.name}-kernel": f"{volume}:/broker:ro"}
        assert mounts == own | {"broker": f"{volume}:/nodes/{node.name}"}


def test_without_a_broker_the_engine_restarts_in_order(
    manifests: Mapping[str, FoundManifest],
) -> None:
    text = f'schema = 1\nname = "x"\nnode_count = 1\n{WITHOUT}[modules.mixnet]\n[modules.storage]\n'
    plan = container_plan(parse_topology(text), manifests, None)

    document = yaml.safe_load(render_compose(plan, source="x"))
    services = document["services"]

    assert 'runtime = "external"' in services["node1-kernel"]["environment"]["LOGOS_PROFILE_TOML"]
    assert services["node1-mixnet"]["depends_on"] == {"node1-kernel": HEALTHY}
    assert services["node1-storage"]["depends_on"] == {"node1-mixnet": HEALTHY}
    assert {service["restart"] for service in services.values()} == {"unless-stopped"}
    assert "broker" not in services
    assert "broker" not in document["networks"]
    assert "docker.sock" not in str(document)


def test_an_image_of_its_own_has_a_health_check_of_its_own() -> None:
    text = 'schema = 1\nname = "x"\nnode_count = 1\n[modules.mixnet]\nimage = "own:1"\n'
    topology = parse_topology(text)
    plan = container_plan(topology, load_manifests(topology), None)

    services = yaml.safe_load(render_compose(plan, source="x"))["services"]

    assert services["node1-mixnet"]["image"] == "own:1"
    assert "test" not in services["node1-mixnet"]["healthcheck"]
    assert services["node1-kernel"]["healthcheck"]["test"]


def test_a_join_secret_is_seen_by_its_module_and_its_kernel_alone(containers: Plan) -> None:
    services = yaml.safe_load(render_compose(containers, source="x"))["services"]

    for node in containers.nodes:
        kernel = services[f"{node.name}-kernel"]
        profile = tomllib.loads(kernel["environment"]["LOGOS_PROFILE_TOML"])
        for position, module in enumerate(node.modules, start=1):
            volume = f"join.{node.name}.{module.name}"
            mounts = {
                service: mount
                for service, document in services.items()
                for mount in document["volumes"]
                if mount.startswith(f"{volume}:")
            }
            own = f"{node.name}-{module.name}"
            assert mounts == {
                f"{node.name}-kernel": f"{volume}:/join/{position}",
                own: f"{volume}:/join/{position}:ro",
            }
            path = profile["modules"][module.name]["join_secret"]
            assert path == services[own]["environment"]["LOGOS_JOIN_SECRET"]
            assert path == f"/join/{position}/secret"


def test_the_operators_token_is_seen_by_kernels_and_the_app_alone(containers: Plan) -> None:
    services = yaml.safe_load(render_compose(containers, source="x"))["services"]

    holders = {
        service
        for service, document in services.items()
        if "operator:/operator" in document["volumes"]
    }
    assert holders == {f"{node.name}-kernel" for node in containers.nodes}
    for service, document in services.items():
        path = document["environment"].get("LOGOS_OPERATOR_TOKEN")
        assert path == ("/operator/token" if service in holders else None)


def test_the_app_is_on_the_networks_of_front_doors_alone() -> None:
    topology = described_by(ROOT / TOPOLOGY).topology()
    plan = container_plan(topology, load_manifests(topology), None)
    services = yaml.safe_load(render_compose(plan, source="x"))["services"]
    app = services["app"]

    assert app["networks"].keys() == {f"{node.name}-front" for node in plan.nodes}
    assert app["ports"] == ["127.0.0.1:17900:8080"]
    assert app["volumes"] == ["app:/data", "operator:/operator:ro"]
    doors = dict(word.split("=") for word in app["environment"]["LOGOS_APP_NODES"].split())
    assert doors == {
        node.name: services[f"{node.name}-kernel"]["environment"]["LOGOS_FRONT"]
        for node in plan.nodes
    }
    addresses = {place["ipv4_address"] for place in app["networks"].values()}
    others = {
        place["ipv4_address"]
        for name, service in services.items()
        if name != "app"
        for place in service.get("networks", {}).values()
    }
    assert not addresses & others


def test_a_testnet_without_a_port_for_it_has_no_app(containers: Plan) -> None:
    assert "app" not in yaml.safe_load(render_compose(containers, source="x"))["services"]


def with_genesis(manifests: Mapping[str, FoundManifest]) -> Plan:
    """Two nodes, of which the second has no module with a genesis job."""
    text = 'schema = 1\nname = "x"\n[modules.mixnet]\n[modules.rln]\n[[nodes]]\n'
    text += '[[nodes]]\nmodules = ["mixnet"]\n[[nodes]]\nname = "last"\n'
    return container_plan(parse_topology(text), manifests, 7)


def test_a_module_waits_for_its_genesis_and_sees_its_own_part_of_it_alone(
    manifests: Mapping[str, FoundManifest],
) -> None:
    document = yaml.safe_load(render_compose(with_genesis(manifests), source="x"))
    services = document["services"]

    done = {"condition": "service_completed_successfully"}
    assert services["last-kernel"]["depends_on"]["genesis.rln"] == done
    assert services["last-rln"]["volumes"] == [
        "last-rln:/data",
        "join.last.rln:/join/2:ro",
        "genesis.rln:/genesis/public:ro",
        "genesis.rln.last:/genesis/private:ro",
    ]
    volumes = {volume for service in services.values() for volume in service["volumes"]}
    assert not [volume for volume in volumes if volume.startswith("genesis.rln.node2")]
    named = {volume.partition(":")[0] for volume in volumes if not volume.startswith("${")}
    assert named == document["volumes"].keys()


def test_a_genesis_job_runs_once_and_is_reported_of_its_nodes(
    manifests: Mapping[str, FoundManifest],
) -> None:
    job = yaml.safe_load(render_compose(with_genesis(manifests), source="x"))["services"][
        "genesis.rln"
    ]

    assert (job["restart"], job["network_mode"]) == ("no", "none")
    assert job["command"][-3:] == ["python", "-m", "logos_rln.genesis"]
    told = json.loads(job["environment"]["LOGOS_GENESIS"])
    assert (told["testnet"], told["module"], told["seed"]) == ("x", "rln", 7)
    assert told["public"] == "/genesis/public"
    assert {name: node["folder"] for name, node in told["nodes"].items()} == {
        "node1": "/genesis/nodes/1",
        "last": "/genesis/nodes/3",
    }
    assert [volume.partition(":")[2] for volume in job["volumes"]] == [
        "/genesis/public",
        "/genesis/nodes/1",
        "/genesis/nodes/3",
    ]


def test_the_image_has_a_folder_for_each_node_that_a_testnet_can_have() -> None:
    assert f"$(seq {MAX_NODES})" in (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")


def test_a_container_has_the_limits_that_its_module_names(
    manifests: Mapping[str, FoundManifest],
) -> None:
    services = yaml.safe_load(render_compose(with_genesis(manifests), source="x"))["services"]

    def limits(service: str) -> tuple[object, ...]:
        return tuple(services[service][key] for key in ("mem_limit", "cpus", "pids_limit"))

    assert limits("node1-rln") == limits("genesis.rln") == ("1024m", 0.5, 256)
    assert limits("node1-mixnet") == limits("node1-kernel") == ("512m", 1.0, 256)


def test_only_a_module_on_the_mesh_meets_other_nodes(containers: Plan) -> None:
    services = yaml.safe_load(render_compose(containers, source="x"))["services"]

    on_mesh = {name for name, service in services.items() if "mesh" in service["networks"]}
    assert on_mesh == {f"node{index}-mixnet" for index in range(1, 6)}


def test_each_image_is_built_once(containers: Plan) -> None:
    services = yaml.safe_load(render_compose(containers, source="x"))["services"]

    built = [name for name, service in services.items() if "build" in service]
    assert built == ["broker", "node1-kernel", "node1-mixnet", "node1-storage"]
    build = services["node1-storage"]["build"]
    assert (build["target"], build["args"]) == ("module", {"SERVICE": "storage"})
    assert services["node1-storage"]["image"] == "logos/storage:0.2.0"
    assert services["node2-storage"]["pull_policy"] == "never"


def test_texts_reach_the_container_unchanged(containers: Plan) -> None:
    services = yaml.safe_load(render_compose(containers, source="x"))["services"]
    variables = services["node2-kernel"]["environment"]

    assert variables["LOGOS_PROFILE_TOML"] == containers.profile(containers.nodes[1])
    assert variables["LOGOS_MANIFESTS"] == "mixnet storage"
    # Compose turns $$ into $.
    assert variables["LOGOS_MANIFEST_storage"].endswith("# $$HOME\n")


def test_metrics_are_published_where_the_topology_has_a_port_for_them(
    manifests: dict[str, FoundManifest], containers: Plan
) -> None:
    text = 'schema = 1\nname = "small"\nnode_count = 2\n[ports]\nmetrics = 19000\n'
    plan = container_plan(parse_topology(text + "[modules.mixnet]\n"), manifests, 7)

    kernel = yaml.safe_load(render_compose(plan, source="x"))["services"]["node2-kernel"]

    assert "127.0.0.1:19002:9090" in kernel["ports"]
    host, _, port = kernel["environment"]["LOGOS_METRICS_LISTEN"].rpartition(":")
    assert (host, port) == (kernel["networks"]["node2-front"]["ipv4_address"], "9090")
    assert "METRICS" not in render_compose(containers, source="x")
