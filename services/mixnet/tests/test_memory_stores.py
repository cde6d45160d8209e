import pytest
from mixnet_store_contract import (
    AdvertisementStoreContract,
    MembershipStoreContract,
    MessageIdStoreContract,
    OfferStoreContract,
    PeerStoreContract,
)

from mixnet_memory_stores import (
    MemoryAdvertisementStore,
    MemoryMembers,
    MemoryMessageIdStore,
    MemoryOfferStore,
    MemoryPeerStore,
)


class TestMemoryPeerStore(PeerStoreContract):
    @pytest.fixture
    def store(self) -> MemoryPeerStore:
        return MemoryPeerStore()


class TestMemoryAdvertisementStore(AdvertisementStoreContract):
    @pytest.fixture
    def store(self) -> MemoryAdvertisementStore:
        return MemoryAdvertisementStore()


class TestMemoryMessageIdStore(MessageIdStoreContract):
    @pytest.fixture
    def ids(self) -> MemoryMessageIdStore:
        return MemoryMessageIdStore()


class TestMemoryMembers(MembershipStoreContract):
    @pytest.fixture
    def members(self) -> MemoryMembers:
        return MemoryMembers(is_open=True)

    @pytest.fixture
    def listed(self) -> MemoryMembers:
        return MemoryMembers(((5).to_bytes(32, "little"),))


class TestMemoryOfferStore(OfferStoreContract):
    @pytest.fixture
    def store(self) -> MemoryOfferStore:
        return MemoryOfferStore()
