"""Fetched content replaces a file as a whole, and keeps of it what `cp` keeps."""

import errno
import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from logos_cli.outputs import output_to


class GoneError(Exception):
    """Stands in for a call that fails."""


async def write(file: Path, *frames: bytes, broken: bool = False) -> None:
    async with output_to(str(file)) as output:
        for frame in frames:
            await output.write(frame)
        if broken:
            raise GoneError


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_content_is_written_where_a_link_leads(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"old")
    for name in ("there", "not-yet"):
        (tmp_path / f"link-to-{name}").symlink_to(name)
        await write(tmp_path / f"link-to-{name}", b"new")

    assert names_in(tmp_path) == ["link-to-not-yet", "link-to-there", "not-yet", "there"]
    for name in ("there", "not-yet"):
        assert (tmp_path / f"link-to-{name}").is_symlink()
        assert (tmp_path / name).read_bytes() == b"new"


async def test_an_old_file_keeps_its_mode_and_owner(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_bytes(b"older")
    if os.geteuid() == 0:
        os.chown(target, 12345, 54321)
    target.chmod(0o604)
    before = target.stat()

    await write(target, b"new")

    after = target.stat()
    assert target.read_bytes() == b"new"
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        (before.st_mode, before.st_uid, before.st_gid)
    )
    assert after.st_mtime_ns >= before.st_mtime_ns


async def test_an_old_file_keeps_its_other_names(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"a longer one")
    (tmp_path / "other").hardlink_to(tmp_path / "out")

    with pytest.raises(GoneError):
        await write(tmp_path / "out", broken=True)
    assert (tmp_path / "other").read_bytes() == b"a longer one"

    await write(tmp_path / "out", b"new")
    assert (tmp_path / "other").read_bytes() == b"new"

    await write(tmp_path / "out")
    assert (tmp_path / "other").read_bytes() == b""
    assert names_in(tmp_path) == ["other", "out"]


@contextmanager
def as_nobody() -> Iterator[None]:
    """No root in the body, who may do everything; other users stay who they are."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder below none that is closed to others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)
        Path(name).chmod(0o700)


@pytest.fixture
def closed_folder(open_folder: Path) -> Path:
    """A folder in which no file can be made, with a writable `out`."""
    (open_folder / "out").write_bytes(b"a longer one")
    (open_folder / "out").chmod(0o666)
    open_folder.chmod(0o555)
    return open_folder


async def test_a_file_in_a_closed_folder_is_written_in_place(closed_folder: Path) -> None:
    target, other = closed_folder / "out", closed_folder / "other"

    with as_nobody():
        await write(target, b"new")
        with pytest.raises(PermissionError) as caught:
            await write(other, b"new")

    assert target.read_bytes() == b"new"
    assert caught.value.filename == str(other)


async def test_a_file_that_may_not_be_written_is_not_replaced(open_folder: Path) -> None:
    target = open_folder / "out"
    target.write_bytes(b"old")
    target.chmod(0o444)

    with as_nobody(), pytest.raises(PermissionError):
        await write(target, b"new")

    assert target.read_bytes() == b"old"
    assert names_in(open_folder) == ["out"]


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a file of another user")
async def test_a_file_of_another_user_stays_theirs(open_folder: Path) -> None:
    target = open_folder / "out"
    target.write_bytes(b"a longer one")
    target.chmod(0o666)

    with as_nobody():
        await write(target, b"new")

    assert (target.read_bytes(), target.stat().st_uid) == (b"new", 0)
    assert names_in(open_folder) == ["out"]


@pytest.mark.parametrize("size", [1, 245, 246, 255])
async def test_names_of_any_length_are_written(tmp_path: Path, size: int) -> None:
    await write(tmp_path / ("n" * size), b"new")

    assert names_in(tmp_path) == ["n" * size]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("newdir/", IsADirectoryError),
        ("newdir/.", IsADirectoryError),
        ("folder", IsADirectoryError),
        ("folder/", IsADirectoryError),
        ("link", IsADirectoryError),
        ("file/", NotADirectoryError),
        ("file/out", NotADirectoryError),
        ("newdir/out", FileNotFoundError),
        ("dangling", FileNotFoundError),
        ("n" * 256, OSError),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else value.__name__,
)
async def test_what_can_be_no_file_is_refused_before_anything_is_fetched(
    tmp_path: Path, name: str, error: type[OSError]
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("folder")
    (tmp_path / "dangling").symlink_to("newdir/out")
    before = names_in(tmp_path)

    with pytest.raises(error) as caught:
        async with output_to(f"{tmp_path}/{name}"):
            pytest.fail("the content would be fetched now")

    assert caught.value.filename == f"{tmp_path}/{name}"
    assert names_in(tmp_path) == before


async def test_a_disk_that_is_full_is_reported_with_the_name() -> None:
    with pytest.raises(OSError) as caught:
        await write(Path("/dev/full"), b"x")

    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, "/dev/full")


async def test_a_file_that_cannot_be_written_to_its_end_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_bytes(b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1001, before[1]))
    try:
        with pytest.raises(OSError) as caught:
            await write(target, bytes(1000), bytes(1000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(target))
    assert target.read_bytes() == b"old"
    assert names_in(tmp_path) == ["out"]
