"""Messages of discovery as Protocol Buffers. Spec: docs/protocol/discovery.md, DIS-2."""

from typing import ClassVar

from logos_base.errors import RemoteFaultError
from logos_crypto import protobuf
from logos_mixnet.core.capability.errors import MessageMalformedError


class Fields(protobuf.Fields):
    """The fields of one received message."""

    malformed: ClassVar[type[RemoteFaultError]] = MessageMalformedError
