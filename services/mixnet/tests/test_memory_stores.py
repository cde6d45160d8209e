import pytest
from mixnet_store_contract import AdvertisementStoreContract, PeerStoreContract

from mixnet_memory_stores import MemoryAdvertisementStore, MemoryPeerStore


class TestMemoryPeerStore(PeerStoreContract):
    @pytest.fixture
    def store(self) -> MemoryPeerStore:
        return MemoryPeerStore()


class TestMemoryAdvertisementStore(AdvertisementStoreContract):
    @pytest.fixture
    def store(self) -> MemoryAdvertisementStore:
        return MemoryAdvertisementStore()
