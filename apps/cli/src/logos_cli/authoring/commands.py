"""`module new` and `module check`, of `logosctl` and of `./logos`."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from logos_cli.console import Output, print_json, shown, stderr
from logos_cli.exits import Exit, explained
from logos_cli.session import FormOption, Session
from logos_cli.streams import STDIN

command: Final = typer.Typer(
    help="Make and check a module of your own.", add_completion=False, no_args_is_help=True
)


@command.callback()
def group() -> None:
    """Make and check a module of your own."""


@command.command("new")
def new_module(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the module, e.g. greeter.")],
    directory: Annotated[
        Path, typer.Option(help="Where its folder is made.", exists=True, file_okay=False)
    ] = Path(),
    output: FormOption = None,
) -> None:
    """Make a module: manifest, contract, code, tests, Dockerfile."""
    from logos_cli.authoring.new import make_module  # noqa: PLC0415 - not for other commands

    with explained():
        folder = make_module(name, directory)
        if _form(context, output) is Output.JSON:
            print_json({"module": name, "folder": str(folder)})
    _say(f"made {folder}: its README.md says how to go on")


@command.command("check")
def check_module(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(help="Folder of the module.", exists=True, file_okay=False)
    ],
    *,
    run: Annotated[
        bool, typer.Option("--run", help="Also start it, and prove that it keeps the contract.")
    ] = False,
    settings: Annotated[str, typer.Option(help="With --run: its settings, a JSON object.")] = "{}",
    beside: Annotated[
        list[Path] | None,
        typer.Option(
            help="With --run: folder of a module that it calls, to run beside it; again for more,"
            " each after those that it calls itself.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    output: FormOption = None,
) -> None:
    """Check a module's manifest and contracts; with --run, all that a kernel expects of it."""
    from logos_cli.authoring.check import examine  # noqa: PLC0415 - not for other commands

    with explained():
        found = examine(folder)
        for problem in found.problems:
            _say(str(problem))
        proved = _prove(folder, settings, beside or []) if run and not found.problems else []
        passed = not found.problems and all(each["passed"] for each in proved)
        if _form(context, output) is Output.JSON:
            name = found.manifest.name if found.manifest else None
            problems = [asdict(each) for each in found.problems]
            print_json({"module": name, "passed": passed, "problems": problems, "checks": proved})
        elif passed:
            _say(f"{found.manifest.name if found.manifest else folder} is in order")
    if not passed:
        raise typer.Exit(Exit.FAILED)


def _prove(folder: Path, settings: str, beside: list[Path]) -> list[dict[str, Any]]:
    """Runs the suite, in a process of its own; shows each check as it ends."""
    words = [sys.executable, "-m", "logos_module.conformance", str(folder), "--settings", settings]
    words += [f"--beside={other}" for other in beside]
    proved = []
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as suite:
        try:
            for line in suite.stdout or ():
                proved.append(json.loads(line))
                _say(_line(**proved[-1]))
        except BaseException:
            if not os.isatty(STDIN):  # a terminal interrupts it itself
                suite.send_signal(signal.SIGINT)  # it ends its module
            raise
    if suite.returncode not in {0, 1} or not proved:
        raise typer.Exit(Exit.USAGE)
    return proved


def _line(check: str, problem: str, *, passed: bool) -> str:
    return f"ok     {check}" if passed else f"FAILED {check}: {problem}"


def _form(context: typer.Context, own: Output | None) -> Output:
    """Returns the output format: the command's own, else that of `logosctl`."""
    session = context.find_object(Session)
    return own or (session.output if session is not None else Output.TABLE)


def _say(line: str) -> None:
    stderr().print(shown(line), highlight=False, markup=False, soft_wrap=True)
