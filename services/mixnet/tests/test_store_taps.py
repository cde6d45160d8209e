import stat
from pathlib import Path

import pytest

from full_disk import filled, small_disk
from logos_mixnet.core.errors import StoreError
from logos_mixnet.store.taps import TapFile


def test_lines_are_appended_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "taps.jsonl"
    file = TapFile(path)
    assert file.size_bytes() == 0

    file.append(b"one\n")
    TapFile(path).append(b"two\n")

    assert path.read_bytes() == b"one\ntwo\n"
    assert file.size_bytes() == 8
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file"):
        TapFile(tmp_path / "gone" / "taps.jsonl").append(b"one\n")


def test_a_full_disk_leaves_no_half_a_line(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        file = TapFile(disk / "taps.jsonl")
        file.append(b"one\n")
        line = bytes(16_384) + b"\n"
        with filled(disk), pytest.raises(StoreError, match="No space left"):
            file.append(line)
        assert file.size_bytes() == 4

        file.append(line)
        assert file.size_bytes() == 4 + len(line)
