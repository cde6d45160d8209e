"""One-time codes: each opens once, for ten minutes, and only its hash is kept."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from logos_client.link_codes import (
    CODE_LENGTH,
    LIFETIME_S,
    Outcome,
    Spending,
    new_code,
    spend_code,
)


def test_a_code_is_spent_once(tmp_path: Path) -> None:
    code = new_code(tmp_path / "links", 1000)

    assert len(code) == CODE_LENGTH
    assert spend_code(tmp_path / "links", code, 1001) == Spending(Outcome.ACCEPTED, 1001)
    assert spend_code(tmp_path / "links", code, 1500) == Spending(Outcome.USED, 1001)


def test_a_code_ends(tmp_path: Path) -> None:
    code = new_code(tmp_path, 1000)

    spent = spend_code(tmp_path, code, 1000 + LIFETIME_S)

    assert spent == Spending(Outcome.EXPIRED, 1000 + LIFETIME_S)


def test_what_was_never_made_is_unknown(tmp_path: Path) -> None:
    assert spend_code(tmp_path / "none", "../../etc/passwd", 1).outcome is Outcome.UNKNOWN


def test_the_folder_does_not_hold_the_code(tmp_path: Path) -> None:
    code = new_code(tmp_path, 1000)

    assert all(code not in path.name + path.read_text() for path in tmp_path.iterdir())


def test_of_many_who_spend_it_one_succeeds(tmp_path: Path) -> None:
    code = new_code(tmp_path, 1000)

    with ThreadPoolExecutor(16) as pool:
        spent = list(pool.map(lambda _: spend_code(tmp_path, code, 1001), range(64)))

    assert [each.outcome for each in spent].count(Outcome.ACCEPTED) == 1


def test_old_codes_are_forgotten(tmp_path: Path) -> None:
    for _ in range(250):
        new_code(tmp_path)

    assert len(list(tmp_path.iterdir())) <= 200
