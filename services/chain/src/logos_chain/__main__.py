"""Runs the chain module: `python -m logos_chain`."""

import sys

from logos_chain.node import node
from logos_module import run

sys.exit(run(node, package="logos_chain"))
