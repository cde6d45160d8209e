"""`logosctl key`: the key that a node signs tokens with."""

from typing import Final

import typer

from logos.kernel.v1 import capability_pb2
from logos.kernel.v1.capability_pb2_grpc import CapabilityStub
from logos_cli.session import FormOption, session_of

command: Final = typer.Typer(
    help="The key that signs tokens of modules.", add_completion=False, no_args_is_help=True
)


@command.callback()
def group() -> None:
    """The key that signs tokens of modules."""


@command.command("rotate")
def rotate(context: typer.Context, output: FormOption = None) -> None:
    """Sign new tokens with a new key; those of the last one hold until they expire."""
    session = session_of(context)
    request = capability_pb2.RotateKeyRequest()
    answer = session.ask(lambda channel: CapabilityStub(channel).RotateKey, request)
    key_id = answer.key_id.hex()
    session.report({"key_id": key_id}, f"tokens are signed with key {key_id}", output)
