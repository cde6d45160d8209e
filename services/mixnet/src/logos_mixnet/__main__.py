"""The process of the module: `python -m logos_mixnet`."""

import sys

from logos_mixnet.node import node
from logos_module import run

if __name__ == "__main__":
    sys.exit(run(node, package="logos_mixnet"))
