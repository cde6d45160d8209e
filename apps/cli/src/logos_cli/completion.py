"""Completion by the shell, also of `./logos`, which is no word that a variable can hold.

Shells look commands up by their last part, so what is registered for `logos` serves
`./logos` and `../logos`; the scripts then run what was typed.
"""

import os
from pathlib import Path
from typing import Any, Final

import shellingham
import typer
from typer.completion import (  # type: ignore[attr-defined]  # not re-exported
    get_completion_script,
    install,
)

from logos_cli.exits import UsageError

_TYPED: Final = {"zsh": "${words[1]}", "fish": "(commandline -opc)[1]"}
"""What stands for the command as it was typed, where the script of Typer names it."""


def complete_variable(program: str) -> str:
    """The variable that asks a program to complete; a valid name in every shell."""
    return f"_{_last_part(program).upper()}_COMPLETE"


def script(shell: str, program: str) -> str:
    """What a shell reads to complete a program.

    Args:
        shell: bash, zsh or fish.
        program: As its users type it.
    """
    name, variable = _last_part(program), complete_variable(program)
    text = get_completion_script(prog_name=name, complete_var=variable, shell=shell)
    if shell == "zsh":
        return text.replace(f"=complete_zsh {name}", f"=complete_zsh {_TYPED[shell]}")
    if shell == "fish":
        return text.replace(f"(commandline -cp) {name}", f"(commandline -cp) {_TYPED[shell]}")
    return text


def show_callback(context: Any, _: object, wanted: object) -> object:
    """Prints the script for the shell that runs us."""
    if wanted and not context.resilient_parsing:
        print(script(_shell(), _program(context)))
        raise typer.Exit
    return wanted


def install_callback(context: Any, _: object, wanted: object) -> object:
    """Writes the script to where the shell that runs us reads it."""
    if wanted and not context.resilient_parsing:
        program, shell = _program(context), _shell()
        _, path = install(shell, _last_part(program), complete_variable(program))
        path.write_text(script(shell, program) + "\n", encoding="utf-8")
        print(f"{shell} completion installed in {path}; it works in new shells")
        raise typer.Exit
    return wanted


def _shell() -> str:
    try:
        name, _ = shellingham.detect_shell()
    except shellingham.ShellDetectionFailure:
        name = Path(os.environ.get("SHELL", "")).name
    if name not in {"bash", *_TYPED}:
        raise UsageError(f"bash, zsh and fish can be completed, {name or 'no shell'} cannot")
    return str(name)


def _last_part(program: str) -> str:
    return Path(program).name


def _program(context: Any) -> str:
    return str(context.find_root().info_name)
