import sys
from pathlib import Path

# What runs the nodes lies with the module.
sys.path.insert(0, str(Path(__file__).parents[2] / "services" / "delivery" / "tests"))

from delivery_net import http_net, net, short_folder

__all__ = ["http_net", "net", "short_folder"]
