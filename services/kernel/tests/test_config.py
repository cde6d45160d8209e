"""KER-11: a profile is used whole or refused with all its problems."""

import json
from pathlib import Path

import pytest

from certificates import make_certificate
from logos_base.errors import ConfigError
from logos_base.restart import Restart, RestartKind
from logos_kernel.config import Config, parse
from logos_kernel.core.groups import Group, Strategy
from logos_kernel.core.types import Runtime

PROFILE = """schema = 1
testnet = "small"
node = "node1"
runtime = "process"

[modules.mixnet]
manifest = "mixnet.toml"
[modules.mixnet.settings]
listen = ["/ip4/127.0.0.1/tcp/18001"]

[modules.storage]
manifest = "storage.toml"
[modules.storage.settings]
quota_bytes = 21474836480
name = "Zürich"

[kernel]
lease_ttl_ms = 2000
"""
MIXNET = """name = "mixnet"
version = "0.1.0"
command = ["python", "-m", "logos_mixnet"]
services = ["logos.network.v1.Gossip"]
"""
STORAGE = """name = "storage"
version = "0.1.0"
command = ["python", "-m", "logos_storage"]
requires = ["mixnet"]
services = ["logos.storage.v1.Storage"]
"""


def _variables(folder: Path, profile: str = PROFILE, **changes: str) -> dict[str, str]:
    (folder / "profile.toml").write_text(profile)
    (folder / "mixnet.toml").write_text(MIXNET)
    (folder / "storage.toml").write_text(STORAGE)
    return {
        "LOGOS_PROFILE": str(folder / "profile.toml"),
        "LOGOS_STATE_DIR": str(folder / "kernel"),
        "LOGOS_FRONT": "127.0.0.1:17001",
        "LOGOS_LISTEN": "unix:/run/node1/k.sock",
        "LOGOS_RUN_DIR": "/run/node1",
        "LOGOS_MODULES_STATE_DIR": str(folder / "modules"),
        "LOGOS_MODULES_LOG_DIR": str(folder / "logs"),
    } | changes


def _problems(variables: dict[str, str], folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        parse(variables)
    return [one.replace(f"{folder}/", "") for one in refused.value.problems]


def _parsed(folder: Path, **changes: str) -> Config:
    return parse(_variables(folder, **changes))


def test_a_profile_and_its_manifests_are_read(tmp_path: Path) -> None:
    config = _parsed(tmp_path)

    assert (config.testnet, config.node) == ("small", "node1")
    assert {plan.runtime for plan in config.plans} == {Runtime.PROCESS}
    assert [plan.manifest.name for plan in config.plans] == ["mixnet", "storage"]
    assert config.plans[1].manifest.requires == ("mixnet",)
    assert json.loads(config.plans[1].settings_json) == {
        "quota_bytes": 21474836480,
        "name": "Zürich",
    }
    assert config.policy.lease_ttl_ms == 2000
    assert config.policy.stop_grace_ms == 10_000
    assert config.places is not None
    assert config.places.fork_server is None
    assert config.places.kernel_target == "unix:/run/node1/k.sock"


def test_secrets_stand_in_the_state_folder_unless_the_profile_says_where(tmp_path: Path) -> None:
    config = _parsed(tmp_path)
    assert config.operator_token == tmp_path / "kernel" / "operator.token"
    assert config.join_secrets["storage"] == tmp_path / "kernel" / "join" / "storage.secret"

    line = '[modules.storage]\njoin_secret = "/join/2/secret"'
    moved = PROFILE.replace("[modules.storage]", line)
    file = tmp_path / "token"
    config = parse(_variables(tmp_path, moved, LOGOS_OPERATOR_TOKEN=str(file)))
    assert config.operator_token == file
    assert config.join_secrets["storage"] == Path("/join/2/secret")
    assert config.places is not None
    assert config.places.join_secrets == config.join_secrets

    for wrong in ('"join/2"', "7"):
        profile = moved.replace('"/join/2/secret"', wrong)
        (problem,) = _problems(_variables(tmp_path, profile), tmp_path)
        assert "modules.storage.join_secret: must be an absolute path" in problem


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]"])  # noqa: S104 - to refuse them
def test_a_kernel_does_not_serve_its_modules_in_clear_text_everywhere(
    tmp_path: Path, host: str
) -> None:
    """kernel.md 14.31."""
    profile = PROFILE.replace('"process"', '"external"')
    (problem,) = _problems(_variables(tmp_path, profile, LOGOS_LISTEN=f"{host}:7000"), tmp_path)

    assert problem.startswith("LOGOS_LISTEN: must be an address of the node's own network")


def test_a_fork_server_is_optional(tmp_path: Path) -> None:
    places = _parsed(tmp_path, LOGOS_FORK_SERVER="/run/forks.sock").places

    assert places is not None
    assert places.fork_server == Path("/run/forks.sock")


def test_modules_that_are_processes_are_served_on_this_machine_alone(tmp_path: Path) -> None:
    variables = _variables(tmp_path, LOGOS_LISTEN="10.0.0.2:7000")

    (problem,) = _problems(variables, tmp_path)

    assert problem.startswith("LOGOS_LISTEN: 10.0.0.2:7000 is neither on loopback nor a Unix")
    (tmp_path / "profile.toml").write_text(PROFILE.replace('"process"', '"external"'))
    assert parse(variables).listen == "10.0.0.2:7000"  # a node's own network


@pytest.mark.parametrize("front", ["0.0.0.0:17001", "[::]:17001", "10.0.0.2:17001", "node1:17001"])
def test_a_front_door_in_clear_text_stays_on_this_machine(tmp_path: Path, front: str) -> None:
    """kernel.md 14.31."""
    variables = _variables(tmp_path, LOGOS_FRONT=front)

    (problem,) = _problems(variables, tmp_path)

    assert problem.startswith(f"LOGOS_FRONT: {front} is neither on loopback nor a Unix socket")
    assert "set LOGOS_TLS_CERTIFICATE and LOGOS_TLS_KEY" in problem
    assert parse(variables | {"LOGOS_FRONT_PLAINTEXT": "1"}).front == front


@pytest.mark.parametrize("front", ["127.0.0.1:17001", "[::1]:1", "localhost:1", "unix:/run/f"])
def test_on_this_machine_a_front_door_needs_no_certificate(tmp_path: Path, front: str) -> None:
    assert _parsed(tmp_path, LOGOS_FRONT=front).tls is None


def test_clear_text_is_permitted_by_one_word_alone(tmp_path: Path) -> None:
    variables = _variables(tmp_path, LOGOS_FRONT="0.0.0.0:1", LOGOS_FRONT_PLAINTEXT="no")

    first, second = _problems(variables, tmp_path)

    assert first == "LOGOS_FRONT_PLAINTEXT: must be 1 or not set, is 'no'"
    assert second.startswith("LOGOS_FRONT: 0.0.0.0:1 is neither")


def test_a_front_door_with_a_certificate_may_be_anywhere(tmp_path: Path) -> None:
    files = make_certificate(tmp_path)
    given = {
        "LOGOS_TLS_CERTIFICATE": str(files.certificate),
        "LOGOS_TLS_KEY": str(files.key),
    }

    assert _parsed(tmp_path, LOGOS_FRONT="0.0.0.0:1", **given).tls == files

    for name, other in (given.keys(), reversed(given.keys())):
        assert _problems(
            _variables(tmp_path, LOGOS_FRONT="0.0.0.0:1", **{name: given[name]}), tmp_path
        ) == [f"{other}: must be set, since {name} is"]
    given["LOGOS_TLS_KEY"] = str(tmp_path / "none.pem")
    assert _problems(_variables(tmp_path, LOGOS_FRONT="unix:/run/f", **given), tmp_path) == [
        "LOGOS_TLS_CERTIFICATE: is of no use, since LOGOS_FRONT is a Unix socket",
        "none.pem: No such file or directory",
    ]


def test_a_kernel_that_only_observes_needs_no_places(tmp_path: Path) -> None:
    variables = _variables(tmp_path, PROFILE.replace('"process"', '"external"'))
    for name in ("LOGOS_RUN_DIR", "LOGOS_MODULES_STATE_DIR", "LOGOS_MODULES_LOG_DIR"):
        del variables[name]

    assert parse(variables).places is None


def test_everything_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        parse({"LOGOS_LOG_LEVEL": "loud", "LOGOS_METRICS_LISTEN": "0.0.0.0:x"})

    assert refused.value.problems == [
        "LOGOS_PROFILE: must be set",
        "LOGOS_STATE_DIR: must be set",
        "LOGOS_FRONT: must be set",
        "LOGOS_LISTEN: must be set",
        "LOGOS_LOG_LEVEL: must be one of DEBUG, INFO, WARNING, ERROR, is 'LOUD'",
        "LOGOS_METRICS_LISTEN: must be host:port, such as 127.0.0.1:9090, is '0.0.0.0:x'",
    ]


def test_addresses_without_a_host_are_refused(tmp_path: Path) -> None:
    variables = _variables(
        tmp_path, LOGOS_FRONT=":51001", LOGOS_LISTEN="k.sock", LOGOS_METRICS_LISTEN="9090"
    )

    assert _problems(variables, tmp_path) == [
        "LOGOS_FRONT: must be unix:/path or host:port, is ':51001'",
        "LOGOS_LISTEN: must be unix:/path or host:port, is 'k.sock'",
        "LOGOS_METRICS_LISTEN: must be host:port, such as 127.0.0.1:9090, is '9090'",
    ]


def test_a_database_is_a_url_of_postgresql_and_not_shown(tmp_path: Path) -> None:
    url = "postgresql+asyncpg://logos:secret@db.internal/node1"

    assert parse(_variables(tmp_path, LOGOS_DATABASE="")).database is None
    config = parse(_variables(tmp_path, LOGOS_DATABASE=url))
    assert config.database == url
    assert "logos:" not in repr(config)
    assert _problems(_variables(tmp_path, LOGOS_DATABASE="mysql://logos:secret@db"), tmp_path) == [
        "LOGOS_DATABASE: must begin with postgresql+asyncpg://"
    ]


def test_all_problems_are_named_with_their_lines(tmp_path: Path) -> None:
    profile = """schema = 2
testnet = "Small"
runtime = "podman"
colour = "red"

[modules.mixnet]
manifest = "storage.toml"
price = 1

[modules.gone]
manifest = "gone.toml"

[modules.storage]
manifest = ""
[modules.storage.settings]
since = 2026-11-23

[kernel]
lease_ttl_ms = true
speed = 9
"""

    assert _problems(_variables(tmp_path, profile), tmp_path) == [
        "profile.toml:4: colour: unknown key",
        "profile.toml:1: schema: must be 1, is 2",
        "profile.toml:2: testnet: must be text like [a-z][a-z0-9-]{0,63}, is 'Small'",
        "profile.toml: node: must be text like [a-z][a-z0-9-]{0,63}, is None",
        f"profile.toml:3: runtime: must be one of {', '.join(Runtime)}, is 'podman'",
        "profile.toml:19: kernel.lease_ttl_ms: must be a whole number from 1, is True",
        "profile.toml:20: kernel.speed: unknown key",
        "profile.toml:8: modules.mixnet.price: unknown key",
        "storage.toml: name: must be 'mixnet', as in the profile",
        "gone.toml: No such file or directory",
        "profile.toml:14: modules.storage.manifest: must be the path of a manifest",
        (
            "profile.toml:15: modules.storage.settings: holds a date, a time, inf or nan, "
            "which JSON cannot express"
        ),
    ]


def test_a_profile_that_is_not_toml_says_where(tmp_path: Path) -> None:
    problems = _problems(_variables(tmp_path, "schema = 1\nnode = \n"), tmp_path)

    assert len(problems) == 1
    assert problems[0].startswith("profile.toml: not TOML: ")
    assert "line 2" in problems[0]


def test_two_modules_cannot_serve_one_service(tmp_path: Path) -> None:
    variables = _variables(tmp_path)
    (tmp_path / "mixnet.toml").write_text(
        MIXNET.replace("logos.network.v1.Gossip", "logos.storage.v1.Storage")
    )

    assert _problems(variables, tmp_path) == [
        "profile.toml:11: modules.storage: logos.storage.v1.Storage belongs to mixnet"
    ]


def test_no_module_serves_what_every_server_has(tmp_path: Path) -> None:
    variables = _variables(tmp_path)
    (tmp_path / "mixnet.toml").write_text(
        MIXNET.replace("logos.network.v1.Gossip", "grpc.health.v1.Health")
    )

    what = "grpc.health.v1.Health is served by every server itself, and cannot be routed"
    assert _problems(variables, tmp_path) == [f"profile.toml:6: modules.mixnet: {what}"]


def test_a_program_to_start_must_be_named(tmp_path: Path) -> None:
    variables = _variables(tmp_path)
    (tmp_path / "mixnet.toml").write_text('name = "mixnet"\nversion = "0.1.0"\n')

    assert _problems(variables, tmp_path) == ["mixnet.toml: command: must name a program"]


def test_a_program_may_lie_beside_its_manifest(tmp_path: Path) -> None:
    variables = _variables(tmp_path)
    (tmp_path / "go").mkdir()
    text = STORAGE.replace('["python", "-m", "logos_storage"]', '["./storage", "-x"]')
    (tmp_path / "go" / "storage.toml").write_text(text)
    profile = PROFILE.replace('"storage.toml"', '"go/storage.toml"')
    (tmp_path / "profile.toml").write_text(profile)

    plans = {plan.manifest.name: plan for plan in parse(variables).plans}

    assert plans["storage"].manifest.command == (str(tmp_path / "go" / "storage"), "-x")
    assert plans["mixnet"].manifest.command == ("python", "-m", "logos_mixnet")


def test_a_socket_path_that_is_too_long_is_refused_before_anything_starts(tmp_path: Path) -> None:
    run_dir = "/" + "r" * 94

    assert _problems(_variables(tmp_path, LOGOS_RUN_DIR=run_dir), tmp_path) == [
        f"LOGOS_RUN_DIR: {run_dir}/storage.sock is over 107 bytes"
    ]


def test_a_profile_says_how_modules_are_restarted_over_their_manifests(tmp_path: Path) -> None:
    variables = _variables(
        tmp_path,
        PROFILE
        + """
[groups.net]
strategy = "rest_for_one"
parent = "node"
max_restarts = 2
[groups.node]
[modules.storage.restart]
kind = "on_failure"
give_up = true
[modules.mixnet.restart]
jitter = 0.5
""",
    )
    (tmp_path / "storage.toml").write_text(
        STORAGE + 'group = "net"\n[restart]\nkind = "never"\nwindow_ms = 5000'
    )

    config = parse(variables)

    mixnet, storage = config.plans
    assert mixnet.restart == Restart(jitter=0.5)
    assert storage.restart == Restart(RestartKind.ON_FAILURE, window_ms=5000, give_up=True)
    assert (mixnet.group, storage.group) == ("", "net")
    assert config.groups == (
        Group("net", Strategy.REST_FOR_ONE, "node", max_restarts=2),
        Group("node"),
    )
    policy = config.policy.changed_by(storage.restart)
    assert (policy.kind, policy.window_ms, policy.lease_ttl_ms) == ("on_failure", 5000, 2000)


def test_a_profile_with_a_version_that_does_not_do_is_refused(tmp_path: Path) -> None:
    variables = _variables(tmp_path)
    manifest = STORAGE.replace('["mixnet"]', '["mixnet >=0.2"]')
    (tmp_path / "storage.toml").write_text(manifest)

    assert _problems(variables, tmp_path) == [
        "profile.toml:11: modules.storage: needs mixnet >=0.2, which is 0.1.0"
    ]


def test_a_profile_with_a_cycle_is_refused(tmp_path: Path) -> None:
    """kernel.md 14.11."""
    variables = _variables(tmp_path)
    (tmp_path / "mixnet.toml").write_text(f'{MIXNET}binds = ["storage"]\n')

    [problem] = _problems(variables, tmp_path)

    assert "modules: requires form a cycle: " in problem
    assert "mixnet -> storage" in problem


@pytest.mark.parametrize(
    ("addition", "problem"),
    [
        ("[groups.a]\nstrategy = 'all'", "groups.a.strategy: must be one of one_for_one, "),
        ("[groups.a]\nwindow_ms = 0", "groups.a.window_ms: must be a whole number from 1, is 0"),
        ("[groups.a]\ncolor = 1", "groups.a.color: unknown key"),
        ("[groups.A]", "groups.A: must be a table, and its name text like"),
        ("[groups.a]\nparent = 'b'", "groups.a.parent: there is no group 'b'"),
        (
            "[groups.a]\nparent = 'b'\n[groups.b]\nparent = 'a'",
            "groups: parents form a cycle: a -> b -> a",
        ),
        ("[modules.mixnet.restart]\nkind = 'often'", "modules.mixnet.restart.kind: must be one of"),
        ("[modules.mixnet.restart]\nnever = 1", "modules.mixnet.restart.never: unknown key"),
    ],
)
def test_wrong_groups_and_restarts_are_refused(tmp_path: Path, addition: str, problem: str) -> None:
    problems = _problems(_variables(tmp_path, PROFILE + addition), tmp_path)

    assert problem in problems[0]
    assert problems[0].startswith("profile.toml:")
