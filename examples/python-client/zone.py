"""Writes to a channel of the chain, and reads it: `zone.py write KEY_FILE CHANNEL TEXT`, or
`zone.py read CHANNEL`. `logosctl channel key KEY_FILE` makes the key; 64 digits name a channel.
"""

import os
import queue
import sys
import time
from pathlib import Path

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from logos.chain.v1 import zone_pb2 as pb
from logos.chain.v1 import zone_pb2_grpc as pb_grpc

Who = list[tuple[str, str]]
Ask = pb.PublishRequest
RETRY_S = 5


def write(node: grpc.Channel, who: Who, key: Ed25519PrivateKey, channel: bytes, text: str) -> None:
    """Returns once the text is final on the channel; the node never has the key."""
    requests = queue.SimpleQueue[Ask | None]()
    public = key.public_key().public_bytes_raw()
    requests.put(Ask(open=Ask.Open(channel=channel, key=public)))
    number = 0
    call = pb_grpc.ZoneSequencerStub(node).Publish(iter(requests.get, None), metadata=who)
    for event in call:
        kind = event.WhichOneof("event")
        print(kind, getattr(event, kind).number if kind in {"pending", "included"} else "")
        if kind == "challenge":
            proof = key.sign(b"logos zone sequencer 1" + channel + event.challenge.challenge)
            requests.put(Ask(proof=Ask.Proof(signature=proof)))
        elif kind == "opened":
            number = event.opened.next_number
            requests.put(Ask(payload=Ask.Payload(number=number, payload=text.encode())))
        elif kind == "sign":
            signature = key.sign(event.sign.hash)
            asked = Ask.Signature(message=event.sign.message, signature=signature)
            requests.put(Ask(signature=asked))
        elif kind == "refused":
            raise SystemExit(event.refused.reason)
        elif kind == "finalized" and number in [
            each.number for each in event.finalized.messages if each.HasField("number")
        ]:
            break
    requests.put(None)  # ends the call


def written(
    node: grpc.Channel, who: Who, key: Ed25519PrivateKey, channel: bytes, text: str
) -> bool:
    """Writes as `write` does; False: the node opens nothing yet, as right after its start."""
    try:
        write(node, who, key, channel, text)
    except grpc.RpcError as error:
        details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
        if b"ZONE_NODE_BEHIND" not in details:  # the reason, in google.rpc.ErrorInfo
            raise
        return False
    return True


def read(node: grpc.Channel, who: Who, channel: bytes) -> list[bytes]:
    """Returns the final messages of a channel, in their order."""
    found = pb_grpc.ZoneIndexerStub(node).Scan(pb.ScanRequest(channel=channel), metadata=who)
    return [each.message.inscription.payload for each in found if each.HasField("message")]


def main(action: str, *words: str) -> int:
    token = os.environ.get("LOGOS_TOKEN") or Path(os.environ["LOGOS_TOKEN_FILE"]).read_text()
    who = [("authorization", f"Bearer {token.strip()}")]
    with grpc.insecure_channel(os.environ.get("LOGOS_ADDRESS", "127.0.0.1:17001")) as node:
        if action == "write":
            file, channel, text = words
            raw = bytes.fromhex(Path(file).read_text())
            key = Ed25519PrivateKey.from_private_bytes(raw)
            while not written(node, who, key, bytes.fromhex(channel), text):
                print("the node still downloads the chain", file=sys.stderr)
                time.sleep(RETRY_S)
        else:
            for payload in read(node, who, bytes.fromhex(words[0])):
                print(payload.decode())
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
