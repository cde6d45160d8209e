"""What `./logos` prepares before a command: native wheel, stamps, missing tools."""

import errno
import importlib.util
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

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


def test_an_installation_that_was_cut_off_is_made_again_in_full(
    monkeypatch: pytest.MonkeyPatch, checkout: Path
) -> None:
    module = load("environment", monkeypatch)
    environment = module.Environment(checkout)
    (checkout / "pyproject.toml").write_text('[tool.uv.workspace]\nmembers = ["libs/*"]\n')
    for name in ("requirements.lock", "requirements-build.lock"):
        (checkout / name).write_text("x==1\n")
    environment.python.parent.mkdir(parents=True)
    environment.python.touch()
    commands: list[list[str]] = []

    def install(command: list[str], **_how: object) -> None:
        commands.append(command)
        if len(commands) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(module, "run", install)
    with pytest.raises(KeyboardInterrupt):
        environment.prepare(["packages"])
    assert environment.missing(developer=False, native=False)[0] == "packages"
    for _ in range(2):
        environment.prepare(["packages"])

    assert ["--force-reinstall" in command for command in commands] == [False, True, False]


@pytest.mark.parametrize(
    ("present", "words"),
    [
        ((), "cargo is not installed"),
        (("cargo",), "no C compiler"),
        (("cargo", "cc"), "older than Rust 9.9"),
    ],
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
    shutil.copy(ROOT / "logos", tmp_path)

    ended = subprocess.run(
        ["/bin/sh", str(tmp_path / "logos"), "up"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 2
    assert "Python 3.11" in ended.stderr
    assert "docker compose up --build --wait" in ended.stderr


@pytest.mark.parametrize("named", ["/no/such/python", "/bin/true", "/bin/false", "."])
def test_a_python_that_was_named_is_used_or_refused(named: str) -> None:
    ended = subprocess.run(
        ["/bin/sh", str(ROOT / "logos"), "--version"],
        env={**os.environ, "LOGOS_PYTHON": named},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"LOGOS_PYTHON names {named}" in ended.stderr


def test_an_environment_of_another_python_than_the_named_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, checkout: Path
) -> None:
    module = load("environment", monkeypatch)
    environment = module.Environment(checkout)
    environment.python.parent.mkdir(parents=True)
    environment.python.touch()
    (checkout / ".venv" / "pyvenv.cfg").write_text("version = 3.1.4\n")
    monkeypatch.setenv("LOGOS_PYTHON", "python3.99")

    with pytest.raises(Exception, match=r"made with Python 3\.1, but LOGOS_PYTHON is python3"):
        environment.missing(developer=False, native=False)

    monkeypatch.delenv("LOGOS_PYTHON")
    (checkout / "pyproject.toml").write_text("[tool.uv.workspace]\nmembers = []\n")
    assert environment.missing(developer=False, native=False)


class Needs:
    """An environment that has everything; notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: dict[str, bool] = {}

    def missing(self, **needs: bool) -> list[str]:
        self.asked = needs
        return []


@pytest.mark.parametrize(
    ("line", "developer", "native"),
    [
        ("test", True, True),
        ("test unit -k cid", True, True),
        ("test --help", False, False),
        ("test -h", False, False),
        ("check --version", False, False),
        ("--help", False, False),
        ("up", False, True),
        ("up -h", False, False),
        ("test -- -h", True, True),
        ("lock", True, False),
    ],
)
def test_help_and_version_need_nothing_to_be_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str, developer: bool, native: bool
) -> None:
    module, needs = load("__main__", monkeypatch), Needs()

    module.prepare(needs, tmp_path, line.split())

    assert needs.asked == {"developer": developer, "native": native}


@pytest.fixture
def other_users() -> Iterator[tuple[Path, dict[str, int]]]:
    """A checkout without write permission, and the user as whom to run a program there."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "checkout"
        shutil.copytree(BOOTSTRAP, root / "apps" / "cli" / "bootstrap")
        shutil.copy(ROOT / "logos", root)
        for name in ("requirements.lock", "requirements-build.lock", "requirements-dev.lock"):
            (root / name).write_text("x==1\n")
        (root / "pyproject.toml").write_text("[tool.uv.workspace]\nmembers = []\n")
        (root / "native").mkdir()
        (root / ".venv" / "bin").mkdir(parents=True)
        (root / ".venv" / "bin" / "python").symlink_to("/bin/true")
        for path in (Path(folder), root, root / ".venv"):
            path.chmod(0o555)
        yield root, {"user": 65534} if os.geteuid() == 0 else {}
        for path in (Path(folder), root, root / ".venv"):
            path.chmod(0o755)


@pytest.mark.parametrize("lacking", [".logos", ".venv"])
def test_a_checkout_of_another_user_is_refused_with_a_way_out(
    other_users: tuple[Path, dict[str, int]], lacking: str
) -> None:
    root, user = other_users
    if lacking == ".venv":
        root.chmod(0o755)
        (root / ".logos").mkdir()
        (root / ".logos").chmod(0o777)
        root.chmod(0o555)

    ended = subprocess.run(
        ["/bin/sh", str(root / "logos"), "--version"],
        capture_output=True,
        text=True,
        check=False,
        **user,
    )

    assert ended.returncode == 2
    assert str(root / lacking) in ended.stderr
    assert "checkout of your own" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/x/y"), 5, ["/x/y", "No space left"]),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 2, ["/x: Permission denied"]),
        (OSError(errno.ENOEXEC, "Exec format error"), 2, ["Exec format error"]),
        (KeyboardInterrupt(), 130, ["interrupted"]),
        (ZeroDivisionError("oops"), 5, ["internal error", "LOGOS_DEBUG=1"]),
    ],
)
def test_whatever_stops_the_bootstrap_has_an_exit_code(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    error: BaseException,
    code: int,
    words: list[str],
) -> None:
    module = load("__main__", monkeypatch)

    assert module.report_error(error, tmp_path) == code

    said = capsys.readouterr().err
    assert all(word in said for word in words)
    assert "Traceback" not in said


def test_a_program_that_fails_is_no_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module = load("reporting", monkeypatch)

    with pytest.raises(Exception, match="installing failed with 1") as caught:
        module.run(["false"], label="installing", counted="x", folder=tmp_path)

    assert getattr(caught.value, "code", None) == 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_program_ends_with_a_preparation_that_is_ended_as_it_starts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int
) -> None:
    module = load("reporting", monkeypatch)
    started: list[subprocess.Popen[str]] = []

    class Popen(subprocess.Popen[str]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)
            signal.raise_signal(number)

    def end(*_: object) -> None:
        sys.exit(9)

    monkeypatch.setattr(module.subprocess, "Popen", Popen)
    before = signal.signal(number, end)
    try:
        with pytest.raises(SystemExit):
            module.run(["sleep", "600"], label="waiting", counted="x", folder=tmp_path)
        assert signal.getsignal(number) is end
    finally:
        signal.signal(number, before)
    assert [each.poll() for each in started] == [-signal.SIGTERM]


def test_nothing_is_said_where_stderr_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    module = load("reporting", monkeypatch)
    monkeypatch.setattr(sys, "stderr", None)

    module.report("discarded")


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_sources_below_a_path_beyond_ascii_are_found_in_every_locale(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, locale: str
) -> None:
    root = tmp_path / "kö"
    (root / "libs" / "src").mkdir(parents=True)
    (root / "libs" / "src" / "logos_some.py").write_text("print('found')\n")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root / ".venv"], check=True)
    [packages] = (root / ".venv").glob("lib/python*/site-packages")
    listed = packages / "_editable_impl_logos_some.pth"
    listed.write_text(f"{root / 'libs' / 'src'}\n", encoding="utf-8")

    load("environment", monkeypatch).Environment(root).make_relative()

    for flags in ([], ["-X", "utf8=0"]):
        ended = subprocess.run(
            [root / ".venv" / "bin" / "python", *flags, "-P", "-c", "import logos_some"],
            env={"LC_ALL": locale, "PYTHONCOERCECLOCALE": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ended.returncode, ended.stdout) == (0, "found\n"), ended.stderr


PROGRAM = """
import os, sys
def logos():
    print(os.getpid(), *sys.argv[1:], os.environ["LOGOS_ROOT"], sep="|")
    print([name for name in ("environment", "reporting") if importable(name)])
def importable(name):
    import importlib.machinery
    return importlib.machinery.PathFinder.find_spec(name)
"""


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch, checkout: Path) -> Path:
    """A checkout whose environment lacks nothing."""
    shutil.copytree(BOOTSTRAP, checkout / "apps" / "cli" / "bootstrap")
    shutil.copy(ROOT / "logos", checkout)
    (checkout / "pyproject.toml").write_text("[tool.uv.workspace]\nmembers = []\n")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", checkout / ".venv"], check=True)
    [packages] = (checkout / ".venv").glob("lib/python*/site-packages")
    (packages / "logos_cli").mkdir()
    (packages / "logos_cli" / "entry.py").write_text(PROGRAM)
    environment = load("environment", monkeypatch).Environment(checkout)
    for name in ("_install", "_install_workspace", "_install_native"):
        monkeypatch.setattr(environment, name, nothing)
    environment.prepare(["packages", "workspace"])
    return checkout


def start(checkout: Path, *words: str, path: str) -> tuple[int, str, str]:
    """Runs `./logos`; returns its process id and what it wrote."""
    with subprocess.Popen(
        ["/bin/sh", str(checkout / "logos"), *words],
        env={"PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        out, err = process.communicate()
        return process.pid, out, err


@pytest.fixture
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PATH with what the script needs, and what stands for a Python of the machine."""
    folder = tmp_path_factory.mktemp("tools")
    for tool in ("readlink", "dirname"):
        (folder / tool).symlink_to(f"/usr/bin/{tool}")
    python = folder / "python3"
    python.write_text('#!/bin/sh\n[ "$2" = -S ] && echo True || echo "searched for"\n')
    python.chmod(0o755)
    return folder


def test_an_environment_that_stands_is_used_without_a_search_and_in_one_process(
    ready: Path, tools: Path
) -> None:
    pid, out, err = start(ready, "ctl", "two words", path=str(tools))

    assert err == ""
    assert out == f"{pid}|ctl|two words|{ready}\n[]\n"


@pytest.mark.parametrize("lacking", ["bin/python", "logos-stamps.json"])
def test_a_python_is_searched_for_where_the_environment_does_not_stand(
    ready: Path, tools: Path, lacking: str
) -> None:
    (ready / ".venv" / lacking).unlink()

    _, out, err = start(ready, "ctl", path=str(tools))

    assert (out, err) == ("searched for\n", "")
