"""`/mempool/…` and `/mantle/…`: what waits, prices, declarations (HTP-12 to HTP-14)."""

import asyncio
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from logos_chain.core.ledger.ledger import Ledger
from logos_chain.core.ledger.types import Declaration, Snapshot
from logos_chain.core.mempool.types import Stage
from logos_chain.http.answers import answering, as_json
from logos_chain.http.given import to_signed
from logos_chain.http.operations import Operations
from logos_chain.http.reading import Bodies, Parameters, identifier, items
from logos_chain.http.tips import at_tip
from logos_chain.http.written import BLEND_NETWORK
from logos_chain.operations.wallets.submitting import prices_of
from logos_mantle.locator_text import locator_text

MAX_ASKED: Final = 1_024
PAGE: Final = 1_000


class MempoolRoutes:
    """Transactions that wait, and the ledger that they wait for."""

    def __init__(self, operations: Operations, bodies: Bodies) -> None:
        self._with = operations
        self._bodies = bodies

    def add_to(self, router: APIRouter) -> None:
        """Adds the routes."""
        router.add_route("/mempool/add/tx", answering(self.add), methods=["POST"])
        router.add_route("/mempool/view", answering(self.view), methods=["GET"])
        router.add_route("/mantle/metrics", answering(self.metrics), methods=["GET"])
        router.add_route("/mantle/status", answering(self.status), methods=["POST"])
        router.add_route("/mantle/gas-prices", answering(self.prices), methods=["GET"])
        sdp = "/mantle/sdp"
        router.add_route(f"{sdp}/declarations", answering(self.declarations), methods=["GET"])
        router.add_route(f"{sdp}/snapshot", answering(self.snapshot), methods=["GET"])

    async def add(self, request: Request) -> Response:
        """Takes a signed transaction; answers once it waits."""
        raw = await self._bodies.read(request, lambda value: to_signed(value).encoded)
        await self._with.transactions.submit(raw)
        return as_json(None)

    async def view(self, request: Request) -> Response:
        """Returns the hashes of all that waits."""
        Parameters(request, ())
        mempool = self._with.mempool
        found: list[str] = []
        while page := mempool.waiting(len(found), PAGE):
            found += [each.hash.hex() for each in page]
        return as_json(found)

    async def metrics(self, request: Request) -> Response:
        """Returns how much waits, and when the last came."""
        Parameters(request, ())
        count, last_ms = self._with.mempool.count, self._with.taken.at_ms
        return as_json({"pending_items": count, "last_item_timestamp": last_ms})

    async def status(self, request: Request) -> Response:
        """Returns of each hash whether it waits."""
        wanted = await self._bodies.read(
            request, lambda value: [identifier(e, "body") for e in items(value, "body", MAX_ASKED)]
        )
        found = [self._with.mempool.status(each) for each in wanted]
        is_pending = [one is not None and one.stage is Stage.PENDING for one in found]
        return as_json(["Pending" if each else "Unknown" for each in is_pending])

    async def prices(self, request: Request) -> Response:
        """Returns the prices of the block after the tip."""
        tip = Parameters(request, ("tip",)).identifier("tip")
        found = await at_tip(self._with.follow, tip, prices_of)
        return as_json(
            {
                "tip": found.tip.hex(),
                "execution_base_gas_price": found.value.execution,
                "storage_gas_price": found.value.storage,
            }
        )

    async def declarations(self, request: Request) -> Response:
        """Returns all declarations of services, by id."""
        Parameters(request, ())
        found = await self._with.follow.at_tip(_declarations)
        return await asyncio.to_thread(
            lambda: as_json({key.hex(): _of_declaration(one) for key, one in found.value})
        )

    async def snapshot(self, request: Request) -> Response:
        """Returns the declarations that count in the tip's epoch, by id."""
        Parameters(request, ())
        found = await self._with.follow.at_tip(lambda ledger: ledger.head.snapshots.present)
        return await asyncio.to_thread(lambda: as_json(_of_snapshot(found.value)))


def _declarations(ledger: Ledger) -> list[tuple[bytes, Declaration]]:
    return list(ledger.state.declarations.items())


def _of_declaration(found: Declaration) -> dict[str, Any]:
    message = found.message
    return {
        "service_type": BLEND_NETWORK,
        "provider_id": message.provider_id.hex(),
        "zk_id": message.zk_id.hex(),
        "service_note_id": message.locked_note_id.hex(),
        "locators": [locator_text(each) for each in message.locators],
        "created": found.created_epoch,
        "active": found.active_epoch,
        "withdrawn": found.withdrawn_epoch,
        "nonce": found.nonce,
    }


def _of_snapshot(found: Snapshot) -> dict[str, Any]:
    return {
        each.declaration_id.hex(): {
            "service_type": BLEND_NETWORK,
            "provider_id": each.provider_id.hex(),
            "zk_id": each.zk_id.hex(),
            "locators": [locator_text(one) for one in each.locators],
        }
        for each in found
    }
