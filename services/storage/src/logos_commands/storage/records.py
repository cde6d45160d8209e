"""What the commands of `logosctl storage` share: the CID, advice, and datasets as records."""

from typing import Annotated, Any, Final

import typer

from logos.storage.v1 import storage_pb2
from logos_cli.arguments import utf8
from logos_cli.console import sized

ADVICE: Final = {
    "NO_PROVIDERS": "check the CID, and that a node that holds it is up: `logosctl node list`",
    "DATASET_UNKNOWN": "`logosctl storage get CID -o FILE` fetches it from other nodes",
    "FETCH_UNKNOWN": "`logosctl storage fetches` lists them",
    "QUOTA_EXCEEDED": "`logosctl storage space`, then `logosctl storage delete CID`",
}
"""What to do about an error, by its reason."""

CidArgument = Annotated[
    str, typer.Argument(metavar="CID", help="Content id; starts with z.", callback=utf8)
]


def record(dataset: storage_pb2.Dataset) -> dict[str, Any]:
    """A dataset as a record of the output."""
    return {
        "cid": dataset.cid,
        "tree_cid": dataset.tree_cid,
        "size_bytes": dataset.size_bytes,
        "size": sized(dataset.size_bytes),
        "block_size_bytes": dataset.block_size_bytes,
        "block_count": dataset.block_count,
        "blocks_held": dataset.blocks_held,
        "held": f"{dataset.blocks_held}/{dataset.block_count}",
        "filename": dataset.filename,
        "mimetype": dataset.mimetype,
        "stored_at": dataset.stored_at.ToJsonString() if dataset.HasField("stored_at") else "",
    }
