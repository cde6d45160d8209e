"""What the chain tells its node: `logos.chain.v1` events.proto."""

from logos.chain.v1 import events_pb2 as pb


def paid_event(mark: str) -> tuple[str, bytes]:
    """Returns the topic, without the module's name, and the payload (WAL-33)."""
    return "paid", pb.PaidEvent(mark=mark).SerializeToString()
