"""Lock files without addresses, generated code without drift, tiers by name."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import tomllib
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from logos_cli import checks, tiers
from logos_cli.exits import UsageError
from logos_cli.locks import runtime_requirements
from logos_cli.logos import app
from logos_cli.program import built
from logos_cli.programs import capture, run, tool

ROOT = Path(__file__).parents[3]


def test_the_locks_hold_hashes_and_no_addresses() -> None:
    assert checks.CHECKS["locks"](ROOT) == (True, "")


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://registry.example/simple",
        "x @ https://files.example/x.whl",
        "--find-links /opt/wheels",
        "x @ git+ssh://example/x",
    ],
)
def test_an_address_in_a_lock_is_found(tmp_path: Path, line: str) -> None:
    (tmp_path / "requirements.lock").write_text(f"a==1 \\\n    --hash=sha256:00\n{line}\n")

    passed, said = checks.CHECKS["locks"](tmp_path)

    assert not passed
    assert "requirements.lock:3" in said


def test_the_locks_cover_what_the_members_require() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8").lower()
    names = [each.split(">")[0].split("[")[0].strip() for each in runtime_requirements(ROOT)]

    assert {"grpcio", "alembic", "asyncpg"} <= set(names)  # what members always or at times need
    assert [name for name in names if f"\n{name}==" not in lock.replace("_", "-")] == []
    assert not any(name.startswith("logos-") for name in names)


def test_an_unknown_check_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"spelling-bee; there are ruff, format"):
        checks.run_checks(tmp_path, ["locks", "spelling-bee"])


def test_checks_tell_how_each_ended(tmp_path: Path) -> None:
    (tmp_path / "requirements.lock").write_text("--find-links /opt/wheels\n")

    [checked] = checks.run_checks(tmp_path, ["locks"])

    assert (checked.check, checked.passed) == ("locks", False)
    assert "requirements.lock:1" in checked.said


def test_checks_run_side_by_side_and_are_told_in_order(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    other_has_ended = threading.Event()

    def first(root: Path) -> tuple[bool, str]:
        return other_has_ended.wait(60), ""

    def second(root: Path) -> tuple[bool, str]:
        other_has_ended.set()
        return True, ""

    monkeypatch.setattr(checks, "CHECKS", {"first": first, "second": second})

    done = checks.run_checks(ROOT, [])

    assert [(each.check, each.passed) for each in done] == [("first", True), ("second", True)]
    assert [line.split()[1] for line in capfd.readouterr().err.splitlines()] == ["first", "second"]


class Pytest:
    """Stands for the programs that tiers run; notes how each was called."""

    def __init__(self, code: int = 0) -> None:
        self.code = code
        self.calls: list[list[str]] = []

    def run(self, arguments: list[str], root: Path, **how: object) -> int:
        self.calls.append([Path(arguments[0]).name, *arguments[1:]])
        return self.code


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Pytest:
    fake = Pytest()
    monkeypatch.setattr(tiers, "run", fake.run)
    monkeypatch.setenv("CI", "1")  # no container engine is asked for
    return fake


@pytest.mark.parametrize(
    ("selection", "runs"),
    [
        ((), list(tiers.TIERS)),
        (("unit", "native"), ["unit", "native"]),
        (("libs/logos-base", "-x"), ["pytest"]),
        (("libs/logos-base/tests/test_errors.py::test_one",), ["pytest"]),
        (("unit", "-k", "cid"), ["unit"]),
        (("-k", "unit"), ["pytest"]),
        (("simulation", "tests/simulation", "-m", "native"), ["simulation"]),
    ],
)
def test_tiers_run_by_name_and_the_rest_goes_to_pytest(
    fake: Pytest, selection: tuple[str, ...], runs: list[str]
) -> None:
    done = tiers.run_tests(ROOT, selection)

    assert [each.tier for each in done] == runs
    rest = [word for word in selection if word not in runs or runs == ["pytest"]]
    assert all(call[len(call) - len(rest) :] == rest for call in fake.calls)


MARKS = ("stress", "proofs", "simulation", "integration", "containers")
ALL_MARKS = [marks for count in range(len(MARKS) + 1) for marks in combinations(MARKS, count)]


@pytest.mark.parametrize("marks", ALL_MARKS, ids=" ".join)
def test_a_test_is_of_exactly_one_tier(marks: tuple[str, ...]) -> None:
    borne = {mark: mark in marks for mark in MARKS}
    of_pytest = [tier for tier in tiers.TIERS if tier != "native"]

    chosen = [tier for tier in of_pytest if eval(tiers.selected(tier), {}, borne)]  # noqa: S307 - Python's own words

    assert chosen == [marks[0] if marks else "unit"]


def test_every_tier_has_a_mark_that_pytest_knows() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    known = {
        each.partition(":")[0] for each in settings["tool"]["pytest"]["ini_options"]["markers"]
    }

    assert set(MARKS) <= known
    assert {*MARKS, "unit", "native"} == set(tiers.TIERS)


@pytest.mark.parametrize(
    ("words", "is_parallel"),
    [
        (["unit"], True),
        (["simulation"], True),
        (["proofs"], False),
        (["stress"], True),
        (["integration"], True),
        (["containers"], False),
        (["unit", "--pdb"], False),
    ],
    ids=str,
)
def test_tiers_run_in_several_processes_unless_something_is_picked(
    fake: Pytest, words: list[str], is_parallel: bool
) -> None:
    tiers.run_tests(ROOT, words)

    [call] = fake.calls
    assert ("-n" in call) == is_parallel


def test_the_time_of_each_tier_is_reported_at_the_end(
    fake: Pytest, capfd: pytest.CaptureFixture[str]
) -> None:
    tiers.run_tests(ROOT, ["unit", "integration"])

    told = capfd.readouterr().err.splitlines()[-3:]
    assert [line.split()[0] for line in told] == ["unit", "integration", "all"]


@pytest.mark.parametrize("word", ["integraton", "unit/", "libs/nothing", "libs/nothing.py::test_x"])
def test_what_is_neither_a_tier_nor_a_file_is_refused_before_anything_runs(
    fake: Pytest, word: str
) -> None:
    for selection in ([word], ["unit", word], [word, "unit"]):
        with pytest.raises(UsageError, match="tiers are unit, native"):
            tiers.run_tests(ROOT, selection)
    assert fake.calls == []


@pytest.mark.parametrize(
    ("code", "result"),
    [(0, tiers.Result.PASSED), (1, tiers.Result.FAILED), (3, tiers.Result.FAILED)],
)
def test_a_run_ends_as_pytest_does(fake: Pytest, code: int, result: tiers.Result) -> None:
    fake.code = code

    assert tiers.run_tests(ROOT, ["libs"]) == [tiers.Run("pytest", result)]


@pytest.mark.parametrize("code", [4, 5])
@pytest.mark.parametrize("selection", [["libs", "--nope"], ["unit", "libs", "-k", "nothing"]])
def test_what_pytest_refuses_or_does_not_find_is_wrong_usage(
    fake: Pytest, selection: list[str], code: int
) -> None:
    fake.code = code

    with pytest.raises(UsageError):
        tiers.run_tests(ROOT, selection)


def test_a_selection_may_be_empty_in_some_tiers_and_a_tier_never(
    fake: Pytest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(arguments: list[str], root: Path, **how: object) -> int:
        return 0 if tiers.selected("simulation") in arguments else 5

    monkeypatch.setattr(tiers, "run", run)

    some = tiers.run_tests(ROOT, ["simulation", "integration", "-k", "x"])
    assert [each.result for each in some] == ["passed", "empty"]
    assert [each.result for each in tiers.run_tests(ROOT, ["integration"])] == ["failed"]


JSON_ENDED = {
    "test": {"passed": False, "runs": [{"tier": "pytest", "result": "failed"}]},
    "check": {"passed": True, "checks": [{"check": "locks", "passed": True, "said": ""}]},
}


@pytest.mark.parametrize(
    ("words", "code"), [(["test", "libs", "-x"], 5), (["check", "locks"], 0)], ids=str
)
def test_developer_commands_print_json_alone_on_stdout(
    *,
    fake: Pytest,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
) -> None:
    fake.code = 1
    monkeypatch.setenv("LOGOS_ROOT", str(ROOT))

    with pytest.raises(SystemExit) as ended:
        built(app).main([*words, "--output", "json"], prog_name="./logos")

    printed = json.loads(capfd.readouterr().out)
    for each in printed.get("checks", printed.get("runs")):
        del each["seconds"]
    assert printed == JSON_ENDED[words[0]]
    assert ended.value.code == code
    assert fake.calls in ([], [["pytest", "libs", "-x"]])


@pytest.mark.parametrize(("program", "code"), [("false", 0), ("true", 7)])
def test_a_program_whose_reader_is_gone_has_not_failed(program: str, code: int) -> None:
    words = (
        "import sys; from logos_cli import entry, programs; from pathlib import Path;"
        "sys.exit(entry.outcome_of(lambda: sys.exit(7 + programs.run(sys.argv[1:], Path()))))"
    )
    reading, writing = os.pipe()
    os.close(reading)

    ended = subprocess.run(
        [sys.executable, "-c", words, program], stdout=writing, cwd=ROOT, check=False
    )

    os.close(writing)
    assert ended.returncode == code


def test_an_interrupt_lets_the_program_clean_up(tmp_path: Path) -> None:
    # A second is more than subprocess.run leaves to a program before it kills it.
    child = "trap 'sleep 1; touch cleaned; exit 1' INT; echo started; while :; do sleep 0.1; done"
    words = (
        "import sys; from logos_cli import entry, programs; from pathlib import Path;"
        "sys.exit(entry.outcome_of(lambda: programs.run(['sh', '-c', sys.argv[1]], Path())))"
    )
    command = [sys.executable, "-c", words, child]

    with subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"started\n"
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 130

    assert (tmp_path / "cleaned").exists()


def test_an_interrupt_ends_a_program_that_was_just_being_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def start(*arguments: Any, **how: Any) -> subprocess.Popen[bytes]:
        started.append(popen(*arguments, **how))
        signal.raise_signal(signal.SIGINT)
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setattr("os.isatty", lambda _: False)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(["sleep", "20"], tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)

    assert started[0].returncode == -signal.SIGINT


def test_a_run_of_tiers_ends_with_the_time_of_each(
    fake: Pytest, capfd: pytest.CaptureFixture[str]
) -> None:
    tiers.run_tests(ROOT, ["unit", "simulation"])

    lines = [line.split() for line in capfd.readouterr().err.splitlines()]
    assert [(words[0], words[2:]) for words in lines[-3:]] == [
        ("unit", ["s", "passed"]),
        ("simulation", ["s", "passed"]),
        ("all", ["s"]),
    ]


def test_render_says_what_it_wrote(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("LOGOS_ROOT", str(tmp_path))
    shutil.copytree(ROOT / "deploy" / "topologies", tmp_path / "deploy" / "topologies")

    with pytest.raises(SystemExit) as ended:
        built(app).main(["render", "--output", "json"], prog_name="./logos")

    assert ended.value.code == 0
    printed = json.loads(capfd.readouterr().out)
    assert (tmp_path / printed["written"]).is_file()


@pytest.mark.parametrize(("given", "wanted"), [({}, "ERROR"), ({"GRPC_VERBOSITY": "INFO"}, "INFO")])
def test_grpc_logs_errors_only_by_default(given: dict[str, str], wanted: str) -> None:
    kept = {key: value for key, value in os.environ.items() if key != "GRPC_VERBOSITY"}
    program = (
        "import logos_cli, os, sys; assert 'grpc' not in sys.modules;"
        "from logos_cli.programs import tool_environment as env; print(env()['GRPC_VERBOSITY'])"
    )

    told = capture([tool("python"), "-c", program], ROOT, variables={**kept, **given})

    assert told == (0, f"{wanted}\n")
