"""Shell completion, also of `./logos`, which is not a valid name of a variable.

Shells look commands up by their last part, so the completion of `logos` also serves `./logos`
and `../logos`; the scripts then run the command as typed.
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
"""Shell expressions for the command as typed, which replace the name in Typer's script."""


def complete_variable(program: str) -> str:
    """Returns the variable that requests completion; a valid name in every shell."""
    return f"_{_last_part(program).upper()}_COMPLETE"


def script(shell: str, program: str) -> str:
    """Returns the script by which a shell completes a program.

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
    """Prints the script for the calling shell."""
    if wanted and not context.resilient_parsing:
        print(script(_shell(), _program(context)))
        raise typer.Exit
    return wanted


def install_callback(context: Any, _: object, wanted: object) -> object:
    """Installs the script for the calling shell."""
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
        raise UsageError(
            f"completion needs bash, zsh or fish, and this is {name or 'no known shell'}"
        )
    return str(name)


def _last_part(program: str) -> str:
    return Path(program).name


def _program(context: Any) -> str:
    return str(context.find_root().info_name)
