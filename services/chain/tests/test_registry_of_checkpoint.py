"""RLC-8, CKP-1: a registry of members needs all blocks."""

from pathlib import Path

import pytest

from logos_chain.config import Config
from logos_chain.core.registry.errors import RegistryNeedsAllBlocksError
from logos_chain.node.registries import refuse_registry


def test_a_chain_that_begins_with_a_checkpoint_has_no_registry() -> None:
    refuse_registry(Config(Path("/given")))

    with pytest.raises(RegistryNeedsAllBlocksError, match="switch rln_registry off"):
        refuse_registry(Config(Path("/given"), rln_registry=True))
