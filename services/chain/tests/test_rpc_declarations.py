"""LED-40: `GetDeclaration` and `ListDeclarations`."""

from dataclasses import dataclass, replace

from chain_ledger import FUNDS, declaration, genesis, outputs_of
from chain_rpc import ServedWorld, pages, refused, served
from chain_world import TWO

from logos.chain.v1 import chain_pb2
from logos_chain.operations.opening import Network

NAMES = ("a", "b", "c", "d")


@dataclass
class DeclaredWorld(ServedWorld):
    """A world in whose genesis four nodes are declared."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.genesis = genesis(declared=NAMES)
        self.network = replace(self.network, genesis=self.genesis)
        self.funds = outputs_of(self.genesis.transfer)
        self.blocks = {self.root.id: self.root}
        assert isinstance(self.network, Network)

    def ids(self) -> list[bytes]:
        locked = outputs_of(self.genesis.transfer)
        made = [declaration(name, locked[at]) for at, name in enumerate(NAMES)]
        return sorted(each.declaration_id() for each in made)


async def test_declarations_are_listed_and_shown() -> None:
    world = DeclaredWorld(TWO)
    async with served(world=world) as node:
        for size in (1, 3, 100):
            request = chain_pb2.ListDeclarationsRequest(page_size=size)
            found = await pages(node.chain.ListDeclarations, request, "declarations")
            assert [each.id for page in found for each in page] == world.ids()
            assert max(len(page) for page in found) <= size
        request = chain_pb2.GetDeclarationRequest(id=world.ids()[0])
        answer = await node.chain.GetDeclaration(request)
        shown = answer.declaration
        assert answer.block == node.tip.id
        assert shown.state == chain_pb2.DECLARATION_STATE_ACTIVE
        assert shown.is_serving
        assert shown.service == "BLEND_NETWORK"
        assert (shown.locked_value, shown.created_epoch) == (FUNDS[0], 0)
        assert not shown.HasField("withdrawn_epoch")
        assert not shown.HasField("unlock_slot")
        note = await node.chain.GetNote(chain_pb2.GetNoteRequest(id=shown.locked_note))
        assert note.declaration == shown.id


async def test_what_is_no_declaration_is_refused() -> None:
    async with served() as node:
        for identifier, status in (
            (bytes(32), ("NOT_FOUND", "DECLARATION_UNKNOWN")),
            (b"short", ("INVALID_ARGUMENT", "INVALID_ID")),
        ):
            request = chain_pb2.GetDeclarationRequest(id=identifier)
            assert await refused(node.chain.GetDeclaration(request)) == status
        for token in ("zz", "ab", "0" * 62):
            wrong = chain_pb2.ListDeclarationsRequest(page_token=token)
            call = node.chain.ListDeclarations(wrong)
            assert await refused(call) == ("INVALID_ARGUMENT", "INVALID_PAGE")
        empty = await node.chain.ListDeclarations(chain_pb2.ListDeclarationsRequest())
        assert (list(empty.declarations), empty.next_page_token) == ([], "")
