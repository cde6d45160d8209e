"""One testnet of five nodes for all tests of this folder; it ends with the last of them.

The folder is a package, so that they run in one process.
"""

from collections.abc import Iterator

import pytest

from logos_testnet.opening import Places
from logos_testnet.testnet import Testnet
from own_topology import described, running


@pytest.fixture(scope="package")
def testnet(places: Places) -> Iterator[Testnet]:
    """Five nodes."""
    with running(described("integration"), places, "processes") as opened:
        yield opened
