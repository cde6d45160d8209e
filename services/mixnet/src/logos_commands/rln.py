"""`logosctl rln`: this node as a member whose messages are limited."""

from typing import Any, Final

import typer

from logos.network.v1 import rln_pb2
from logos.network.v1.rln_pb2_grpc import RlnStub
from logos_cli.console import print_rows
from logos_cli.session import FormOption, session_of

ADVICE: Final = {
    "RLN_OFF": 'Set `rln` to "on" in the settings of mixnet, and restart it.',
    "RLN_REGISTRATION_CLOSED": "Add this node's commitment to `rln_genesis` of all nodes.",
    "RLN_REGISTRATION_PENDING": "It goes on by itself. Look again with `logosctl rln status`.",
    "RLN_REGISTRY_UNAVAILABLE": "Check that the registry at `rln_registry` runs.",
}

command: Final = typer.Typer(
    help="Rate limits of messages.", add_completion=False, no_args_is_help=True
)


@command.callback()
def group() -> None:
    """Rate limits of messages."""


@command.command("status")
def status(context: typer.Context, *, output: FormOption = None) -> None:
    """Show this node's membership, its budget, and what became of others' packets."""
    session = session_of(context)
    found = session.call(lambda channel: RlnStub(channel).GetStatus(rln_pb2.RlnGetStatusRequest()))
    print_rows([_record(found)], _COLUMNS, session.form(output))


@command.command("register")
def register(context: typer.Context, *, output: FormOption = None) -> None:
    """Register this node, in the way that its network has."""
    session = session_of(context)
    done = session.call(lambda channel: RlnStub(channel).Register(rln_pb2.RegisterRequest()))
    rows = [_membership(done.membership)]
    print_rows(rows, ("membership", "limit", "leaf", "commitment"), session.form(output))


_COLUMNS: Final = (
    *("membership", "limit", "period_s", "epoch", "ids_left", "prepared"),
    *("members", "registration", "accepted", "dropped", "root"),
)


def _record(status: rln_pb2.RlnGetStatusResponse) -> dict[str, Any]:
    return {
        **_membership(status.membership),
        "period_s": status.period.ToMilliseconds() / 1000,
        "epoch": status.epoch,
        "ids_left": status.ids_left,
        "prepared": status.prepared,
        "members": status.members,
        "registration": "open" if status.is_open else "closed",
        "accepted": status.accepted,
        "dropped": sum(status.dropped.values()),
        "dropped_by_reason": dict(status.dropped),
        "root": status.root.hex(),
        "proofs_prepared": status.proofs_prepared,
        "proofs_not_prepared": status.proofs_not_prepared,
        "handed_out": dict(status.handed_out),
        "refused": dict(status.refused),
        "deferred": status.deferred,
        "convicted": status.convicted,
        "nullifiers": status.nullifiers,
    }


def _membership(membership: rln_pb2.Membership) -> dict[str, Any]:
    name = rln_pb2.MembershipState.Name(membership.state)
    has_leaf = membership.HasField("leaf_index")
    return {
        "membership": name.removeprefix("MEMBERSHIP_STATE_").lower(),
        "limit": membership.limit,
        "leaf": membership.leaf_index if has_leaf else None,
        "commitment": membership.commitment.hex(),
    }
