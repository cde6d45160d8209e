"""KER-2: what a manifest may say."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_base.errors import ConfigError
from logos_base.manifest import Manifest, parse_manifest

STORAGE = """name = "storage"
version = "0.1.0-rc.1+build"
description = "Content-addressed storage"
command = ["python", "-m", "logos_storage"]
preload = ["logos_storage.node"]
requires = ["mixnet"]
services = ["logos.storage.v1.Storage"]
"""


def test_a_manifest_is_read() -> None:
    assert parse_manifest(STORAGE) == Manifest(
        name="storage",
        version="0.1.0-rc.1+build",
        description="Content-addressed storage",
        command=("python", "-m", "logos_storage"),
        requires=("mixnet",),
        services=("logos.storage.v1.Storage",),
        preload=("logos_storage.node",),
    )


def test_name_and_version_are_enough() -> None:
    assert parse_manifest('name = "a"\nversion = "1.2.3"') == Manifest("a", "1.2.3")


def test_only_one_that_says_so_is_exclusive() -> None:
    text = 'name = "a"\nversion = "1.2.3"\n'
    assert not parse_manifest(text).exclusive
    assert parse_manifest(f"{text}exclusive = true").exclusive


@pytest.mark.parametrize("name", ["a" * 64, "a-1", "zone"])
def test_names_may_be(name: str) -> None:
    assert parse_manifest(f'name = "{name}"\nversion = "1.2.3"').name == name


@pytest.mark.parametrize(
    "name", ["", "a" * 65, "A", "1a", "-a", "a/b", "..", "a_b", "ä", "a\\u0000"]
)
def test_names_may_not_be(name: str) -> None:
    with pytest.raises(ConfigError, match="name: must be a string that matches"):
        parse_manifest(f'name = "{name}"\nversion = "1.2.3"')


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('color = "red"', "color: unknown key"),
        ("description = 3", "description: must be a string"),
        ("group = 3", "group: must be a string that matches [a-z][a-z0-9-]{0,63}, is 3"),
        ("restart = 3", "restart: must be a table"),
        ("watchdog_ms = 99", "watchdog_ms: must be a whole number from 100, is 99"),
        ("exclusive = 1", "exclusive: must be true or false, is 1"),
        ("watchdog_ms = true", "watchdog_ms: must be a whole number from 100, is True"),
        ("restart.kind = 3", "restart.kind: must be one of always, on_failure,"),
        ('command = "python"', "command: must be a list of strings"),
        ("requires = [1]", "requires: must be a list of strings"),
        ('requires = ["A"]', "requires: 'A' does not begin with a name like [a-z][a-z0-9-]{0,63}"),
        ('requires = ["a", "a >1"]', "requires: names a twice"),
        ('binds = ["storage"]', "binds: a module cannot name itself"),
        ('wants = ["a ~1"]', "wants: 'a ~1': '~1' is no comparison like >=0.1"),
        ('wants = ["a >1.x"]', "wants: 'a >1.x': '1.x' is no semantic version"),
        ('wants = ["a >1"]\nbinds = ["a >2"]', "binds: a has another range elsewhere"),
        ('services = ["Storage"]', "services: 'Storage' does not match"),
        ('services = ["a.B", "a.B"]', "services: lists an entry twice"),
        ('command = ["python", "-m", "a"]\npreload = ["a-b"]', "preload: 'a-b' does not match"),
        ('command = ["serve"]\npreload = ["a"]', "preload: needs a command that begins with"),
    ],
)
def test_what_is_wrong_is_named(line: str, problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_manifest(f'name = "storage"\nversion = "0.1.0"\n{line}')

    assert len(refused.value.problems) == 1
    assert refused.value.problems[0].startswith(problem)


def test_a_word_of_a_command_may_come_twice() -> None:
    manifest = parse_manifest('name = "a"\nversion = "1.2.3"\ncommand = ["run", "-v", "-v"]')

    assert manifest.command == ("run", "-v", "-v")


def test_all_problems_come_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        parse_manifest("size = 1\nname = 2\nrequires = 3")

    assert [one.split(":")[0] for one in refused.value.problems] == [
        "size",
        "name",
        "version",
        "requires",
    ]


def test_what_is_no_toml_or_too_large_is_refused() -> None:
    with pytest.raises(ConfigError, match="not TOML"):
        parse_manifest("name = ")
    with pytest.raises(ConfigError, match="larger than 65536 bytes"):
        parse_manifest(STORAGE + "#" * 65536)


@pytest.mark.property
@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ConfigError):
        assert parse_manifest(text).name
