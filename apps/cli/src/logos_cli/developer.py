"""`./logos test`, `check`, `lock`, `proto`, `shots`, `render`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from logos_cli import checks, locks, protos, tiers
from logos_cli.console import Output, OutputOption, print_json
from logos_cli.exits import Exit, explained
from logos_cli.programs import ProgramFailedError, capture, tool, tool_environment
from logos_cli.selection import DEFAULT_TOPOLOGY
from logos_cli.target import repository
from logos_testnet.compose import render_compose
from logos_testnet.manifests import load_manifests
from logos_testnet.opening import described_by
from logos_testnet.plan import container_plan

_OWN = ("-h", "--help", "--version")


class PassingOn(TyperCommand):
    """A command that passes its arguments to another program, except our own options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Extracts our options from the arguments before `--`; passes the others on unchanged."""
        words, own, rest = iter(args), [], []
        for word in words:
            if word == "--":
                break
            if word in _OWN or word.startswith("--output="):
                own.append(word)
            elif word == "--output":
                own += [word, *(value for value in [next(words, None)] if value is not None)]
            else:
                rest.append(word)
        return super().parse_args(ctx, [*own, "--", *rest, *words])


tests = typer.Typer(add_completion=False)


@tests.command(cls=PassingOn)
def test(
    selection: Annotated[
        list[str],
        typer.Argument(
            default_factory=list,
            help=f"{', '.join(tiers.TIERS)}, or arguments of pytest.",
        ),
    ],
    output: OutputOption = Output.TABLE,  # noqa: PT028 - a command, not a test
) -> None:
    """Run tests: all tiers, or the given ones."""
    with explained():
        as_json = output is Output.JSON
        runs = tiers.run_tests(repository(), selection, to_stderr=as_json)
        passed = not any(each.result is tiers.Result.FAILED for each in runs)
        if as_json:
            print_json({"passed": passed, "runs": [asdict(each) for each in runs]})
        if not passed:
            raise typer.Exit(Exit.FAILED)


def check(
    only: Annotated[list[str] | None, typer.Argument(help="Checks by name; all if none.")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Run every check that CI runs."""
    with explained():
        done = checks.run_checks(repository(), only or [])
        passed = all(each.passed for each in done)
        if output is Output.JSON:
            print_json({"passed": passed, "checks": [asdict(each) for each in done]})
        if not passed:
            raise typer.Exit(Exit.FAILED)


def lock(
    *,
    upgrade: Annotated[bool, typer.Option("--upgrade", help="Take the newest versions.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Resolve all dependencies into requirements*.lock; what is locked keeps its version."""
    with explained():
        written = locks.write_locks(repository(), upgrade=upgrade)
        if output is Output.JSON:
            print_json({"written": written})


def proto(output: OutputOption = Output.TABLE) -> None:
    """Generate the code of libs/logos-api from proto/."""
    with explained():
        contracts = protos.generate(repository())
        if output is Output.JSON:
            print_json({"contracts": contracts, "written": str(protos.GENERATED)})


def shots(
    folder: Annotated[Path, typer.Argument(help="Folder for the pictures.")] = Path("shots"),
    output: OutputOption = Output.TABLE,
) -> None:
    """Take pictures of every page of the app, on a testnet of their own; needs chromium."""
    with explained():
        root = repository()
        program = [tool("python"), "tests/browser/shots.py", str(folder.resolve())]
        code, said = capture(program, root, variables=tool_environment(PYTHONPATH="tests"))
        if code != 0:
            raise ProgramFailedError(said)
        written = sorted(str(path) for path in folder.glob("*.png"))
        if output is Output.JSON:
            print_json({"written": written})
        else:
            print(f"{len(written)} pictures in {folder}")


def render(output: OutputOption = Output.TABLE) -> None:
    """Write docker-compose.yml from the default topology."""
    with explained():
        root = repository()
        topology = described_by(root / DEFAULT_TOPOLOGY).topology()
        plan = container_plan(topology, load_manifests(topology), None)
        text = render_compose(plan, source=str(DEFAULT_TOPOLOGY))
        (root / "docker-compose.yml").write_text(text, encoding="utf-8")
        if output is Output.JSON:
            print_json({"topology": str(DEFAULT_TOPOLOGY), "written": "docker-compose.yml"})
