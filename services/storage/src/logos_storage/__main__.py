"""Runs the storage module: `python -m logos_storage`."""

import sys

from logos_module import run
from logos_storage.node import node

sys.exit(run(node, package="logos_storage"))
