"""Commands for settings, figures and logs: what they send and print."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_kernel import data, run, served

from logos.kernel.v1 import module_pb2, settings_pb2, stats_pb2, supervisor_pb2
from logos.kernel.v1.settings_pb2_grpc import SettingsServicer, add_SettingsServicer_to_server
from logos.kernel.v1.supervisor_pb2_grpc import (
    SupervisorServicer,
    add_SupervisorServicer_to_server,
)

SCHEMA = {"properties": {"quota": {"description": "The most."}, "other": {}}}


class Kernel(SettingsServicer, SupervisorServicer):
    """Answers, and remembers what it was asked last."""

    def __init__(self) -> None:
        self.address = ""
        self.asked: Any = None
        self.outcome = settings_pb2.SETTINGS_OUTCOME_APPLIED

    def version(self) -> settings_pb2.SettingsVersion:
        return settings_pb2.SettingsVersion(
            version=3,
            document_json='{"quota": 5, "name": "x\\u001b"}',
            by="operator:ada",
            outcome=self.outcome,
            detail="too small",
        )

    def GetSettings(self, request: Any, context: Any) -> Any:  # noqa: N802
        return settings_pb2.GetSettingsResponse(
            active=self.version(),
            changes_json='{"quota": 5}',
            schema_json=json.dumps(SCHEMA),
            history=[self.version()],
        )

    def UpdateSettings(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked = request
        return settings_pb2.UpdateSettingsResponse(tried=self.version())

    def WatchSettings(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        yield settings_pb2.WatchSettingsResponse(active=self.version())

    def StreamLogs(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        self.asked = request
        yield supervisor_pb2.StreamLogsResponse(line="a line")

    def figures(self, cpu_seconds: float, at_s: int) -> stats_pb2.ModuleStats:
        one = stats_pb2.ModuleStats(
            module="storage",
            state=module_pb2.MODULE_STATE_READY,
            epoch=2,
            restart_count=1,
            in_flight=4,
            usage=stats_pb2.ProcessUsage(
                cpu_seconds=cpu_seconds, rss_bytes=3 * 2**20, pss_bytes=2**20, read_bytes=0
            ),
            methods=[
                stats_pb2.MethodStats(method="a.B/C", calls=9, failed=2, p99_seconds=0.25),
                stats_pb2.MethodStats(method="a.B/D", calls=1),
            ],
        )
        one.at.FromSeconds(at_s)
        return one

    def GetStats(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked = request
        observed = stats_pb2.ModuleStats(module="far", state=module_pb2.MODULE_STATE_STARTING)
        return stats_pb2.GetStatsResponse(stats=[self.figures(1.5, 10), observed])

    def WatchStats(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        self.asked = request
        for cpu_seconds, at_s in ((1.5, 10), (2.5, 12)):
            yield stats_pb2.WatchStatsResponse(stats=[self.figures(cpu_seconds, at_s)])


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    """A kernel that answers, and a token for it."""
    monkeypatch.setenv("LOGOS_STATE", str(tmp_path))
    monkeypatch.setenv("LOGOS_TOKEN", f"logos_{43 * 'b'}")
    one = Kernel()
    with served(one, add_SettingsServicer_to_server, add_SupervisorServicer_to_server):
        yield one


def test_settings_are_listed_with_what_the_schema_says(kernel: Kernel) -> None:
    lines = run(kernel, "settings", "get", "storage").stdout.splitlines()

    assert [line.split() for line in lines] == [
        ["SETTING", "VALUE", "CHANGED", "DESCRIPTION"],
        ["name", '"x\\u001b"', "no", "-"],
        ["other", "-", "no", "-"],
        ["quota", "5", "yes", "The", "most."],
    ]


def test_settings_are_printed_whole_as_json(kernel: Kernel) -> None:
    told = data(kernel, "settings", "get", "storage")

    assert told["settings"] == {"quota": 5, "name": "x\x1b"}
    assert (told["version"], told["outcome"], told["by"]) == (3, "applied", "operator:ada")
    assert (told["changes"], told["schema"]) == ({"quota": 5}, SCHEMA)
    (past,) = data(kernel, "settings", "get", "storage", "--history")
    assert past["detail"] == "too small"


@pytest.mark.parametrize(
    ("words", "patch"),
    [
        (["quota=5"], {"quota": 5}),
        (
            ["a=true", "b=some text", "c=null", 'd=[1, "x"]'],
            {"a": True, "b": "some text", "c": None, "d": [1, "x"]},
        ),
        (["limits.a=1", "limits.b.c=2", "e=a=b"], {"limits": {"a": 1, "b": {"c": 2}}, "e": "a=b"}),
        (["empty="], {"empty": ""}),
    ],
)
def test_settings_are_set_as_a_patch_of_the_version_that_holds(
    kernel: Kernel, words: list[str], patch: dict[str, object]
) -> None:
    ended = run(kernel, "settings", "set", "storage", *words)

    assert ended.exit_code == 0, ended.stderr
    assert json.loads(kernel.asked.patch_json) == patch
    assert (kernel.asked.module, kernel.asked.expect_version) == ("storage", 3)
    assert ended.stdout == ""
    assert "version 3 of the settings of storage is applied: too small" in ended.stderr


def test_a_version_may_be_expected(kernel: Kernel) -> None:
    assert data(kernel, "settings", "set", "storage", "a=1", "--expect", "7")["version"] == 3
    assert kernel.asked.expect_version == 7


@pytest.mark.parametrize("word", ["quota", "=5", "a..b=1", ".a=1", "a=1 a.b=2"])
def test_what_is_no_setting_is_refused_before_the_node_is_asked(kernel: Kernel, word: str) -> None:
    assert run(kernel, "settings", "set", "storage", *word.split()).exit_code == 2
    assert kernel.asked is None


def test_settings_that_a_module_rejects_end_with_an_exit_code(kernel: Kernel) -> None:
    kernel.outcome = settings_pb2.SETTINGS_OUTCOME_REJECTED

    ended = run(kernel, "settings", "set", "storage", "quota=5", "--output", "json")

    assert ended.exit_code == 5
    assert json.loads(ended.stdout)["outcome"] == "rejected"


def test_settings_are_watched(kernel: Kernel) -> None:
    assert data(kernel, "settings", "watch", "storage")["settings"]["quota"] == 5
    assert run(kernel, "settings", "watch", "storage").stdout.startswith('3  {"quota": 5')


def test_logs_are_read_from_a_time_on(kernel: Kernel) -> None:
    before_s = time.time_ns() // 10**9
    assert run(kernel, "module", "logs", "storage", "--since", "5m").stdout == "a line\n"
    after_s = time.time_ns() // 10**9

    assert before_s <= kernel.asked.since.seconds + 300 <= after_s
    assert kernel.asked.tail == 0
    run(kernel, "module", "logs", "storage", "-n", "7")
    assert (kernel.asked.tail, kernel.asked.HasField("since")) == (7, False)
    assert run(kernel, "module", "logs", "storage", "--since", "soon").exit_code == 2


def test_figures_are_printed_as_a_table(kernel: Kernel) -> None:
    lines = run(kernel, "module", "stats").stdout.splitlines()

    assert lines[1].split() == [
        *("storage", "ready", "1.5", "s", "1.0", "MiB", "3.0", "MiB", "0", "B", "-"),
        *("1", "4", "10", "2", "250", "ms"),
    ]
    assert lines[2].split() == ["far", "starting", *"-----", "0", "0", "0", "0", "-"]


def test_figures_of_one_module_have_its_methods(kernel: Kernel) -> None:
    lines = run(kernel, "module", "stats", "storage").stdout.splitlines()

    assert list(kernel.asked.modules) == ["storage"]
    assert lines[-2].split() == ["a.B/C", "9", "2", "-", "250", "ms"]


def test_figures_are_given_as_json(kernel: Kernel) -> None:
    one, observed = data(kernel, "module", "stats")

    assert (one["rss_bytes"], one["cpu_seconds"], one["cpu_percent"]) == (3 * 2**20, 1.5, None)
    assert one["methods"][0]["p99_seconds"] == 0.25
    assert one["pss_bytes"] == 2**20
    assert observed["rss_bytes"] is None


@pytest.mark.parametrize(
    "words", [["top"], ["module", "stats", "--watch"], ["top", "--interval", "2"]]
)
def test_figures_come_again_as_lines_of_json_with_the_part_of_a_cpu(
    kernel: Kernel, words: list[str]
) -> None:
    ended = run(kernel, *words, "--output", "json")

    first, second = (json.loads(line)["stats"][0] for line in ended.stdout.splitlines())
    assert (first["cpu_percent"], second["cpu_percent"]) == (None, 50.0)
    assert kernel.asked.interval.seconds == 2


def test_what_is_not_a_terminal_is_not_cleared(kernel: Kernel) -> None:
    told = run(kernel, "top").stdout

    assert "\x1b[H" not in told
    assert told.count("MODULE") == 2
    assert "50.0 %" in told
