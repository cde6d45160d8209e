import pytest

from logos_module.database import Schema
from logos_storage.store.sql import SCHEMA
from schema_contract import SchemaContract


class TestSchema(SchemaContract):
    @pytest.fixture
    def schema(self) -> Schema:
        return SCHEMA
