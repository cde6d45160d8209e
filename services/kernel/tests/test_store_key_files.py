"""KER-15, KER-22: the files of a kernel's keys."""

from pathlib import Path

import pytest

from logos_kernel.store.key_files import MasterKeyError, load_master_key, write_join_secret


def test_the_master_key_is_made_once_and_private(tmp_path: Path) -> None:
    made = load_master_key(tmp_path)

    assert len(made) == 32
    assert load_master_key(tmp_path) == made
    assert (tmp_path / "master.key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "other").mkdir()
    assert load_master_key(tmp_path / "other") != made


@pytest.mark.parametrize("content", [b"", b"m" * 31, b"m" * 33])
def test_a_master_key_of_another_size_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "master.key").write_bytes(content)

    with pytest.raises(MasterKeyError, match="restore it from a backup"):
        load_master_key(tmp_path)

    assert (tmp_path / "master.key").read_bytes() == content


def test_a_join_secret_is_written_where_it_is_missing_or_another(tmp_path: Path) -> None:
    path = tmp_path / "chat" / "secret"

    write_join_secret(path, b"a" * 32)
    inode = path.stat().st_ino
    write_join_secret(path, b"a" * 32)
    assert path.stat().st_ino == inode
    write_join_secret(path, b"b" * 32)

    assert path.read_bytes() == b"b" * 32
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    path = tmp_path / "passphrase"
    path.write_text("correct horse\n")
    return path


def test_a_passphrase_encrypts_the_key_and_is_asked_for(tmp_path: Path, passphrase: Path) -> None:
    made = load_master_key(tmp_path, passphrase=passphrase)

    path = tmp_path / "master.key"
    assert made not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_master_key(tmp_path, passphrase=passphrase) == made
    with pytest.raises(MasterKeyError, match="set LOGOS_PASSPHRASE"):
        load_master_key(tmp_path)
    passphrase.write_text("another horse")
    with pytest.raises(MasterKeyError, match="the passphrase is wrong"):
        load_master_key(tmp_path, passphrase=passphrase)


def test_a_key_in_clear_text_is_encrypted_once_there_is_a_passphrase(
    tmp_path: Path, passphrase: Path
) -> None:
    made = load_master_key(tmp_path)

    assert load_master_key(tmp_path, passphrase=passphrase) == made
    assert made not in (tmp_path / "master.key").read_bytes()


@pytest.mark.parametrize("size", range(0, 92, 7))
def test_a_damaged_file_is_refused_and_kept(tmp_path: Path, passphrase: Path, size: int) -> None:
    load_master_key(tmp_path, passphrase=passphrase)
    path = tmp_path / "master.key"
    cut = path.read_bytes()[: 16 + size % 76]
    path.write_bytes(cut)

    with pytest.raises(MasterKeyError):
        load_master_key(tmp_path, passphrase=passphrase)
    assert path.read_bytes() == cut


@pytest.mark.parametrize("word", ["", "short"])
def test_a_passphrase_that_is_none_is_refused(tmp_path: Path, word: str) -> None:
    path = tmp_path / "passphrase"
    path.write_text(word)

    with pytest.raises(MasterKeyError, match="8 bytes at least"):
        load_master_key(tmp_path, passphrase=path)


def test_a_key_that_an_engine_gives_is_used_and_not_copied(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.write_bytes(b"g" * 32)

    assert load_master_key(tmp_path, given=given) == b"g" * 32
    assert not (tmp_path / "master.key").exists()
    given.write_bytes(b"g" * 31)
    with pytest.raises(MasterKeyError, match="31 bytes"):
        load_master_key(tmp_path, given=given)
    with pytest.raises(MasterKeyError, match="cannot be read"):
        load_master_key(tmp_path, given=tmp_path / "missing")
