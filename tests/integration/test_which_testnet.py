"""The testnet of a `./logos` command: the named one, or the only candidate."""

import signal
import subprocess
import time

import pytest

from integration.commands import Tiny, printed_commands, program, surroundings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


def test_a_wrong_name_touches_nothing(tiny: Tiny) -> None:
    tiny.up()
    before = {each.pid for each in tiny.processes()}
    wrong = ("--testnet", "tin")

    for ended in (
        tiny.logos("down", *wrong, "--purge"),
        tiny.logos("down", "--purge", testnet="tin"),
        tiny.logos("up", *wrong),
        tiny.logos("status", *wrong),
        tiny.logos("logs", *wrong),
        tiny.logos("ctl", *wrong, "module", "list"),
        tiny.logos("ctl", *wrong, "node", "list"),
    ):
        assert ended.returncode == 4, ended
        assert b"TESTNET_UNKNOWN" in ended.stderr
        assert b"there are tiny" in ended.stderr
        assert ended.stdout == b""

    contradicted = tiny.logos("down", "--topology", tiny.topology, *wrong)
    assert contradicted.returncode == 2
    assert b"TESTNET_AMBIGUOUS" in contradicted.stderr
    assert {each.pid for each in tiny.processes()} == before
    assert tiny.logos("status").returncode == 0


@pytest.mark.parametrize("file", ["testnet.json", "topology.toml"])
def test_what_a_testnet_remembers_and_cannot_be_read_is_named_with_a_way_out(
    tiny: Tiny, file: str
) -> None:
    tiny.up("--seed", "7")
    path = tiny.layout.directory / file
    path.write_text("", encoding="utf-8")

    for words in (("down", "--purge"), ("up",), ("status",)):
        ended = tiny.logos(*words)
        assert ended.returncode == 5, ended
        assert b"STATE_UNREADABLE" in ended.stderr
        assert str(path) in ended.stderr.decode()

    assert len(tiny.processes()) == 4
    if file == "testnet.json":  # follows the message: removed, and written again
        path.unlink()
        assert tiny.logos("up", "--seed", "7").returncode == 0
        assert tiny.logos("down").returncode == 0
    else:
        assert tiny.logos("down", "--topology", tiny.topology).returncode == 0
    assert tiny.processes() == []


def test_an_interrupted_up_is_found_by_plain_words_and_all_advice_works(tiny: Tiny) -> None:
    tiny.remember_another("other")
    with subprocess.Popen(
        program("up", "--topology", tiny.topology),
        env=surroundings(tiny.state_root),
        stderr=subprocess.PIPE,
    ) as starting:
        until = time.monotonic() + 60
        while not tiny.processes():
            assert time.monotonic() < until
            time.sleep(0.05)
        starting.send_signal(signal.SIGINT)
        starting.communicate()
    assert starting.returncode == 130
    assert tiny.processes()

    down = tiny.logos("down")

    assert down.returncode == 0, down.stderr
    assert b"tiny stopped" in down.stderr
    assert tiny.processes() == []
    resume, forget = printed_commands(down.stderr)
    resumed = tiny.logos(*resume)
    assert resumed.returncode == 0, resumed.stderr
    assert len(tiny.processes()) == 4
    hints = [[word for word in words if word != "-f"] for words in printed_commands(resumed.stderr)]
    assert len(hints) == 5
    for words in hints:
        ended = tiny.logos(*words)
        assert ended.returncode == 0, (words, ended)
    assert len(tiny.processes()) == 4  # down, and up again
    assert tiny.logos(*forget).returncode == 0
    assert not tiny.layout.directory.exists()
    assert (tiny.state_root / "other").is_dir()


def test_of_several_testnets_one_must_be_named(tiny: Tiny) -> None:
    tiny.remember_another("one")
    tiny.remember_another("two")

    for words in (("up",), ("down",), ("status",), ("logs",), ("ctl", "node", "list")):
        ended = tiny.logos(*words)
        assert ended.returncode == 2, ended
        assert b"TESTNET_AMBIGUOUS" in ended.stderr
        assert b"one, two" in ended.stderr

    assert b"one was not running" in tiny.logos("down", "--testnet", "one").stderr


def test_a_failed_start_is_reported_with_commands_that_work(tiny: Tiny) -> None:
    tiny.remember_another("other")
    tiny.write(tiny.text + "[modules.mixnet]\n[modules.mixnet.settings]\nmax_peers = -1\n")

    failed = tiny.logos("up", "--topology", tiny.topology)

    assert failed.returncode == 5
    logs, up, down = printed_commands(failed.stderr)
    said = tiny.logos(*logs)
    assert said.returncode == 0
    assert b"max_peers" in said.stdout
    assert tiny.logos(*up).returncode == 5  # tries again, as it says
    assert tiny.logos(*down).returncode == 0
    assert tiny.processes() == []
