"""`python -m logos_kernel`: the kernel of one node."""

import sys

from logos_kernel.node import run

if __name__ == "__main__":
    sys.exit(run())
