"""What this node signs of a node record, and nothing else: it is no oracle for other signatures.

Spec: docs/protocol/network.md, NET-25. Source: EIP-778.
"""

from typing import Final

from logos_crypto import rlp
from logos_crypto.node_record import ID, KEY, MAX_RECORD_BYTES, SCHEME, read_content, size_of
from logos_crypto.refusals import NodeRecordError, RlpError
from logos_mixnet.core.capability.keys import Secp256k1Signer, Signer
from logos_mixnet.core.errors import (
    NodeKeyTypeError,
    NodeRecordKeyError,
    NodeRecordMalformedError,
    NodeRecordSchemeError,
    NodeRecordTooLargeError,
)

_KEY_PREFIX_BYTES: Final = 4
"""Of a public key as Protocol Buffers: its type and its length."""


def sign_node_record(signer: Signer, content: bytes) -> bytes:
    """Signs the content of a record of this node; returns 64 bytes.

    Raises:
        NodeKeyTypeError: The node's key is not of secp256k1.
        NodeRecordTooLargeError, NodeRecordMalformedError, NodeRecordSchemeError,
        NodeRecordKeyError: It is no content of a record of this node.
    """
    if not isinstance(signer, Secp256k1Signer):
        raise NodeKeyTypeError("node records are signed by keys of secp256k1, this node has none")
    check_content(content, signer.public_key.encoded[_KEY_PREFIX_BYTES:])
    return signer.sign_v4(content)


def check_content(content: bytes, own_key: bytes) -> None:
    """Checks that bytes are what a record of the node with a key says, in its one encoding.

    Args:
        content: Untrusted.
        own_key: 33 bytes, compressed.

    Raises:
        NodeRecordTooLargeError, NodeRecordMalformedError, NodeRecordSchemeError,
        NodeRecordKeyError
    """
    if len(content) > MAX_RECORD_BYTES:
        raise NodeRecordTooLargeError(f"{len(content)} bytes, over {MAX_RECORD_BYTES}")
    try:
        items = rlp.decode(content)
        if isinstance(items, bytes):
            raise NodeRecordMalformedError("the content of a record is a list")
        _, pairs = read_content(items)
        size = size_of(content)
    except (RlpError, NodeRecordError) as error:
        raise NodeRecordMalformedError(str(error)) from error
    if size > MAX_RECORD_BYTES:
        raise NodeRecordTooLargeError(f"a record of {size} bytes, over {MAX_RECORD_BYTES}")
    if pairs.get(ID) != SCHEME:
        raise NodeRecordSchemeError('a record of another identity scheme than "v4"')
    if pairs.get(KEY) != own_key:
        raise NodeRecordKeyError("a record of another key than this node's")
