"""Where modules live as processes of this machine."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from logos_base.manifest import Manifest
from logos_kernel.core.types import Plan
from logos_kernel.net.process import Places, Processes


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Processes of a module that ends at once, below `<tmp>/checkout`."""
    root = tmp_path / "checkout"
    plans = {"base": Plan(Manifest("base", "0.1.0", command=("true",)))}
    places = Places("unix:/k.sock", root / "run" / "node1", root / "modules", root / "logs", {})
    made = Processes(plans, places)
    yield made
    for child in made._children.values():
        assert isinstance(child, subprocess.Popen)
        child.wait()


def test_a_start_makes_the_folders_that_it_needs(processes: Processes, tmp_path: Path) -> None:
    processes.start("base", 1)

    made = {str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*")}
    assert {"checkout/run/node1", "checkout/modules/base", "checkout/logs/base.log"} < made
    assert (tmp_path / "checkout" / "run" / "node1").stat().st_mode & 0o777 == 0o700


def test_a_swept_folder_of_sockets_is_made_again(processes: Processes, tmp_path: Path) -> None:
    processes.start("base", 1)
    (tmp_path / "checkout" / "run").rename(tmp_path / "swept")

    processes.start("base", 2)

    assert (tmp_path / "checkout" / "run" / "node1").is_dir()


def test_nothing_appears_where_a_moved_checkout_was(processes: Processes, tmp_path: Path) -> None:
    processes.start("base", 1)
    (tmp_path / "checkout").rename(tmp_path / "moved")

    with pytest.raises(FileNotFoundError):
        processes.start("base", 2)

    assert not (tmp_path / "checkout").exists()
