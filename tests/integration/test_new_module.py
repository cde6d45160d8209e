"""What `module new` makes runs on a testnet that names it by one table."""

from pathlib import Path

import pytest

from integration.commands import Tiny
from logos_client.channels import channel_to
from logos_client.token_file import read_token

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


@pytest.fixture
def made(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new module, where Python finds it."""
    ended = tiny.logos("module", "new", "herald", "--directory", str(tiny.folder))
    assert ended.returncode == 0, ended.stderr
    sources = tiny.folder / "herald" / "src"
    monkeypatch.setenv("PYTHONPATH", str(sources))
    monkeypatch.syspath_prepend(sources)
    return sources


async def test_a_new_module_is_added_by_one_table(tiny: Tiny, made: Path) -> None:
    tiny.write(f"{tiny.text}[modules.herald.settings]\ngreeting = 'Hail'\n")
    tiny.up()

    from herald.v1 import herald_pb2, herald_pb2_grpc  # noqa: PLC0415 - made by the test

    bearer = read_token(tiny.layout.operator_token)
    request = herald_pb2.GreetRequest(name="Ada")
    async with channel_to(f"127.0.0.1:{tiny.ports.front + 2}", bearer) as channel:
        answer = await herald_pb2_grpc.HeraldStub(channel).Greet(request, timeout=60)

    assert answer.text == "Hail, Ada!"
