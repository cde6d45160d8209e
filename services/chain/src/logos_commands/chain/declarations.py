"""`logosctl chain declarations`: the nodes that have declared to serve, and one of them."""

from typing import Annotated, Any, Final

import typer

from logos.chain.v1 import chain_pb2 as pb
from logos.chain.v1.chain_pb2_grpc import ChainNodeStub
from logos_cli.console import print_rows
from logos_cli.session import FormOption, session_of
from logos_commands.chain.pages import rows_of
from logos_commands.chain.records import an_id_or_none, to_id

PAGE: Final = 100
MAX_LIMIT: Final = 10_000
_COLUMNS: Final = ("id", "service", "state", "serving", "locked_value", "unlock_slot")


def declarations(
    context: typer.Context,
    declaration: Annotated[
        str, typer.Argument(metavar="ID", help="Only this one.", callback=an_id_or_none)
    ] = "",
    *,
    limit: Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="At most so many.")] = 20,
    output: FormOption = None,
) -> None:
    """List the nodes that have declared to serve, by their ids."""
    session = session_of(context)
    if declaration:
        answer = session.ask(
            lambda channel: ChainNodeStub(channel).GetDeclaration,
            pb.GetDeclarationRequest(id=to_id(declaration)),
        )
        rows = [_record(answer.declaration)]
    else:
        rows = rows_of(
            session,
            lambda channel: ChainNodeStub(channel).ListDeclarations,
            pb.ListDeclarationsRequest(),
            lambda page: [_record(each) for each in page.declarations],
            limit=limit,
            page=PAGE,
        )
    print_rows(rows, _COLUMNS, session.form(output))


def _record(found: pb.Declaration) -> dict[str, Any]:
    def number(name: str) -> int | None:
        return int(getattr(found, name)) if found.HasField(name) else None  # type: ignore[arg-type]

    return {
        "id": found.id.hex(),
        "service": found.service,
        "state": _state(found.state),
        "serving": found.is_serving,
        "provider_id": found.provider_id.hex(),
        "zk_id": found.zk_id.hex(),
        "locators": [each.hex() for each in found.locators],
        "locked_note": found.locked_note.hex(),
        "locked_value": found.locked_value,
        "created_epoch": found.created_epoch,
        "active_epoch": number("active_epoch"),
        "withdrawn_epoch": number("withdrawn_epoch"),
        "unlock_slot": number("unlock_slot"),
        "nonce": found.nonce,
    }


def _state(state: "pb.DeclarationState.ValueType") -> str:
    if state not in pb.DeclarationState.values():
        return str(state)  # of a newer node
    name: str = pb.DeclarationState.Name(state)
    return name.removeprefix("DECLARATION_STATE_")
