"""`./logos test`, `check`, `lock`, `proto`, `render`."""

from typing import Annotated

import typer

from logos_cli import checks, locks, protos, tiers
from logos_cli.exits import Exit, explained
from logos_cli.selection import DEFAULT_TOPOLOGY
from logos_cli.target import repository
from logos_testnet.compose import render_compose
from logos_testnet.manifests import load_manifests
from logos_testnet.opening import described_by
from logos_testnet.plan import container_plan


def test(
    selection: Annotated[
        list[str],
        typer.Argument(
            default_factory=list,
            help="unit, native, simulation, integration, containers, or what pytest takes.",
        ),
    ],
) -> None:
    """Run tests: all tiers, or those that are named."""
    with explained():
        if not tiers.run_tests(repository(), selection):
            raise typer.Exit(Exit.FAILED)


def check(
    only: Annotated[list[str] | None, typer.Argument(help="Checks by name; all if none.")] = None,
) -> None:
    """Run every check that CI runs."""
    with explained():
        if not checks.run_checks(repository(), only or []):
            raise typer.Exit(Exit.FAILED)


def lock() -> None:
    """Resolve all dependencies anew into requirements*.lock."""
    with explained():
        locks.write_locks(repository())


def proto() -> None:
    """Generate the code of libs/logos-api anew from proto/."""
    with explained():
        protos.generate(repository())


def render() -> None:
    """Write docker-compose.yml anew from the default topology."""
    with explained():
        root = repository()
        topology = described_by(root / DEFAULT_TOPOLOGY).topology()
        plan = container_plan(topology, load_manifests(topology), None)
        text = render_compose(plan, source=str(DEFAULT_TOPOLOGY))
        (root / "docker-compose.yml").write_text(text, encoding="utf-8")
