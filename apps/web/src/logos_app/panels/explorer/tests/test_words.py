"""What the Explorer says of the chain, of blocks and of operations."""

import pytest

from logos.chain.v1 import chain_pb2 as pb
from logos.chain.v1 import transaction_pb2
from logos_app.panels.chain.seen import ChainSeen, Replaced
from logos_app.panels.explorer import operations, words
from logos_app.panels.explorer.looking import thing_of

TIP_MS = 1_000_000


def chain(
    *, tip: int = 1204, final: int = 1180, phase: int = pb.PHASE_ONLINE, **others: object
) -> ChainSeen:
    point = pb.BlockPoint(id=b"t" * 32, height=tip, slot=tip * 10)
    values = {"phase": phase, "slot_ms": 1000, "slots_per_block": 10, "tip": point, **others}
    block = pb.BlockSummary(point=point, is_on_chain=True)
    block.time.FromMilliseconds(TIP_MS)
    info = pb.GetInfoResponse(**values)  # type: ignore[arg-type]
    return ChainSeen(info=info, blocks=(block,), final=final)


def leads(*, is_leading: bool = True, **others: object) -> pb.GetInfoResponse.Leading:
    return pb.GetInfoResponse.Leading(standing="it leads", is_leading=is_leading, **others)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (ChainSeen(), "How the chain stands at node1 is not known yet."),
        (
            chain(phase=pb.PHASE_DOWNLOADING),
            "Node1 downloads the chain, and has come to block 1,204.",
        ),
        (
            chain(phase=pb.PHASE_PROLONGED),
            "Node1 has come to block 1,204, and compares chains before any more become final.",
        ),
        (chain(), "Block 1,204 is the newest at node1, and all up to 1,180 are final."),
        (
            chain(leading=leads()),
            "Block 1,204 is the newest at node1, all up to 1,180 are final, and node1 leads.",
        ),
        (
            chain(tip=3, final=0),
            "Block 3 is the newest at node1, and none after the first is final yet.",
        ),
        (chain(tip=0, final=0), "Block 0 is the newest at node1, and all are final."),
    ],
)
def test_how_the_chain_stands(seen: ChainSeen, said: str) -> None:
    assert words.sentence("node1", seen, TIP_MS + 100_000) == said


def test_blocks_that_do_not_come_are_said() -> None:
    said = words.sentence("node1", chain(), TIP_MS + 100_001)

    assert said.endswith("are final. No block has come for over 1 min.")


def test_what_is_not_as_it_should_be() -> None:
    assert words.warnings("node1", ChainSeen(), is_isolated=False) == []
    bad = chain(diverged_peers=2, is_insecure=True)
    found = words.warnings("node1", bad, is_isolated=True)

    assert [text.partition(" ")[0] for text in found] == ["node1", "Two", "INSECURE:"]
    assert all(text.endswith(".") for text in found)


def test_replaced_blocks() -> None:
    assert words.replaced_said(ChainSeen()) == ""
    seen = ChainSeen(replaced=Replaced(1, 0, 5, b""))
    assert words.replaced_said(seen) == "One block has left the chain for others."


def test_how_far_a_download_is() -> None:
    assert words.download_said(chain()) == ""
    seen = chain(phase=pb.PHASE_DOWNLOADING, downloaded_blocks=400)
    assert words.download_said(seen).endswith("how many are missing is not known yet.")
    seen = chain(phase=pb.PHASE_DOWNLOADING, downloaded_blocks=400, download_target_slot=24_081)
    assert words.download_said(seen) == (
        "400 blocks downloaded since the node started: slot 12,040 of 24,081, 49 %."
    )


def test_whether_a_node_leads() -> None:
    assert words.leading_said(leads()) == "it leads; it has won no slot since its start"
    found = leads(won=9, proposed=7, missed=2, last_miss="TOO_LATE")
    assert words.leading_said(found) == (
        "it leads; of nine slots won since its start seven got a block, two did not, the last"
        " since its proof came too late"
    )


def test_a_block_that_is_not_on_the_chain_says_so() -> None:
    block = pb.GetBlockResponse(summary=pb.BlockSummary(point=pb.BlockPoint(height=9)))

    assert words.block_state(block.summary, chain()) == "not on the chain"
    assert words.block_sentence(block, chain()) == (
        "Block 9 has no transactions, and is not on the chain: another one was built on."
    )


KINDS = [
    "TRANSFER",
    "CHANNEL_CONFIG",
    "CHANNEL_INSCRIBE",
    "CHANNEL_DEPOSIT",
    "CHANNEL_WITHDRAW",
    "CHANNEL_TRANSFER",
    "SDP_DECLARE",
    "SDP_WITHDRAW",
    "SDP_ACTIVE",
    "LEADER_CLAIM",
]
"""MAN-5."""


@pytest.mark.parametrize("kind", KINDS)
def test_every_operation_has_words(kind: str) -> None:
    said = operations.operation_said(transaction_pb2.Operation(kind=kind))

    assert kind not in said
    assert "{" not in said


def test_an_operation_that_is_not_known_is_named() -> None:
    assert operations.operation_said(transaction_pb2.Operation(kind="NEW")) == "does NEW"


def test_kinds_of_operations_are_counted_and_bounded() -> None:
    made = [transaction_pb2.Operation(kind=kind) for kind in ("A", "B", "B", "C", "D", "E")]

    assert operations.kinds_said(made) == "A, 2 × B, C, D and more"  # noqa: RUF001
    assert operations.kinds_said([]) == "nothing"


@pytest.mark.parametrize("thing", ["", "block-", "tx-xyz", "note-" + "a" * 64, "a" * 64])
def test_topics_about_other_things_bring_nothing(thing: str) -> None:
    assert thing_of(thing) is None


def test_topics_are_about_a_block_or_a_transaction() -> None:
    assert thing_of("block-" + "0a" * 32) == ("block", b"\x0a" * 32)
    assert thing_of("tx-" + "0a" * 32) == ("tx", b"\x0a" * 32)
