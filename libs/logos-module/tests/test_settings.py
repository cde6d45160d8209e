"""KER-41: what a module does with new settings."""

import json
import logging
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import grpc
import pytest

from logos.module.v1 import module_host_pb2 as pb
from logos.module.v1 import module_host_pb2_grpc
from logos_base.capabilities import ModuleSubject, Subject
from logos_base.errors import ConfigError
from logos_base.manifest import Manifest
from logos_client.channels import open_channel
from logos_module.access import Caller
from logos_module.errors import reason_of
from logos_module.host import ModuleHostServicer
from logos_module.server import Server
from logos_module.settings import Outcome, Settings


@pytest.fixture(autouse=True)
def level() -> Iterator[None]:
    """Leaves the level of the log as it was."""
    root = logging.getLogger()
    before = root.level
    yield
    root.setLevel(before)


@pytest.fixture
def settings() -> Settings:
    made = Settings()
    assert made.offer(1, '{"quota": 5}') == (Outcome.APPLIED, "")
    return made


def test_settings_are_a_mapping_of_typed_values(settings: Settings) -> None:
    settings = Settings()
    settings.offer(1, '{"a": 5, "b": "x", "c": true, "d": [1], "e": {"f": 1.5}, "g": 2.5}')

    assert settings == {"a": 5, "b": "x", "c": True, "d": [1], "e": {"f": 1.5}, "g": 2.5}
    assert settings.typed("a", 0) == 5
    assert settings.typed("b", "") == "x"
    assert settings.typed("c", default=False) is True
    assert settings.typed("g", 1.0) == 2.5
    assert settings.typed("a", 1.0) == 5.0
    assert settings.typed("absent", "usual") == "usual"
    for key, default in (("a", ""), ("b", 1), ("c", 1), ("g", 1)):
        with pytest.raises(ConfigError, match=f"{key}: must be of the type"):
            settings.typed(key, default)  # type: ignore[type-var]  # the types are what fails


def test_without_a_handler_a_change_requires_a_restart(settings: Settings) -> None:
    assert settings.offer(2, '{"quota": 6}') == (Outcome.REQUIRES_RESTART, "")
    assert (settings, settings.version) == ({"quota": 5}, 1)


def test_a_handler_decides_and_sees_all_settings_but_the_level_of_the_log(
    settings: Settings,
) -> None:
    seen: list[Mapping[str, object]] = []

    def decide(values: Mapping[str, object]) -> Outcome:
        seen.append(values)
        return Outcome(str(values["answer"]))

    settings.on_change(decide)

    offered = '{"answer": "APPLIED", "log_level": "ERROR"}'
    assert settings.offer(2, offered) == (Outcome.APPLIED, "")
    assert settings.offer(3, '{"answer": "REJECTED"}') == (Outcome.REJECTED, "")
    assert settings.offer(4, '{"answer": "REQUIRES_RESTART"}')[0] is Outcome.REQUIRES_RESTART

    assert seen[0] == {"answer": "APPLIED"}
    assert (settings, settings.version) == ({"answer": "APPLIED"}, 2)


def test_what_a_handler_refuses_or_fails_at_is_rejected_and_the_old_holds(
    settings: Settings,
) -> None:
    def refuse(values: Mapping[str, object]) -> Outcome:
        raise ConfigError(["a: no", "b: no"])

    def fail(values: Mapping[str, object]) -> Outcome:
        raise KeyError("secret")

    settings.on_change(refuse)
    assert settings.offer(2, "{}") == (Outcome.REJECTED, "a: no; b: no")
    settings.on_change(fail)
    assert settings.offer(3, "{}") == (Outcome.REJECTED, "it failed: KeyError")

    assert (settings, settings.version) == ({"quota": 5}, 1)


def test_the_level_of_the_log_changes_at_once_and_goes_back(settings: Settings) -> None:
    for text, level in (
        ('{"quota": 5, "log_level": "ERROR"}', logging.ERROR),
        ('{"quota": 5, "log_level": "DEBUG"}', logging.DEBUG),
        ('{"quota": 5}', logging.INFO),
    ):
        assert settings.offer(settings.version + 1, text) == (Outcome.APPLIED, "")
        assert logging.getLogger().level == level
    assert settings == {"quota": 5}


def test_a_version_that_is_known_is_no_news(settings: Settings) -> None:
    assert settings.offer(1, '{"quota": 9}') == (Outcome.APPLIED, "")
    assert settings == {"quota": 5}


class Identified:
    """Takes every caller for the one that the test names."""

    name = "kernel"

    def authorize(self, caller: Caller, method: str) -> Subject | None:
        return ModuleSubject(self.name, bytes(16), 1)


@pytest.fixture
async def host(settings: Settings) -> AsyncIterator[tuple[Any, Identified]]:
    with tempfile.TemporaryDirectory(prefix="lm-") as folder:
        identified = Identified()
        server = Server(identified)
        servicer = ModuleHostServicer(Manifest("a", "0.1.0"), bytes(16), server.gate, settings)
        server.serve(module_host_pb2_grpc.add_ModuleHostServicer_to_server, servicer)
        await server.start([f"unix:{folder}/a.sock"])
        async with open_channel(f"unix:{folder}/a.sock") as channel:
            yield module_host_pb2_grpc.ModuleHostStub(channel), identified
        await server.stop(0)


async def test_the_kernel_alone_changes_settings(
    host: tuple[Any, Identified], settings: Settings
) -> None:
    stub, identified = host
    document = json.dumps({"quota": 5, "log_level": "ERROR"})
    request = pb.UpdateSettingsRequest(version=2, document_json=document)

    identified.name = "chat"
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.UpdateSettings(request)
    assert reason_of(refused.value) == "METHOD_DENIED"
    assert settings.version == 1

    identified.name = "kernel"
    answer = await stub.UpdateSettings(request)
    assert answer.outcome == pb.UpdateSettingsResponse.OUTCOME_APPLIED
    assert settings.version == 2


async def test_metrics_of_the_process_are_given(host: tuple[Any, Identified]) -> None:
    stub, _ = host

    text = (await stub.GetMetrics(pb.GetMetricsRequest())).text

    assert b"# TYPE grpc_server_handled_total counter\n" in text
    assert text.endswith(b"\n")


async def test_too_many_metrics_are_cut_at_a_line(
    host: tuple[Any, Identified], monkeypatch: pytest.MonkeyPatch
) -> None:
    stub, _ = host
    line = b"a" * 99 + b"\n"
    monkeypatch.setattr("logos_module.host.generate_latest", lambda: line * 12_000)

    text = (await stub.GetMetrics(pb.GetMetricsRequest())).text

    assert len(text) == 1024 * 1024 // 100 * 100
    assert text.endswith(line)
