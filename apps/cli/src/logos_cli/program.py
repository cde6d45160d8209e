"""The command line as a whole: options of every command, and its run."""

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Annotated, Any, Final, cast

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_install_completion_arguments

from logos_cli.arguments import is_utf8, skip_conversion
from logos_cli.commands import Group
from logos_cli.completion import complete_variable, install_callback, show_callback

SETTINGS: Final = {"help_option_names": ["-h", "--help"]}
"""For the apps; commands inherit it."""

EPILOG: Final = (
    "Exit codes: 0 done, 2 wrong input, 3 no answer, retry later, 4 not found, 5 failed, 6 refused,"
    " 128 + n ended by signal n."
)

_FILE_NAMES: Final = frozenset({"file", "selection"})
"""Parameters that are names of files, which may be any bytes."""

_shared = typer.Typer(add_completion=False)


@_shared.command()
def _every_command(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, expose_value=False, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Holds the options that every command has."""


def run_program(app: typer.Typer, name: str) -> None:
    """Runs the command that the arguments name; ends by SystemExit.

    Args:
        app: The commands.
        name: The program, as users type it.
    """
    built(app).main(prog_name=name, complete_var=complete_variable(name))


def built(app: typer.Typer) -> TyperGroup:
    """Builds the commands of an app, with the options that all of them have."""
    root = cast(TyperGroup, get_command(app))
    install, show = get_install_completion_arguments()
    install.callback, show.callback = install_callback, show_callback
    root.params += [install, show]
    _finish(root)
    return root


def _finish(command: Any) -> None:
    """Adds the common options to `command` and to its subcommands."""
    for param in command.params:
        if param.callback is None and param.name not in _FILE_NAMES:
            param.callback = _refuse_other_bytes
    command.params.append(_version_option())
    command.get_params = partial(_params, command.get_params)
    if isinstance(command, Group):
        command.finish_each(_finish)
    else:
        for below in getattr(command, "commands", {}).values():
            _finish(below)


def _params(of_command: Callable[[Any], list[Any]], context: Any) -> list[Any]:
    """Returns the parameters of a command, with that for help, which Typer adds last."""
    params = of_command(context)
    for param in params:
        skip_conversion(param)
    return params


@cache
def _version_option() -> Any:
    [option] = get_command(_shared).params
    option.callback = _print_version
    return option


def walk(command: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yields `command`, then every subcommand and group, with their names."""
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from walk(below, *path, name)


def _print_version(context: Any, _: object, wanted: object) -> object:
    if wanted and not context.resilient_parsing:
        from importlib.metadata import version  # noqa: PLC0415 - no other command needs it

        print(f"{context.find_root().info_name} {version('logos-cli')}")
        raise typer.Exit
    return wanted


def _refuse_other_bytes(_: object, param: Any, value: object) -> object:
    """Refuses strings that are not UTF-8: those for nodes and names of nodes must be."""
    if isinstance(value, str) and not is_utf8(value):
        raise typer.BadParameter(f"{value!a} is not UTF-8", param=param)
    return value
