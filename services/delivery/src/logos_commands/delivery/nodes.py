"""`logosctl delivery info|exchange`: what this node says of itself, and what others are told."""

import sys
from typing import Annotated, Any, Final

import typer

from logos.delivery.v1 import delivery_pb2 as pb
from logos.delivery.v1 import light_pb2
from logos.delivery.v1.delivery_pb2_grpc import DeliveryStub
from logos.delivery.v1.light_pb2_grpc import PeerExchangeStub
from logos_cli.arguments import utf8
from logos_cli.console import Output, print_json, print_rows, shown
from logos_cli.session import FormOption, session_of

_COLUMNS: Final = ("peer_id", "address", "record")
MAX_COUNT: Final = 60


def info(context: typer.Context, output: FormOption = None) -> None:
    """Show what the node says of itself: its addresses, its network, its record."""
    session = session_of(context)
    answer = session.ask(lambda channel: DeliveryStub(channel).GetNodeInfo, pb.GetNodeInfoRequest())
    record: dict[str, Any] = {
        "peer_id": answer.peer_id,
        "addresses": list(answer.addresses),
        "mode": answer.mode,
        "preset": answer.preset,
        "cluster": answer.cluster,
        "shards": answer.shards,
        "version": answer.version,
        "enr": answer.enr or None,
        "enr_missing": answer.enr_missing or None,
    }
    if session.form(output) is Output.JSON:
        print_json(record)
        return
    sys.stdout.write(f"{shown(answer.peer_id)}: {shown(answer.mode)}, {shown(answer.preset)},")
    sys.stdout.write(f" cluster {answer.cluster} of {answer.shards} shards\n")
    for address in answer.addresses:
        sys.stdout.write(f"  {shown(address)}\n")
    if answer.enr:
        sys.stdout.write(f"  {shown(answer.enr)}\n")
    if answer.enr_missing:
        what = "its record is out of date" if answer.enr else "no record"
        sys.stdout.write(f"  {what}: {shown(answer.enr_missing)}\n")


def exchange(
    context: typer.Context,
    peer: Annotated[
        str,
        typer.Argument(
            metavar="[PEER]",
            help="Peer id of a node that serves peer exchange; none: one that is found.",
            callback=utf8,
        ),
    ] = "",
    count: Annotated[
        int, typer.Option("--count", min=1, max=MAX_COUNT, help="How many nodes.")
    ] = MAX_COUNT,
    output: FormOption = None,
) -> None:
    """Ask a service node for other nodes, and remember where those are."""
    session = session_of(context)
    request = light_pb2.GetPeersRequest(count=count, peer_id=peer)
    answer = session.ask(lambda channel: PeerExchangeStub(channel).GetPeers, request)
    rows = [
        {
            "peer_id": one.peer_id,
            "address": one.addresses[0] if one.addresses else None,
            "addresses": list(one.addresses),
            "record": one.sequence,
            "enr": one.enr,
            "told_by": answer.peer_id,
        }
        for one in answer.peers
    ]
    print_rows(rows, _COLUMNS, session.form(output))
