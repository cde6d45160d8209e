"""Files that hold secrets are private, whole and replaced in one step."""

import os
from pathlib import Path

import pytest

from logos_client.private_files import create_private, write_private


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_private(tmp_path / "key", b"secret")
    finally:
        os.umask(before)

    assert (tmp_path / "key").read_bytes() == b"secret"
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_a_rest_of_a_killed_process_does_not_matter(tmp_path: Path) -> None:
    rest = tmp_path / ".key.new"
    rest.write_bytes(b"much longer than the secret")
    rest.chmod(0o644)

    write_private(tmp_path / "key", b"secret")

    assert [path.name for path in tmp_path.iterdir()] == ["key"]
    assert (tmp_path / "key").read_bytes() == b"secret"
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_written_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_private(tmp_path / "key", b"old")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_private(tmp_path / "key", b"new")

    assert (tmp_path / "key").read_bytes() == b"old"


def test_a_new_file_replaces_no_other(tmp_path: Path) -> None:
    create_private(tmp_path / "key", b"first")

    with pytest.raises(FileExistsError):
        create_private(tmp_path / "key", b"second")

    assert [path.name for path in tmp_path.iterdir()] == ["key"]
    assert (tmp_path / "key").read_bytes() == b"first"
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
