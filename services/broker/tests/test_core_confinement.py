"""Which containers may be started: those that are no more than described (KER-24)."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from process_engine import described, seen_as

from logos_broker.core.confinement import problems
from logos_broker.core.containers import Mount

DESCRIBED = described("node1-storage")
SEEN = seen_as(DESCRIBED)
SOCKET = Mount("bind:/var/run/docker.sock", "/var/run/docker.sock", is_writable=True)
NAMES = st.text(st.characters(codec="ascii", categories=["L"]), min_size=1)
MOUNTS = st.builds(Mount, NAMES, NAMES, st.booleans())


def test_one_as_described_may_be_started() -> None:
    assert problems(SEEN, DESCRIBED) == []


def test_so_may_one_that_has_less() -> None:
    assert problems(replace(SEEN, mounts=frozenset(), networks=frozenset()), DESCRIBED) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"image": "evil/image:1"}, "evil/image"),
        ({"mounts": SEEN.mounts | {SOCKET}}, "docker.sock"),
        ({"mounts": SEEN.mounts | {Mount("bind:/", "/host", is_writable=False)}}, "bind:/:/host"),
        ({"mounts": frozenset({Mount("/node2-data", "/data", is_writable=True)})}, "/node2-data"),
        ({"networks": frozenset({"node1", "mesh"})}, "mesh"),
        ({"is_privileged": True}, "privileged"),
        ({"added": frozenset({"NET_RAW"})}, "NET_RAW"),
        ({"dropped": frozenset({"NET_RAW"})}, "default capabilities"),
        ({"has_no_new_privileges": False}, "privileges"),
        ({"is_read_only": False}, "write"),
        ({"user": ""}, "root"),
        ({"user": "0:65532"}, "root"),
        ({"shared": frozenset({"PidMode host"})}, "PidMode host"),
        ({"restart": "unless-stopped"}, "restarted by the engine"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_any_more_is_named(change: dict[str, Any], named: str) -> None:
    (problem,) = problems(replace(SEEN, **change), DESCRIBED)

    assert named in problem


@given(st.frozensets(MOUNTS), st.frozensets(NAMES), st.frozensets(MOUNTS), st.frozensets(NAMES))
def test_no_mount_or_network_is_had_that_is_not_described(
    mounts: frozenset[Mount],
    networks: frozenset[str],
    more_mounts: frozenset[Mount],
    more_networks: frozenset[str],
) -> None:
    allowed = replace(DESCRIBED, mounts=mounts, networks=networks)
    has = replace(SEEN, mounts=mounts | more_mounts, networks=networks | more_networks)

    is_more = bool(more_mounts - mounts or more_networks - networks)

    assert bool(problems(has, allowed)) is is_more


def test_a_mount_that_may_be_read_may_not_be_written() -> None:
    secret = Mount("join", "/join", is_writable=False)
    allowed = replace(DESCRIBED, mounts=frozenset({secret}))

    assert problems(replace(SEEN, mounts=frozenset({replace(secret, is_writable=True)})), allowed)
