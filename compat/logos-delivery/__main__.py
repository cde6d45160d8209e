"""`python compat/logos-delivery --flag=value …`: a node that is started as the reference is.

Its state is in the folder that `LOGOS_DELIVERY_DIR` names, else in `logos-delivery` here.
"""

import os
import sys
import tempfile
from pathlib import Path

from flags import FlagsError, parse, told
from node_folder import prepared


def main(arguments: list[str]) -> int:
    """Starts the kernel in the place of this process; returns 2 if it cannot."""
    folder = Path(os.environ.get("LOGOS_DELIVERY_DIR", "logos-delivery")).absolute()
    try:
        flags = parse(arguments)
        told(flags)
        variables = prepared(flags, folder, Path(tempfile.mkdtemp(prefix="ld")))
    except FlagsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    command = [sys.executable, "-m", "logos_kernel"]
    os.execve(sys.executable, command, {**os.environ, **variables})  # noqa: S606 -- our own
    return 0  # this process is the kernel by then


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
