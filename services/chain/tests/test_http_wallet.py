"""HTP-16 to HTP-18: the wallet, and what its leader has earned, over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from chain_http import HttpNode, http_node, problem
from chain_ledger import ALICE, CHANNEL, FUNDS, KEYS, named, signed
from chain_rpc import FIRST, OWN, key_of
from chain_wallet import SHOP
from chain_world import TWO

from logos_mantle.channels import ChannelInscribe
from logos_mantle.derivations import public_key
from logos_mantle.transactions import SignedTransaction

TRANSFER = "/wallet/transactions/transfer-funds"
FUND = "/wallet/fund"
DEPOSIT = "/channel/deposit"
MINE = [key_of(FIRST.phrase, at) for at in range(len(OWN))]
FOREIGN = public_key((5).to_bytes(32, "little"))


@pytest.fixture
async def http() -> AsyncIterator[HttpNode]:
    async with http_node() as found:
        yield found


def paying(*payers: bytes, change: bytes = MINE[0], **more: Any) -> dict[str, Any]:
    return {
        "change_public_key": change.hex(),
        "funding_public_keys": [each.hex() for each in payers],
        **more,
    }


def transfer(*payers: bytes, amount: Any = 1000, **more: Any) -> dict[str, Any]:
    return paying(*payers, recipient_public_key=SHOP.hex(), amount=amount, **more)


def fund(*ops: Any, **more: Any) -> dict[str, Any]:
    builder = {
        "mantle_tx": {"ops": list(ops)},
        "ledger_inputs": [],
        "pending_transfer": {"inputs": [], "outputs": []},
        "channel_multi_sig_proofs": {},
    }
    changes = {key: more.pop(key) for key in list(more) if key in builder}
    return paying(**{"tx_builder": builder | changes, "max_tx_fee": 10**9, **more})


INSCRIBE = {
    "opcode": 17,
    "payload": {
        "channel_id": CHANNEL.hex(),
        "inscription": b"hello".hex(),
        "parent": "00" * 32,
        "signer": KEYS[0].hex(),
    },
}


def only(http: HttpNode) -> SignedTransaction:
    """The one transaction that waits."""
    [found] = http.node.rooms.mempool.waiting(0, 10)
    return found


async def balance(http: HttpNode, key: bytes) -> int:
    found = await http.found(f"/wallet/{key.hex()}/balance")
    assert found["balance"] == sum(found["notes"].values())
    assert (found["address"], found["tip"]) == (key.hex(), http.node.tip.id.hex())
    return int(found["balance"])


async def test_what_a_key_has_whosever_it_is(http: HttpNode) -> None:
    assert await balance(http, MINE[1]) == OWN[1]
    assert await balance(http, ALICE) == sum(FUNDS)
    assert await balance(http, SHOP) == 0
    where = f"/wallet/{ALICE.hex()}/balance"
    tip = http.node.tip.id.hex()
    assert (await http.found(where, tip=tip))["balance"] == sum(FUNDS)
    assert problem(await http.get(where, tip="00" * 32)) == (404, "LEDGER_NOT_KEPT")
    assert problem(await http.get("/wallet/xyz/balance")) == (400, "REQUEST_INVALID")


async def test_a_transfer_from_the_keys_and_to_the_change_that_it_names(http: HttpNode) -> None:
    answer = await http.post(TRANSFER, transfer(MINE[1], tip=None))
    assert (answer.status_code, answer.json().keys()) == (201, {"hash"})
    await http.node.settle()
    made = only(http)
    assert answer.json()["hash"] == made.hash.hex()
    [paid] = made.transaction.operations
    assert len(paid.inputs) == 1  # type: ignore[union-attr]
    await http.node.include("with it")
    assert await balance(http, SHOP) == 1000
    assert await balance(http, MINE[1]) == 0
    rest = await balance(http, MINE[0]) - OWN[0]
    assert 0 < OWN[1] - 1000 - rest < 100_000
    assert await balance(http, MINE[2]) == OWN[2]


async def test_without_keys_any_note_of_the_wallet_pays(http: HttpNode) -> None:
    everything = sum(OWN) - 100_000
    assert (await http.post(TRANSFER, transfer(amount=everything))).status_code == 201
    await http.node.settle()
    await http.node.include("with it")
    assert await balance(http, SHOP) == everything


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (transfer(MINE[0], amount=OWN[0]), (409, "WALLET_FUNDS_INSUFFICIENT")),
        (transfer(FOREIGN), (404, "WALLET_KEY_UNKNOWN")),
        (transfer(change=FOREIGN), (404, "WALLET_KEY_UNKNOWN")),
        (transfer(amount=0), (400, "REQUEST_INVALID")),
        (transfer(amount="1000"), (400, "REQUEST_INVALID")),
        (transfer(tip="x"), (400, "REQUEST_INVALID")),
        (transfer(more=1), (400, "REQUEST_INVALID")),
        (paying(), (400, "REQUEST_INVALID")),
        ({**transfer(), "recipient_public_key": "ff" * 32}, (400, "MANTLE_VALUE_UNENCODABLE")),
    ],
)
async def test_a_transfer_that_is_not_made(
    http: HttpNode, body: Any, expected: tuple[int, str]
) -> None:
    assert problem(await http.post(TRANSFER, body)) == expected
    assert http.node.rooms.wallet.reserved() == frozenset()


async def test_a_transfer_of_a_name_is_made_once(http: HttpNode) -> None:
    name = {"Idempotency-Key": "the rent of May"}
    one, two = await asyncio.gather(*[http.post(TRANSFER, transfer(), **name) for _ in range(2)])
    assert one.json() == two.json()
    other = await http.post(TRANSFER, transfer(MINE[1]), **name)
    assert problem(other) == (409, "WALLET_REQUEST_REUSED")
    long = {"Idempotency-Key": "x" * 65}
    assert problem(await http.post(TRANSFER, transfer(), **long)) == (400, "WALLET_ORDER_INVALID")


# -- operations of others --------------------------------------------------------------------------


async def test_operations_that_others_sign_are_paid_for(http: HttpNode) -> None:
    found = (await http.post(FUND, fund(INSCRIBE, priority_fee_percent=12))).json()
    assert found["tip"] == http.node.tip.id.hex()
    inscribe, paid = found["funded_tx"]["ops"]
    assert (inscribe, paid["opcode"]) == (INSCRIBE, 0)
    proofs = [{"Ed25519Sig": "00" * 64}, found["transfer_proof"]]
    answer = await http.add({"mantle_tx": found["funded_tx"], "ops_proofs": proofs})
    assert (answer.status_code, answer.json()) == (200, None)
    await http.node.include("with it")
    channel = await http.found(f"/channel/{CHANNEL.hex()}")
    assert channel["accredited_keys"] == [KEYS[0].hex()]


async def test_outputs_of_a_builder_are_paid_too(http: HttpNode) -> None:
    pending = {"inputs": [], "outputs": [{"value": 500, "pk": SHOP.hex()}]}
    found = (await http.post(FUND, fund(INSCRIBE, pending_transfer=pending))).json()
    [_, paid] = found["funded_tx"]["ops"]
    assert {"value": 500, "pk": SHOP.hex()} in paid["payload"]["outputs"]


async def test_signatures_of_a_channel_are_reckoned_with(http: HttpNode) -> None:
    config = {
        "opcode": 16,
        "payload": {
            "channel": CHANNEL.hex(),
            "keys": [KEYS[0].hex()],
            "posting_timeframe": 0,
            "posting_timeout": 0,
            "configuration_threshold": 1,
            "transfer_threshold": 1,
        },
    }
    fees = []
    for count in (0, 1, 5):
        signatures = [{"signature": "00" * 64, "channel_key_index": at} for at in range(count)]
        proofs = {"0": {"signatures": signatures}} if count else {}
        body = fund(config, channel_multi_sig_proofs=proofs)
        before = http.node.rooms.wallet.balances().pending
        await http.post(FUND, body)
        fees.append(http.node.rooms.wallet.waiting()[-1].fee)
        assert http.node.rooms.wallet.balances().pending > before
    assert fees[0] == fees[1] < fees[2]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (fund(INSCRIBE, max_tx_fee=1), (409, "WALLET_FEE_TOO_HIGH")),
        (fund(INSCRIBE, ledger_inputs=[{}]), (501, "NOT_SERVED")),
        (
            fund(INSCRIBE, pending_transfer={"inputs": ["00" * 32], "outputs": []}),
            (501, "NOT_SERVED"),
        ),
        (
            fund({"opcode": 0, "payload": {"inputs": [], "outputs": []}}),
            (501, "NOT_SERVED"),
        ),
        (fund(), (400, "WALLET_ORDER_INVALID")),
        (
            fund(INSCRIBE, channel_multi_sig_proofs={"0": {"signatures": []}}),
            (400, "REQUEST_INVALID"),
        ),
        (fund(INSCRIBE, channel_multi_sig_proofs=[]), (400, "REQUEST_INVALID")),
        (fund(INSCRIBE, priority_fee_percent=-1), (400, "REQUEST_INVALID")),
    ],
)
async def test_what_is_not_funded(http: HttpNode, body: Any, expected: tuple[int, str]) -> None:
    assert problem(await http.post(FUND, body)) == expected
    assert http.node.rooms.wallet.reserved() == frozenset()


async def test_a_deposit_is_signed_and_paid_by_the_wallet(http: HttpNode) -> None:
    world = http.node.world
    made = world.spend(0).transaction.operations
    inscribe = ChannelInscribe(CHANNEL, b"hello", bytes(32), KEYS[0])
    await http.node.extend("channel", signed(inscribe, *made))
    [note] = (await http.found(f"/wallet/{MINE[0].hex()}/balance"))["notes"]

    def deposit(*notes: str, fee: int = 10**9) -> dict[str, Any]:
        wanted = {"channel_id": CHANNEL.hex(), "inputs": list(notes), "metadata": [1, 2]}
        return paying(MINE[1], change=MINE[1], deposit=wanted, max_tx_fee=fee)

    low = await http.post(DEPOSIT, deposit(note, fee=1))
    assert problem(low) == (409, "WALLET_FEE_TOO_HIGH")
    foreign = await http.post(DEPOSIT, deposit(named("foreign").hex()))
    assert problem(foreign) == (409, "WALLET_NOTE_UNAVAILABLE")
    assert problem(await http.post(DEPOSIT, deposit())) == (400, "WALLET_ORDER_INVALID")
    assert http.node.rooms.wallet.reserved() == frozenset()

    answer = await http.post(DEPOSIT, deposit(note))
    assert answer.status_code == 200, answer.text
    await http.node.settle()
    assert only(http).hash.hex() == answer.json()["hash"]
    await http.node.include("with it")
    assert await balance(http, MINE[0]) == 0
    assert http.node.rooms.wallet.balances().in_channels == OWN[0]


# -- rewards ---------------------------------------------------------------------------------------


async def test_vouchers_are_listed_and_claimed(http: HttpNode) -> None:
    assert problem(await http.post("/leader/claim", None)) == (409, "WALLET_VOUCHER_UNAVAILABLE")
    for at in range(2):
        await http.node.lead(f"own {at}", http.node.world.spend(at))
        await http.node.extend(f"other {at}")
    await http.node.extend("epoch", gap=TWO.epoch_slots)
    where = "/leader/claim/vouchers"
    found = await http.found(where, tip=http.node.tip.id.hex())
    assert found["tip"] == http.node.tip.id.hex()
    assert found["total_claimable"] == 2 * found["reward_amount"] > 0
    own = {each.voucher.commitment.hex(): each for each in http.node.rooms.wallet.vouchers()}
    for each in found["vouchers"]:
        assert each["nullifier"] == own[each["commitment"]].voucher.nullifier.hex()

    answer = await http.post("/leader/claim", None)
    await http.node.settle()
    assert answer.json() == {"tx_hash": only(http).hash.hex()}
    await http.node.include("with it")
    assert len((await http.found(where))["vouchers"]) == 1


async def test_the_notes_that_may_lead(http: HttpNode) -> None:
    found = await http.found("/leader/aged-notes")
    assert (found["count"], found["total_value"]) == (len(OWN), sum(OWN))
    assert sorted(each["value"] for each in found["notes"]) == list(OWN)
    assert {each["public_key"] for each in found["notes"]} == {each.hex() for each in MINE}
    older = await http.get("/leader/aged-notes", tip="00" * 32)
    assert problem(older) == (404, "LEDGER_NOT_KEPT")
