"""A program beside the tests: what it says comes at the end, whole, and it never stays."""

import signal
import sys
import time
from pathlib import Path

import pytest

from logos_cli.beside import beside

SAYS_LATER = """
import pathlib, sys, time
print("grüße, at once", file=sys.stderr, flush=True)
while not pathlib.Path("asked").exists():
    time.sleep(0.01)
print("and later", file=sys.stderr)
print('{"runs": []}')
"""
CLEANS_UP = """
import pathlib, time
try:
    pathlib.Path("started").touch()
    time.sleep(600)
except KeyboardInterrupt:
    pathlib.Path("cleaned").touch()
"""


def program(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_it_is_heard_when_it_is_asked_for(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with beside(program(SAYS_LATER), tmp_path) as other:
        heard_before = capfd.readouterr()
        (tmp_path / "asked").touch()
        answer = other.finish()

    assert heard_before == ("", "")
    assert answer == {"runs": []}
    assert capfd.readouterr() == ("", "grüße, at once\nand later\n")


@pytest.mark.parametrize("text", ["", "print('oh')", "print('[1]')"])
def test_what_is_no_object_is_no_answer(tmp_path: Path, text: str) -> None:
    with beside(program(text), tmp_path) as other:
        assert other.finish() is None


def test_an_interrupt_of_the_body_lets_it_clean_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.isatty", lambda _: False)

    with pytest.raises(KeyboardInterrupt), beside(program(CLEANS_UP), tmp_path):  # noqa: PT012
        while not (tmp_path / "started").exists():
            time.sleep(0.01)
        signal.raise_signal(signal.SIGINT)

    assert (tmp_path / "cleaned").exists()
