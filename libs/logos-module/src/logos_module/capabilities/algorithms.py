"""Loads the algorithms that tokens and proofs use, when it is imported.

OpenSSL, which is behind `hmac`, finds an algorithm at its first use, and keeps some memory for
that. In the fork server of a testnet this happens before the fork, so that all processes share
it. It draws no random numbers and starts no thread.
"""

import hmac

hmac.digest(bytes(32), b"", "sha256")
