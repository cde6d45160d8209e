"""Publishes a message at one node, as another receives it: `messages.py TEXT`."""

import os
import sys
from pathlib import Path

import grpc

from logos.delivery.v1 import delivery_pb2 as pb
from logos.delivery.v1 import delivery_pb2_grpc as pb_grpc

TOPIC = "/example/1/greetings/proto"


def main(text: str, publish: str = "127.0.0.1:17001", subscribe: str = "127.0.0.1:17002") -> int:
    token = os.environ.get("LOGOS_TOKEN") or Path(os.environ["LOGOS_TOKEN_FILE"]).read_text()
    who = [("authorization", f"Bearer {token.strip()}")]
    with grpc.insecure_channel(publish) as here, grpc.insecure_channel(subscribe) as there:
        sender, receiver = pb_grpc.DeliveryStub(here), pb_grpc.DeliveryStub(there)
        receiver.Subscribe(pb.SubscribeRequest(content_topics=[TOPIC]), metadata=who)
        kinds = [pb.EVENT_KIND_RECEIVED]
        watch = pb.WatchEventsRequest(kinds=kinds, content_topics=[TOPIC])
        pages = receiver.WatchEvents(watch, metadata=who, timeout=60)
        next(pages)  # says where the stream begins: nothing is missed from now on
        message = pb.SendRequest(content_topic=TOPIC, payload=text.encode())
        sender.Send(message, metadata=who)
        for page in pages:
            for event in page.events:
                print(event.message.payload.decode())
                if event.message.payload == message.payload:
                    return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
