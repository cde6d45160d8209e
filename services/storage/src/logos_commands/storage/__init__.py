"""`logosctl storage`: files in and out of a node."""

import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from logos.storage.v1 import storage_pb2
from logos.storage.v1.storage_pb2_grpc import StorageStub
from logos_cli.arguments import MAX_UINT32, MAX_UINT64, is_utf8, utf8
from logos_cli.console import Output, print_json, print_rows, sized, stderr
from logos_cli.session import FormOption, session_of
from logos_commands.storage.fetches import cancel, fetch, list_fetches
from logos_commands.storage.records import ADVICE, CidArgument, record
from logos_commands.storage.transfers import get_content, put_content

__all__ = ["ADVICE", "command", "record"]

command: Final = typer.Typer(
    help="Files by content id.", add_completion=False, no_args_is_help=True
)

_COLUMNS: Final = ("cid", "size", "held", "filename", "stored_at")


@command.callback()
def group() -> None:
    """Files by content id."""


@command.command("put")
def put(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="File, or - for stdin.")],
    *,
    filename: Annotated[
        str | None, typer.Option(help="File name to store; default: that of FILE.", callback=utf8)
    ] = None,
    mimetype: Annotated[
        str, typer.Option(help="MIME type to store, e.g. text/plain.", callback=utf8)
    ] = "",
    block_size: Annotated[
        int, typer.Option(min=0, max=MAX_UINT32, help="Bytes in a block; 0 for the default, 65536.")
    ] = 0,
    output: FormOption = None,
) -> None:
    """Store a file on the node and print its CID."""
    session = session_of(context)
    stored_name = filename if filename is not None else _name_of(file)
    header = storage_pb2.PutRequest.Header(
        block_size_bytes=block_size, filename=stored_name, mimetype=mimetype
    )
    dataset = session.call(lambda channel: put_content(channel, file, header))
    if session.form(output) is Output.JSON:
        print_json(record(dataset))
    else:
        print(dataset.cid)


@command.command("get")
def get(
    context: typer.Context,
    cid: CidArgument,
    *,
    file: Annotated[
        str, typer.Option("-o", "--output-file", metavar="OUT", help="File, or - for stdout.")
    ] = "-",
    offset: Annotated[int, typer.Option(min=0, max=MAX_UINT64, help="First byte wanted.")] = 0,
    length: Annotated[
        int, typer.Option(min=0, max=MAX_UINT64, help="Bytes wanted; 0 for all.")
    ] = 0,
    local: Annotated[bool, typer.Option(help="Do not ask other nodes.")] = False,
    output: FormOption = None,
) -> None:
    """Fetch a file by its CID, from this node or through it from others."""
    session = session_of(context)
    request = storage_pb2.GetRequest(cid=cid, offset=offset, length=length, local_only=local)
    dataset = session.call(lambda channel: get_content(channel, request, file))
    if file != "-" and session.form(output) is Output.JSON:
        print_json(record(dataset))


@command.command("stat")
def stat(context: typer.Context, cid: CidArgument, output: FormOption = None) -> None:
    """Show what the node holds of a file."""
    session = session_of(context)
    request = storage_pb2.StatRequest(cid=cid)
    answer = session.ask(lambda channel: StorageStub(channel).Stat, request)
    _print_one(record(answer.dataset), session.form(output))


@command.command("exists")
def exists(context: typer.Context, cid: CidArgument, output: FormOption = None) -> None:
    """Check whether the node holds all of a file; exit code 4 if not."""
    session = session_of(context)
    request = storage_pb2.ExistsRequest(cid=cid)
    answer = session.ask(lambda channel: StorageStub(channel).Exists, request)
    _print_one({"cid": cid, "exists": answer.exists}, session.form(output))
    if not answer.exists:
        raise typer.Exit(4)


@command.command("list")
def list_datasets(context: typer.Context, output: FormOption = None) -> None:
    """List the files of the node, newest first."""
    session = session_of(context)
    request = storage_pb2.ListRequest(page_size=1000)
    pages = session.pages(lambda channel: StorageStub(channel).List, request)
    rows = [record(dataset) for page in pages for dataset in page.datasets]
    print_rows(rows, _COLUMNS, session.form(output))


@command.command("delete")
def delete(context: typer.Context, cid: CidArgument, output: FormOption = None) -> None:
    """Delete a file from the node; other nodes keep theirs."""
    session = session_of(context)
    request = storage_pb2.DeleteRequest(cid=cid)
    answer = session.ask(lambda channel: StorageStub(channel).Delete, request)
    freed = answer.freed_bytes
    if session.form(output) is Output.JSON:
        print_json({"cid": cid, "freed_bytes": freed})
    else:
        stderr().print(f"freed {sized(freed)}", highlight=False)


@command.command("space")
def space(context: typer.Context, output: FormOption = None) -> None:
    """Show how much room the node has."""
    session = session_of(context)
    request = storage_pb2.SpaceRequest()
    answer = session.ask(lambda channel: StorageStub(channel).Space, request)
    counts = {field.name: getattr(answer, field.name) for field in answer.DESCRIPTOR.fields}
    if session.form(output) is Output.JSON:
        print_json(counts)
        return
    shown = {key.removesuffix("_bytes"): sized(n) for key, n in counts.items() if key != "datasets"}
    _print_one({**shown, "datasets": counts["datasets"]}, Output.TABLE)


command.command("fetch")(fetch)
command.command("fetches")(list_fetches)
command.command("cancel")(cancel)


def _name_of(file: str) -> str:
    """The name to store for a file; none for stdin, or if it is not UTF-8."""
    if file == "-":
        return ""
    name = Path(file).name
    if is_utf8(name):
        return name
    stderr().print(f"{file}: its name is not UTF-8, so it is stored without one", markup=False)
    return ""


def _print_one(fields: dict[str, Any], output: Output) -> None:
    if output is Output.JSON:
        print_json(fields)
        return
    width = max(len(key) for key in fields)
    for key, value in fields.items():
        shown = ("yes" if value else "no") if isinstance(value, bool) else value
        sys.stdout.write(f"{key.replace('_', ' '):<{width}}  {shown}\n")
