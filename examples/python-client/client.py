"""Puts a file through one node of a testnet and gets it from another: `client.py FILE`."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc

from logos.storage.v1 import storage_pb2 as pb
from logos.storage.v1 import storage_pb2_grpc as pb_grpc


def pieces(path: Path) -> Iterator[pb.PutRequest]:
    yield pb.PutRequest(header=pb.PutRequest.Header(filename=path.name))
    with path.open("rb") as file:
        while data := file.read(512 * 1024):
            yield pb.PutRequest(data=data)


def operator() -> list[tuple[str, str]]:
    """Returns what every call carries: the operator's token."""
    token = os.environ.get("LOGOS_TOKEN") or Path(os.environ["LOGOS_TOKEN_FILE"]).read_text()
    return [("authorization", f"Bearer {token.strip()}")]


def main(path: Path, put_to: str = "127.0.0.1:17001", get_from: str = "127.0.0.1:17004") -> int:
    who = operator()
    with grpc.insecure_channel(put_to) as first, grpc.insecure_channel(get_from) as second:
        cid = pb_grpc.StorageStub(first).Put(pieces(path), metadata=who).dataset.cid
        print(cid)
        content = pb_grpc.StorageStub(second).Get(pb.GetRequest(cid=cid), metadata=who)
        with path.open("rb") as file:
            same = all(file.read(len(part.data)) == part.data for part in content)
            return 0 if same and not file.read(1) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
