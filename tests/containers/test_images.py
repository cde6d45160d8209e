"""The images: small, without tools, for an unprivileged user, and quick to build."""

import json
import subprocess
import sys

import pytest

from logos_testnet.compose import IMAGES
from own_topology import ROOT

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1800)]

MODULES = sorted(path.parents[2].name for path in ROOT.glob("services/*/src/*/__main__.py"))
MOST_OVER_BASE_BYTES = 250 * 1024**2


FILE = ("--file", "deploy/Dockerfile")


def image(module: str) -> str:
    return f"{IMAGES}/{module}:0.1.0"


def docker(*words: str) -> str:
    return subprocess.run(
        ["docker", *words], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


@pytest.fixture(scope="module")
def images() -> dict[str, dict[str, object]]:
    for module in MODULES:
        target = ["--target", "kernel"] if module == "kernel" else ["--target", "module"]
        argument = ["--build-arg", f"SERVICE={module}"]
        docker("build", "--quiet", *FILE, *target, *argument, "--tag", image(module), ".")
    names = [image(module) for module in MODULES]
    return dict(zip(MODULES, json.loads(docker("image", "inspect", *names)), strict=True))


@pytest.mark.parametrize("module", MODULES)
def test_an_image_runs_unprivileged_and_is_healthy_by_itself(
    images: dict[str, dict[str, dict[str, object]]], module: str
) -> None:
    config = images[module]["Config"]

    assert config["User"] == "65532:65532"
    assert not config["Volumes"]  # an anonymous volume would not be removed
    assert config["Healthcheck"]
    labels = config["Labels"]
    assert isinstance(labels, dict)
    assert labels["org.opencontainers.image.title"] == f"logos/{module}"


def test_images_are_small_and_share_all_but_their_own_layer(
    images: dict[str, dict[str, dict[str, list[str]]]],
) -> None:
    base = json.loads(docker("image", "inspect", "python:3.11-slim-bookworm"))[0]["Size"]
    layers = [set(images[module]["RootFS"]["Layers"]) for module in MODULES]

    assert all(int(str(images[module]["Size"])) - base < MOST_OVER_BASE_BYTES for module in MODULES)
    shared = set.intersection(*layers)
    assert max(len(each - shared) for each in layers) <= 2


@pytest.mark.parametrize("module", MODULES)
def test_the_history_holds_no_secret_and_no_certificate_setting(
    images: dict[str, dict[str, object]], module: str
) -> None:
    history = docker("history", "--no-trunc", image(module)).lower()
    history = history.replace("logos-token", "")  # a program: the token is in a volume

    assert not any(word in history for word in ("token", "password", "index-url", "secret"))


def test_a_wheel_in_dist_is_taken_and_not_built_again() -> None:
    """The image computes the same key over the same sources as `./logos`."""
    program = "import sys, native_wheel as w; from pathlib import Path; r = Path(sys.argv[1]); "
    found = subprocess.run(
        [sys.executable, "-c", program + "print(w.find_wheel(r, w.source_key(r)))", ROOT],
        env={"PYTHONPATH": str(ROOT / "apps/cli/bootstrap")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    if found == "None":
        pytest.skip("dist/ holds no wheel of these sources; `./logos test` makes one")

    tag = "logos/test-prebuilt"
    docker("build", "--quiet", *FILE, "--target", "prebuilt", "-t", tag, ".")
    try:
        assert docker("run", "--rm", tag, "ls", "/wheel").strip() == found.rpartition("/")[2]
    finally:
        docker("image", "rm", tag)
