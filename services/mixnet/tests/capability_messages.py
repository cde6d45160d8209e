"""The messages of LIP-107, LIP-74 and libp2p RFC 0002, read and written by Google's library.

A second codec, made from the documents' definitions; the product's knows nothing of it.
"""

from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

Type = FieldDescriptorProto
_SCALARS = {
    "bytes": Type.TYPE_BYTES,
    "string": Type.TYPE_STRING,
    "uint32": Type.TYPE_UINT32,
    "uint64": Type.TYPE_UINT64,
    "int32": Type.TYPE_INT32,
}
# Enums stand as int32: both are varints.
_MESSAGES = {
    "Envelope": "1 bytes public_key, 2 bytes payload_type, 3 bytes payload, 5 bytes signature",
    "PublicKey": "1 int32 type, 2 bytes data",
    "AddressInfo": "1 bytes multiaddr",
    "ServiceInfo": "1 string id, 2 bytes data",
    "Record": "1 bytes peer_id, 2 uint64 seq, 3 *AddressInfo addresses, 4 *ServiceInfo services",
    "Ticket": "1 bytes advertisement, 2 uint64 t_init, 3 uint64 t_mod, 4 uint32 t_wait_for, "
    "5 bytes signature",
    "Register": "1 bytes advertisement, 2 int32 status, 3 Ticket ticket",
    "GetAds": "1 *bytes advertisements",
    "Peer": "1 bytes id, 2 *bytes addrs, 3 int32 connection",
    "Message": "1 int32 type, 2 bytes key, 8 *Peer closerPeers, 9 *Peer providerPeers, "
    "10 int32 clusterLevelRaw, 21 Register register, 22 GetAds getAds",
}


def _described(name: str, fields: str) -> DescriptorProto:
    message = DescriptorProto(name=name)
    for text in fields.split(", "):
        number, kind, field = text.split(" ")
        label = Type.LABEL_REPEATED if kind.startswith("*") else Type.LABEL_OPTIONAL
        kind = kind.removeprefix("*")
        described = message.field.add(name=field, number=int(number), label=label)
        if kind in _SCALARS:
            described.type = _SCALARS[kind]
        else:
            described.type, described.type_name = Type.TYPE_MESSAGE, f".lip.{kind}"
    return message


def _classes() -> dict[str, Any]:
    file = FileDescriptorProto(name="lip.proto", package="lip", syntax="proto2")
    file.message_type.extend(_described(name, fields) for name, fields in _MESSAGES.items())
    pool = DescriptorPool()
    pool.Add(file)
    return {name: GetMessageClass(pool.FindMessageTypeByName(f"lip.{name}")) for name in _MESSAGES}


CLASSES = _classes()
