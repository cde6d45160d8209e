"""The compose file: what it says, and that the committed one is current."""

from pathlib import Path

import yaml

from logos_testnet.compose import render_compose
from logos_testnet.manifests import load_manifests
from logos_testnet.opening import described_by
from logos_testnet.plan import Plan, container_plan

ROOT = Path(__file__).parents[3]
TOPOLOGY = Path("deploy/topologies/small.toml")


def test_the_committed_file_is_current() -> None:
    topology = described_by(ROOT / TOPOLOGY).topology()
    plan = container_plan(topology, load_manifests(topology), None)

    text = render_compose(plan, source=str(TOPOLOGY))

    assert text == (ROOT / "docker-compose.yml").read_text(encoding="utf-8"), "./logos render"


def test_a_module_waits_for_what_it_requires(containers: Plan) -> None:
    services = yaml.safe_load(render_compose(containers, source="x"))["services"]

    healthy = {"condition": "service_healthy"}
    assert services["node3-mixnet"]["depends_on"] == {"node3-kernel": healthy}
    assert services["node3-storage"]["depends_on"] == {"node3-mixnet": healthy}


def test_each_image_is_built_once(containers: Plan) -> None:
    services = yaml.safe_load(render_compose(containers, source="x"))["services"]

    built = [name for name, service in services.items() if "build" in service]
    assert built == ["node1-kernel", "node1-mixnet", "node1-storage"]
    assert services["node1-storage"]["image"] == "logos/storage:0.2.0"
    assert services["node2-storage"]["pull_policy"] == "never"


def test_texts_reach_the_container_unchanged(containers: Plan) -> None:
    services = yaml.safe_load(render_compose(containers, source="x"))["services"]
    variables = services["node2-kernel"]["environment"]

    assert variables["LOGOS_PROFILE_TOML"] == containers.profile(containers.nodes[1])
    assert variables["LOGOS_MANIFESTS"] == "mixnet storage"
    # Compose turns $$ into $.
    assert variables["LOGOS_MANIFEST_storage"].endswith("# $$HOME\n")
