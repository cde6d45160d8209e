"""The settings of the app: what is refused, and that all problems are named at once."""

from pathlib import Path

import pytest

from app_rig import variables
from logos_app.config import Front, Other, parse
from logos_base.errors import ConfigError


def test_settings_are_read(tmp_path: Path) -> None:
    config = parse(variables(tmp_path))

    assert config.fronts == (Front("node1", "127.0.0.1:1"), Front("node2", "127.0.0.1:2"))
    assert str(config.origin) == "http://small.localhost:17900"
    assert config.is_local


def test_all_problems_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        parse({"LOGOS_APP_NODES": "node1", "LOGOS_LISTEN": "somewhere"})

    assert len(refused.value.problems) == 5


def test_another_address_than_loopback_needs_a_certificate_and_a_host(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"LOGOS_APP_TLS_CERT.*LOGOS_APP_HOST"):
        parse(variables(tmp_path, LOGOS_LISTEN="10.1.2.3:443"))


def test_a_certificate_without_a_host_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="LOGOS_APP_HOST"):
        parse(variables(tmp_path, LOGOS_APP_TLS_CERT="a.pem", LOGOS_APP_TLS_KEY="b.pem"))


def test_with_a_certificate_any_address_will_do(tmp_path: Path) -> None:
    config = parse(
        variables(
            tmp_path,
            LOGOS_LISTEN="10.1.2.3:443",
            LOGOS_APP_TLS_CERT="a.pem",
            LOGOS_APP_TLS_KEY="b.pem",
            LOGOS_APP_HOST="logos.example",
        )
    )

    assert str(config.origin) == "https://logos.example"
    assert not config.is_local


def test_panels_of_others_are_named_by_module_title_and_address(tmp_path: Path) -> None:
    config = parse(variables(tmp_path, LOGOS_APP_OTHERS="hello:Hello%20there=127.0.0.1:20500"))

    assert config.others == (Other("hello", "Hello there", "127.0.0.1:20500"),)


@pytest.mark.parametrize("word", ["hello", "hello=127.0.0.1:1", "Hello:x=127.0.0.1:1", "a:b=c"])
def test_panels_of_others_that_cannot_be_are_refused(word: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="LOGOS_APP_OTHERS"):
        parse(variables(tmp_path, LOGOS_APP_OTHERS=word))


@pytest.mark.parametrize(
    "nodes", ["node1=127.0.0.1:1 node1=127.0.0.1:2", "N=1:1", "node1=host", "node1=host:x"]
)
def test_nodes_that_cannot_be_are_refused(nodes: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="LOGOS_APP_NODES"):
        parse(variables(tmp_path, LOGOS_APP_NODES=nodes))
