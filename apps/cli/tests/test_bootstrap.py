"""What `./logos` prepares before a command: native wheel, stamps, missing tools."""

import importlib.util
import platform
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]
BOOTSTRAP = ROOT / "apps" / "cli" / "bootstrap"


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Imports a file of the bootstrap, which is no package."""
    monkeypatch.syspath_prepend(BOOTSTRAP)
    spec = importlib.util.spec_from_file_location(f"bootstrap_{name}", BOOTSTRAP / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def wheels(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return load("native_wheel", monkeypatch)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "native" / "src").mkdir(parents=True)
    (tmp_path / "native" / "src" / "lib.rs").write_text("fn a() {}")
    return tmp_path


def test_the_key_follows_the_sources_and_nothing_else(wheels: ModuleType, checkout: Path) -> None:
    before = wheels.source_key(checkout)
    (checkout / "native" / "target").mkdir()
    (checkout / "native" / "target" / "x.o").write_text("built")
    assert wheels.source_key(checkout) == before

    (checkout / "native" / "src" / "lib.rs").write_text("fn b() {}")
    changed = wheels.source_key(checkout)
    (checkout / "native" / "src" / "lib.rs").rename(checkout / "native" / "src" / "main.rs")

    assert len({before, changed, wheels.source_key(checkout)}) == 3


def test_a_wheel_is_found_only_for_these_sources_and_this_machine(
    wheels: ModuleType, checkout: Path
) -> None:
    folder = wheels.wheel_folder(checkout, wheels.source_key(checkout))
    folder.mkdir(parents=True)
    (folder / "logos_native-0.1.0-cp311-abi3-win_amd64.whl").touch()
    assert wheels.find_wheel(checkout, wheels.source_key(checkout)) is None

    wheel = folder / f"logos_native-0.1.0-cp311-abi3-manylinux_2_34_{platform.machine()}.whl"
    wheel.touch()

    assert wheels.find_wheel(checkout, wheels.source_key(checkout)) == wheel
    assert wheels.find_wheel(checkout, "0" * 16) is None


def test_the_image_takes_the_wheel_that_the_bootstrap_left(
    wheels: ModuleType, checkout: Path, tmp_path: Path
) -> None:
    folder = wheels.wheel_folder(checkout, wheels.source_key(checkout))
    folder.mkdir(parents=True)
    name = f"logos_native-0.1.0-cp311-abi3-linux_{platform.machine()}.whl"
    (folder / name).touch()

    program = [sys.executable, "-I", str(BOOTSTRAP / "native_wheel.py")]
    subprocess.run([*program, str(checkout), str(tmp_path / "found")], check=True)

    assert [path.name for path in (tmp_path / "found").iterdir()] == [name]


def nothing(*locks: str) -> None:
    """An installation that costs nothing."""


def test_what_is_stamped_is_not_done_again(monkeypatch: pytest.MonkeyPatch, checkout: Path) -> None:
    environment = load("environment", monkeypatch).Environment(checkout)
    (checkout / "pyproject.toml").write_text('[tool.uv.workspace]\nmembers = ["libs/*"]\n')
    for name in ("requirements.lock", "requirements-build.lock", "requirements-dev.lock"):
        (checkout / name).write_text("x==1\n")
    assert environment.missing(developer=False, native=True) == ["packages", "workspace", "native"]
    environment.python.parent.mkdir(parents=True)
    environment.python.touch()
    for name in ("_install", "_install_workspace", "_install_native"):
        monkeypatch.setattr(environment, name, nothing)

    environment.prepare(["packages", "workspace", "native"])

    assert environment.missing(developer=False, native=True) == []
    assert environment.missing(developer=True, native=True) == ["developer"]
    (checkout / "requirements.lock").write_text("x==2\n")
    assert environment.missing(developer=False, native=True) == ["packages"]


@pytest.mark.parametrize(
    ("present", "words"),
    [((), "no cargo"), (("cargo",), "no C compiler"), (("cargo", "cc"), "older than Rust 9.9")],
)
def test_a_missing_tool_is_named_with_the_alternative(
    monkeypatch: pytest.MonkeyPatch, checkout: Path, present: tuple[str, ...], words: str
) -> None:
    module = load("environment", monkeypatch)
    (checkout / "native" / "Cargo.toml").write_text('[workspace.package]\nrust-version = "9.9"\n')
    (checkout / "bin").mkdir()
    for name in present:
        tool = checkout / "bin" / name
        tool.write_text("#!/bin/sh\necho cargo 1.63.0\n")
        tool.chmod(0o755)

    with pytest.raises(Exception, match=words) as caught:
        module.Environment(checkout)._refuse_old_tools(str(checkout / "bin"))

    assert "docker compose up --build --wait" in str(caught.value)


def test_without_python_the_script_says_what_to_do(tmp_path: Path) -> None:
    for tool in ("readlink", "dirname", "cat"):
        (tmp_path / tool).symlink_to(f"/usr/bin/{tool}")

    ended = subprocess.run(
        ["/bin/sh", str(ROOT / "logos"), "up"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 2
    assert "Python 3.11" in ended.stderr
    assert "docker compose up --build --wait" in ended.stderr
