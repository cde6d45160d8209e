"""The options that commands of `logosctl` share: node, timeout, output format."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import grpc
import typer

from logos_cli.console import Output, print_json, stderr
from logos_cli.exits import explained
from logos_cli.running import run_interruptibly
from logos_cli.target import address_of
from logos_cli.tokens import token_for
from logos_client.channels import channel_to

T = TypeVar("T")
Request = TypeVar("Request")
Response = TypeVar("Response")

if TYPE_CHECKING:  # it takes parameters in the stubs alone
    Method = Callable[[grpc.aio.Channel], grpc.aio.UnaryUnaryMultiCallable[Request, Response]]

FormOption = Annotated[
    Output | None, typer.Option("--output", help="How to print data on stdout.", show_default=False)
]


@dataclass(frozen=True, slots=True)
class Session:
    """The options before the noun: `logosctl --node node4 --output json storage list`."""

    node: str
    testnet: str | None
    output: Output
    timeout_s: float | None
    token_file: Path | None = None
    ca_file: Path | None = None
    """For a node by address; those by name are this machine's, which do not encrypt."""

    def form(self, own: Output | None) -> Output:
        """Returns the output format: the command's own --output, else that before the noun."""
        return own or self.output

    def report(self, record: dict[str, Any], sentence: str, own: Output | None) -> None:
        """Reports what a command has done: a record as JSON on stdout, a sentence on stderr."""
        if self.form(own) is Output.JSON:
            print_json(record)
        stderr().print(f"{self.node}: {sentence}", markup=False, highlight=False)

    def call(self, work: Callable[[grpc.aio.Channel], Awaitable[T]]) -> T:
        """Runs `work` on a channel to the node; exits with a message if it fails."""
        with explained():
            address = address_of(self.node, self.testnet)
        with explained(f"{self.node} ({address})"):
            return run_interruptibly(self._on_channel(address, work))

    def ask(self, method: "Method[Request, Response]", request: Request) -> Response:
        """Makes one unary call, within `--timeout`.

        Args:
            method: Of a stub on the channel: `lambda channel: StorageStub(channel).Stat`.
            request: Its request.
        """

        async def work(channel: grpc.aio.Channel) -> Response:
            return await method(channel)(request, timeout=self.timeout_s)

        return self.call(work)

    def pages(self, method: "Method[Any, Response]", request: Any) -> list[Response]:
        """Asks for a list page by page, as `ask` does; returns all responses."""

        async def work(channel: grpc.aio.Channel) -> list[Response]:
            found: list[Any] = [await method(channel)(request, timeout=self.timeout_s)]
            while found[-1].next_page_token:
                request.page_token = found[-1].next_page_token
                found.append(await method(channel)(request, timeout=self.timeout_s))
            return found

        return self.call(work)

    async def _on_channel(
        self, address: str, work: Callable[[grpc.aio.Channel], Awaitable[T]]
    ) -> T:
        ca_file = self.ca_file if ":" in self.node else None
        token = await token_for(address, self.token_file)
        async with channel_to(address, token, ca_file=ca_file) as channel:
            return await work(channel)


def session_of(context: typer.Context) -> Session:
    """Returns the session of a command, set by the callback of `logosctl`."""
    session = context.obj
    if not isinstance(session, Session):
        raise TypeError("the command runs outside of logosctl")
    return session
