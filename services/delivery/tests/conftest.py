import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # what several of these tests share lies here

from delivery_net import http_net, net, short_folder

__all__ = ["http_net", "net", "short_folder"]
