"""Limits of what the chain takes. Spec: docs/protocol/mantle.md, MAN-7 and MAN-29."""

from typing import Final

MAX_BODY_BYTES: Final = 2 * 1024 * 1024
"""`MAX_BLOCK_SIZE`: of the signed transactions of a block together, and so of one."""
MAX_TRANSACTIONS: Final = 1024
"""`MAX_BLOCK_TXS`: in a block."""
MAX_OPERATIONS: Final = 255
"""In a transaction."""
MAX_UNCLES: Final = 4
"""In a block."""
MAX_INSCRIPTION_BYTES: Final = MAX_BODY_BYTES * 7 // 8
MAX_METADATA_BYTES: Final = MAX_INSCRIPTION_BYTES
"""Of a deposit."""
MAX_CHANNEL_KEYS: Final = 65_535
MAX_LOCATORS: Final = 8
MAX_LOCATOR_BYTES: Final = 329
MAX_SIGNING_KEYS: Final = 32
"""Public keys of one ZkSignature; the ledger refuses a transfer that needs more."""
