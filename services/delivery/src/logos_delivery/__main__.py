"""Runs the delivery module: `python -m logos_delivery`."""

import sys

from logos_delivery.node import node
from logos_module import run

sys.exit(run(node, package="logos_delivery"))
