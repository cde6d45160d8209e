"""What people copy from a terminal stays in one piece, and what moves its cursor is escaped."""

import io
import json
import sys

import pytest

from logos_cli.console import Output, print_json, print_rows

CID = "zDvZRwzm5JgJH7RBLQ9Zx4w6rzTzPr4QNgyjZJxkjh9WHw3rLC2Z"
COLUMNS = ("cid", "filename", "stored_at")


def row(filename: str) -> dict[str, str]:
    return {"cid": CID, "filename": filename, "stored_at": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize("on_terminal", [True, False])
def test_a_row_is_one_line_however_narrow_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], on_terminal: bool
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: on_terminal)

    print_rows([row("a name with spaces that is rather long"), row("b")], COLUMNS, Output.TABLE)

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert all(CID in line and "2026-01-01T00:00:00Z" in line for line in lines[1:])


def test_names_cannot_break_a_row_or_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([row("a\nb\x1b[2Jc\udcff")], COLUMNS, Output.TABLE)

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert r"a\nb\x1b[2Jc\udcff" in lines[1]


def test_columns_stand_below_one_another_whatever_the_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_rows(
        [{"a": "奶酪", "b": 1}, {"a": "e\u0301", "b": True}, {"b": None}], ("a", "b"), Output.TABLE
    )

    assert capsys.readouterr().out == "A     B\n奶酪  1\ne\u0301     yes\n-     -\n"


def test_json_is_valid_where_stdout_holds_ascii_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    narrow = io.TextIOWrapper(written, encoding="ascii", errors="backslashreplace")
    monkeypatch.setattr(sys, "stdout", narrow)

    print_json({"filename": "kö🙂"})

    narrow.flush()
    assert json.loads(written.getvalue()) == {"filename": "kö🙂"}
