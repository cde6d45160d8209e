"""Sessions: only hashes are kept, they slide, are bounded, and outlive the app."""

import stat
from pathlib import Path

import pytest

from logos_app.security.sessions import LIFETIME_S, MOST, Sessions


def test_a_session_is_found_by_its_cookie_alone(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path / "sessions.json")
    secret, session = sessions.open(1000)

    assert sessions.find(secret, 1001) == session
    assert sessions.find(session.digest, 1001) is None
    assert sessions.find("another", 1001) is None


def test_the_file_is_private_and_holds_no_cookie(tmp_path: Path) -> None:
    file = tmp_path / "sessions.json"
    secret, _ = Sessions(file).open(1000)

    assert secret not in file.read_text(encoding="ascii")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_sessions_outlive_the_app(tmp_path: Path) -> None:
    secret, session = Sessions(tmp_path / "sessions.json").open(1000)

    assert Sessions(tmp_path / "sessions.json").find(secret, 1001) == session


def test_a_session_slides_and_ends(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path / "sessions.json")
    secret, _ = sessions.open(0)

    assert sessions.find(secret, LIFETIME_S - 1) is not None
    assert sessions.find(secret, 2 * LIFETIME_S - 2) is not None
    assert sessions.find(secret, 3 * LIFETIME_S) is None


def test_a_session_that_was_ended_is_gone_for_a_later_app_too(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path / "sessions.json")
    secret, session = sessions.open(0)

    sessions.end(session)

    assert sessions.find(secret, 1) is None
    assert Sessions(tmp_path / "sessions.json").find(secret, 1) is None


def test_the_longest_unused_makes_room(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path / "sessions.json")
    secrets = [sessions.open(at)[0] for at in range(MOST + 1)]

    assert sessions.find(secrets[0], MOST + 2) is None
    assert all(sessions.find(secret, MOST + 2) is not None for secret in secrets[1:])


@pytest.mark.parametrize("content", ["", "[", "{}", '[{"name": 1}]', "[1]"])
def test_a_file_that_cannot_be_read_holds_no_sessions(content: str, tmp_path: Path) -> None:
    file = tmp_path / "sessions.json"
    file.write_text(content, encoding="ascii")

    sessions = Sessions(file)

    assert sessions.find(sessions.open(0)[0], 1) is not None
