"""`module new` makes a module, and `module check` finds what is wrong with one."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from logos_cli.logos import app as logos_app
from logos_cli.main import app as logosctl_app


def run(*words: str, app: Any = logosctl_app) -> Any:
    return CliRunner().invoke(app, ["module", *words])


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A new module."""
    ended = run("new", "word-count", "--directory", str(tmp_path))
    assert ended.exit_code == 0, ended.output
    return tmp_path / "word-count"


@pytest.mark.parametrize("app", [logosctl_app, logos_app], ids=["logosctl", "logos"])
def test_a_module_is_made_from_its_name(tmp_path: Path, app: Any) -> None:
    ended = run("new", "word-count", "--directory", str(tmp_path), "--output", "json", app=app)

    folder = tmp_path / "word-count"
    assert json.loads(ended.stdout) == {"module": "word-count", "folder": str(folder)}
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == {
        "Dockerfile",
        "README.md",
        "generate",
        "proto/word_count/v1/word_count.proto",
        "pyproject.toml",
        "src/logos_word_count/__init__.py",
        "src/logos_word_count/__main__.py",
        "src/logos_word_count/module.toml",
        "src/word_count/v1/word_count_pb2.py",
        "src/word_count/v1/word_count_pb2_grpc.py",
        "tests/test_word_count.py",
    }
    assert run("check", str(folder), app=app).exit_code == 0


@pytest.mark.integration
def test_a_new_module_passes_its_own_tests(made: Path) -> None:
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]

    ended = subprocess.run(words, cwd=made, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stdout


@pytest.mark.integration
def test_a_new_module_keeps_the_contract(made: Path) -> None:
    ended = run("check", str(made), "--run", "--output", "json")

    document = json.loads(ended.stdout)
    assert ended.exit_code == 0, ended.output
    assert (document["module"], document["passed"]) == ("word-count", True)
    assert len(document["checks"]) > 10


@pytest.mark.integration
def test_a_module_that_breaks_it_is_told_how(made: Path) -> None:
    program = made / "src" / "logos_word_count" / "__main__.py"
    text = program.read_text(encoding="utf-8")
    program.write_text(text.replace("    yield\n", "    raise SystemExit(9)\n    yield\n"))

    ended = run("check", str(made), "--run", "--output", "json")

    document = json.loads(ended.stdout)
    assert (ended.exit_code, document["passed"], document["problems"]) == (5, False, [])
    assert "its process has ended with" in document["checks"][0]["problem"]


@pytest.mark.parametrize(
    "name", ["", "Word", "1st", "a_b", "a--b", "a-", "-a", "é", "a" * 65, "../a", "a/b", "kernel"]
)
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    ended = run("new", "--directory", str(tmp_path), "--", name)

    assert ended.exit_code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["logos", "google", "class", "profile"])
def test_a_name_that_would_hide_another_is_refused(tmp_path: Path, name: str) -> None:
    assert run("new", name, "--directory", str(tmp_path)).exit_code == 2


def test_what_is_there_is_left_as_it_is(made: Path) -> None:
    (made / "mine").touch()

    ended = run("new", "word-count", "--directory", str(made.parent))

    assert ended.exit_code == 2
    assert "(FOLDER_EXISTS)" in ended.stderr
    assert (made / "mine").exists()


def test_what_cannot_be_made_whole_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logos_cli.authoring.contracts.find_spec", lambda _: None)

    ended = run("new", "word-count", "--directory", str(tmp_path))

    assert ended.exit_code == 5
    assert "install the Python package grpcio-tools" in ended.stderr
    assert list(tmp_path.iterdir()) == []


MANIFEST = "src/logos_word_count/module.toml"
CONTRACT = "proto/word_count/v1/word_count.proto"
WRONG = [
    (MANIFEST, 'version = "0.1.0"', 'version = "one"', 2, "version: must be a string that matches"),
    (MANIFEST, "description =", "descripton =", 3, "descripton: unknown key"),
    (MANIFEST, 'name = "word-count"', "name =", 1, "manifest is not TOML"),
    (MANIFEST, "v1.WordCount", "v1.WordCounter", 5, "services: no contract in proto/ has"),
    (MANIFEST, '"word_count.v1.WordCount"', '"logos.module.v1.ModuleHost"', 5, "cannot be routed"),
    (MANIFEST, '"logos_word_count"]', '"logos_other"]', 4, "src has no such package"),
    (
        MANIFEST,
        "services",
        'calls = ["logos.storage.v1.Storage/Bring"]\nservices',
        5,
        "method Bring",
    ),
    (MANIFEST, "services", 'calls = ["logos.store.v1.Store/Get"]\nservices', 5, "no service logos"),
    (MANIFEST, "services", 'requires = ["Storage"]\nservices', 5, "requires: 'Storage' does"),
    (MANIFEST, 'command = ["python", "-m", "logos_word_count"]\n', "", 1, "command: is missing"),
    (CONTRACT, "string name = 1;", "string name = 1", 24, "Expected"),
    (CONTRACT, "returns (GreetResponse)", "returns (Greeting)", 15, '"Greeting" is not defined'),
]


@pytest.mark.parametrize(("file", "old", "new", "line", "said"), WRONG)
def test_a_problem_is_found_with_its_file_and_line(
    made: Path, *, file: str, old: str, new: str, line: int, said: str
) -> None:
    path = made / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")

    told = run("check", str(made))
    document = json.loads(run("check", str(made), "--output", "json").stdout)

    assert told.exit_code == 5
    assert not document["passed"]
    (problem, *_) = document["problems"]
    assert (problem["file"], problem["line"]) == (str(path), line)
    assert said in problem["what"]
    assert f"{path}:{line}: " in told.stderr


def test_a_manifest_that_is_not_utf8_is_a_problem(made: Path) -> None:
    (made / MANIFEST).write_bytes(b'name = "caf\xe9"\n')

    ended = run("check", str(made))

    assert ended.exit_code == 5
    assert "module.toml:1: manifest is not UTF-8" in ended.stderr


def test_a_contract_may_import_those_of_logos(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGOS_ROOT", str(Path(__file__).parents[3]))
    path = made / CONTRACT
    text = path.read_text(encoding="utf-8")
    text = text.replace(
        "// Says hello.", 'import "logos/kernel/v1/module.proto";\n\n// Says hello.'
    ).replace("string text = 1;", "string text = 1;\n  logos.kernel.v1.Module module = 2;")
    path.write_text(text, encoding="utf-8")

    assert run("check", str(made)).exit_code == 0


@pytest.mark.integration
def test_what_is_interrupted_ends_its_module(made: Path) -> None:
    """The module of the check, which never becomes READY, is gone with the command."""
    program = made / "src" / "logos_word_count" / "__main__.py"
    started = made / "started"
    program.write_text(
        "import os, pathlib, time\n"
        f"path = pathlib.Path({str(started)!r})\n"
        "path.with_suffix('.new').write_text(str(os.getpid()))\n"
        "path.with_suffix('.new').rename(path)\n"
        "time.sleep(600)\n"
    )
    words = [sys.executable, "-P", "-m", "logos_cli", "module", "check", str(made), "--run"]

    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as command:
        while not started.exists():
            assert command.poll() is None
        command.send_signal(signal.SIGINT)
        code = command.wait(60)

    assert code == 130
    assert not Path("/proc", started.read_text()).exists()


def test_a_folder_without_a_module_is_wrong_usage(tmp_path: Path) -> None:
    assert run("check", str(tmp_path)).exit_code == 2


@pytest.mark.parametrize("settings", ["{", "[]"])
def test_settings_that_are_none_are_wrong_usage(made: Path, settings: str) -> None:
    assert run("check", str(made), "--run", "--settings", settings).exit_code == 2
