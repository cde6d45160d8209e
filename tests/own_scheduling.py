"""How tests are shared out to the processes of a run."""

from functools import cache
from pathlib import Path

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import NodeManager

# After an interrupt. Ten seconds, of which five pass before a process hears of it, are too few to
# end a testnet, which would stay.
NodeManager.EXIT_TIMEOUT = 60


class InPackages(LoadFileScheduling):
    """Keeps the tests of a file in one process, and those of all packages in another.

    The tests of a package share a testnet. One is all that a small machine can carry at a time.
    """

    def _split_scope(self, nodeid: str) -> str:
        """Returns what a test is kept together with."""
        return kept_together(self.config.rootpath, super()._split_scope(nodeid))


@cache
def kept_together(root: Path, file: str) -> str:
    """Returns what a file of tests is kept with: itself, or all others that are in packages."""
    return "packages" if (root / Path(file).parent / "__init__.py").is_file() else file
