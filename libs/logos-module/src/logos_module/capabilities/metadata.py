"""Names of the metadata that calls carry for their authorization."""

from typing import Final

TOKEN_FIELD: Final = "logos-token-bin"  # noqa: S105 - the name of a field
"""The token of a module or of the kernel, at most 512 bytes."""
PROOF_FIELD: Final = "logos-proof-bin"
"""The proof that belongs to it, 24 bytes."""
CALLER_FIELD: Final = "logos-caller-bin"
"""Who is behind a call that the kernel passes on: a serialised `CallerInfo`."""
