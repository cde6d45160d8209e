"""Files with the token of an operator."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from logos_client.token_file import (
    BEARER,
    TokenFileError,
    make_token_file,
    new_bearer,
    read_token,
    replace_token_file,
)


def test_a_bearer_is_new_each_time() -> None:
    bearers = {new_bearer() for _ in range(100)}

    assert len(bearers) == 100
    assert all(BEARER.fullmatch(each) for each in bearers)
    assert {len(each) for each in bearers} == {49}


def test_a_file_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "operator.token"

    assert read_token(path) is None
    bearer = make_token_file(path)

    assert make_token_file(path) == bearer == read_token(path)
    assert path.read_text() == f"{bearer}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_all_that_make_a_file_at_once_get_the_same(tmp_path: Path) -> None:
    makers = 8
    together = Barrier(makers)

    def make(path: Path) -> str:
        together.wait()
        return make_token_file(path)

    with ThreadPoolExecutor(makers) as pool:
        for attempt in range(20):
            path = tmp_path / f"{attempt}.token"
            made = set(pool.map(make, [path] * makers))
            assert made == {read_token(path)}
    assert len(list(tmp_path.iterdir())) == 20


def test_a_file_is_replaced_whatever_it_holds(tmp_path: Path) -> None:
    path, bearer = tmp_path / "operator.token", new_bearer()
    path.write_bytes(b"something else")
    path.chmod(0o644)

    replace_token_file(path, bearer)

    assert read_token(path) == bearer
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "content",
    [b"", b"logos_short\n", b"\xff\xfe", b"logos_" + b"a" * 44, b"a" * 49, b"two\nlines"],
)
def test_a_file_that_holds_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "operator.token"
    path.write_bytes(content)

    with pytest.raises(TokenFileError, match=r"operator\.token holds no token"):
        make_token_file(path)

    assert path.read_bytes() == content


def test_what_cannot_be_read_is_an_error_that_names_it(tmp_path: Path) -> None:
    folder = tmp_path / "operator.token"
    folder.mkdir()

    with pytest.raises(TokenFileError, match=r"operator\.token cannot be read: Is a directory"):
        read_token(folder)


def test_a_file_needs_its_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        make_token_file(tmp_path / "none" / "operator.token")
