import stat
import subprocess
from functools import partial
from pathlib import Path

import pytest

from logos_base.errors import ConfigError
from logos_mixnet.core.errors import IdentityLostError
from logos_mixnet.store import files

load_or_create_secret = partial(files.load_or_create_secret, database=Path("/nowhere/db"))


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "identity.key"

    first = load_or_create_secret(path)

    assert load_or_create_secret(path) == first
    assert len(first) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["identity.key"]


def test_nodes_do_not_share_keys(tmp_path: Path) -> None:
    assert load_or_create_secret(tmp_path / "a.key") != load_or_create_secret(tmp_path / "b.key")


def test_a_half_written_key_of_a_crash_is_not_used(tmp_path: Path) -> None:
    (tmp_path / ".identity.key.new").write_bytes(b"half")

    assert len(load_or_create_secret(tmp_path / "identity.key")) == 32


@pytest.mark.parametrize("content", [b"", b"short", bytes(32), b"x" * 33])
def test_a_file_that_is_no_key_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "identity.key"
    path.write_bytes(content)

    with pytest.raises(ConfigError):
        load_or_create_secret(path)

    assert path.read_bytes() == content


@pytest.mark.parametrize("content", [b"", b"rows"])
def test_a_lost_key_beside_the_database_of_its_node_is_a_refusal_with_ways_out(
    tmp_path: Path, content: bytes
) -> None:
    key, database = tmp_path / "identity.key", tmp_path / "mixnet.sqlite"
    first = files.load_or_create_secret(key, database=database)
    database.write_bytes(content)
    key.rename(tmp_path / "backup")

    for _ in range(2):
        with pytest.raises(IdentityLostError) as caught:
            files.load_or_create_secret(key, database=database)
        assert {path.name for path in tmp_path.iterdir()} == {"backup", "mixnet.sqlite"}

    assert str(key) in str(caught.value)
    assert "mixnet.sqlite" in str(caught.value)
    (tmp_path / "backup").rename(key)
    assert files.load_or_create_secret(key, database=database) == first
    key.unlink()
    command = str(caught.value).partition("begin with a new identity: ")[2]
    subprocess.run(["sh", "-c", command], check=True)
    assert files.load_or_create_secret(key, database=database) != first
    assert (tmp_path / "lost" / "mixnet.sqlite").read_bytes() == content
