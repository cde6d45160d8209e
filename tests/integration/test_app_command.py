"""`./logos up` starts the app and prints a link; `app link` prints another; `down` ends it."""

import http.client
import json
import re
import signal

import pytest

from integration.commands import Tiny
from logos_testnet.app_process import AppProcess
from logos_testnet.opening import Places, described_by, open_testnet
from logos_testnet.processes import NodeProcess, send_signal

pytestmark = pytest.mark.integration

LINK = re.compile(r"http://tiny\.localhost:(\d+)/open#([A-Za-z0-9_-]{22})\n")


def with_app(tiny: Tiny) -> int:
    """Gives the testnet's app a port."""
    tiny.write(tiny.text.replace("[modules", f"app = {tiny.ports.app}\n[modules"))
    return tiny.ports.app


def apps(tiny: Tiny) -> list[NodeProcess]:
    """The processes of the app."""
    places = Places(tiny.folder, tiny.state_root)
    opened = open_testnet(described_by(tiny.folder / "tiny.toml"), places, runtime="processes")
    return AppProcess(opened.plan, tiny.layout).processes()


def opened(port: int, code: str) -> int:
    """Opens a session by a code; returns the status."""
    host = f"tiny.localhost:{port}"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {
        "host": host,
        "origin": f"http://{host}",
        "content-type": "application/x-www-form-urlencoded",
    }
    try:
        connection.request("POST", "/open", f"code={code}", headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_the_app_comes_and_goes_with_its_testnet(tiny: Tiny) -> None:
    port = with_app(tiny)

    found = LINK.search(tiny.up().stderr.decode())
    assert found is not None
    assert opened(port, found[2]) == 303
    assert opened(port, found[2]) == 403
    first = apps(tiny)

    another = LINK.fullmatch(tiny.logos("app", "link").stdout.decode())
    assert another is not None
    assert opened(port, another[2]) == 303

    again = json.loads(tiny.up("--output", "json").stdout)
    assert LINK.fullmatch(again["app"] + "\n")
    assert apps(tiny) == first

    assert tiny.logos("down", "--testnet", "tiny").returncode == 0
    assert apps(tiny) == []
    gone = tiny.logos("app", "link", "--testnet", "tiny")
    assert gone.returncode == 3
    assert b"`./logos up` starts it" in gone.stderr


def test_up_brings_an_app_that_was_killed_back_and_leaves_one_out_if_asked(tiny: Tiny) -> None:
    with_app(tiny)
    assert LINK.search(tiny.up("--no-app").stderr.decode()) is None
    assert apps(tiny) == []

    tiny.up()
    send_signal(apps(tiny), signal.SIGKILL)

    assert LINK.search(tiny.up().stderr.decode()) is not None
    assert len(apps(tiny)) == 1


def test_another_number_of_nodes_starts_the_app_again(tiny: Tiny) -> None:
    with_app(tiny)
    tiny.up()
    before = apps(tiny)

    tiny.up("--nodes", "1")

    after = apps(tiny)
    assert [process.pid for process in after] != [process.pid for process in before]
    assert after[0].variables["LOGOS_APP_NODES"].split()[0].startswith("node1=")
    assert len(after[0].variables["LOGOS_APP_NODES"].split()) == 1


def test_a_testnet_without_a_port_for_it_has_no_app(tiny: Tiny) -> None:
    assert json.loads(tiny.up("--output", "json").stdout)["app"] is None

    ended = tiny.logos("app", "link")

    assert ended.returncode == 3
    assert b"[ports] app" in ended.stderr


def test_a_port_that_is_taken_is_named(tiny: Tiny) -> None:
    tiny.write(tiny.text.replace("[modules", f"app = {tiny.ports.base}\n[modules"))

    ended = tiny.logos("up", "--topology", tiny.topology)

    assert ended.returncode != 0
    assert f"port {tiny.ports.base} (the app)".encode() in ended.stderr
