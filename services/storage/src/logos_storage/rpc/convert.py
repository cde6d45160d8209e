"""Between the contract's messages and the core's values."""

from dataclasses import asdict

from google.protobuf import timestamp_pb2

from logos.storage.v1 import storage_pb2
from logos_base.errors import LogosError
from logos_storage.core.cid import MANIFEST, Cid, parse_text
from logos_storage.core.ports import DatasetRecord, Description, SpaceReport
from logos_storage.operations.get import Wanted


def to_cid(text: str) -> Cid:
    """Reads the CID of a manifest; CID_* errors name the field."""
    try:
        return parse_text(text, MANIFEST)
    except LogosError as error:
        error.field = "cid"
        raise


def to_wanted(request: storage_pb2.GetRequest) -> Wanted:
    """Reads what a caller wants; CID_* errors name the field."""
    return Wanted(to_cid(request.cid), request.offset, request.length, request.local_only)


def to_description(header: storage_pb2.PutRequest.Header) -> Description:
    return Description(
        header.block_size_bytes, header.filename, header.mimetype, header.size_hint_bytes
    )


def from_record(record: DatasetRecord) -> storage_pb2.Dataset:
    manifest = record.manifest
    stored_at = timestamp_pb2.Timestamp()
    stored_at.FromMicroseconds(record.stored_at_us)
    return storage_pb2.Dataset(
        cid=str(record.cid),
        tree_cid=str(manifest.tree_cid),
        size_bytes=manifest.size_bytes,
        block_size_bytes=manifest.block_size_bytes,
        block_count=manifest.shape.block_count,
        blocks_held=record.blocks_held,
        filename=manifest.filename,
        mimetype=manifest.mimetype,
        stored_at=stored_at,
    )


def from_space(report: SpaceReport) -> storage_pb2.SpaceResponse:
    return storage_pb2.SpaceResponse(**asdict(report))
