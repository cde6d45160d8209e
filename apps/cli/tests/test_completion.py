"""Completion as shells do it, through the script `./logos` and Debian's /bin/sh."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BASH = """
source "$1"; shift
complete -p logos
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_logos_completion "$1"
printf '%s\\n' "${COMPREPLY[@]}"
"""
ZSH = """
compdef() { print -r -- "complete $2" }
_arguments() { print -r -- "$@" | grep -o '"[a-z]*":' | tr -d '":' }
source "$1"; shift
words=("$@"); CURRENT=$#
_logos_completion
"""
FISH = """
source $argv[1]; complete | grep -o 'logos' | head -1
complete -C "$argv[2..]" | cut -f1
"""
SHELLS = {
    "bash": ["bash", "-c", BASH, "-"],
    "zsh": ["zsh", "-fc", ZSH, "-"],
    "fish": ["fish", "--no-config", "-c", FISH],
}
OFFERS = [
    (["./logos", "ct"], ["ctl"]),
    (["./logos", "ctl", "module", "st"], ["start", "stats", "stop"]),
    (["./logos", "ctl", "storage", "sp"], ["space"]),
]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that is ready to run, in a folder with a space; the home of who uses it."""
    folder = tmp_path / "a checkout"
    folder.mkdir()
    (folder / "logos").symlink_to(ROOT / "logos")
    return folder


def run(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        cwd=checkout,
        env={**os.environ, "HOME": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("typed", "offers"), OFFERS)
def test_commands_are_offered(
    checkout: Path, shell: str, typed: list[str], offers: list[str]
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    # The shell is found by looking at who runs us: a word after it keeps it from an exec.
    script = run(checkout, shell, "-c", "./logos --show-completion; true")
    assert script.returncode == 0, script.stderr
    (checkout / "script").write_text(script.stdout)
    words = [" ".join(typed)] if shell == "fish" else typed

    completed = run(checkout, *SHELLS[shell], "./script", *words)

    assert completed.stderr == ""
    assert "logos" in completed.stdout.splitlines()[0]
    assert sorted(completed.stdout.splitlines()[1:]) == offers


def test_installed_for_bash_it_works_in_the_next_shell(checkout: Path) -> None:
    installed = run(checkout, "bash", "-c", "./logos --install-completion; true")
    assert installed.returncode == 0, installed.stderr

    asked = run(checkout, "bash", "-c", "source ~/.bashrc; complete -p logos")

    assert asked.stdout == "complete -o default -F _logos_completion logos\n"


def test_a_shell_that_cannot_be_completed_is_named(checkout: Path) -> None:
    ended = run(checkout, "/bin/sh", "-c", "./logos --show-completion; exit $?")

    if Path("/bin/sh").resolve().name == "dash":
        assert ended.returncode == 2
        assert "bash, zsh or fish" in ended.stderr
