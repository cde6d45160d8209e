"""What a panel is, and what the shell gives it."""

import re
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import grpc
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from logos_app.security.gate import visit_of
from logos_app.shown.problems import Problem, problem_of
from logos_app.testnet.acts import record

if TYPE_CHECKING:
    from logos_app.shell.pages import Shell

T = TypeVar("T")

_SLUG: Final = re.compile(r"[a-z][a-z0-9-]{0,30}")


@dataclass(frozen=True, slots=True)
class Found:
    """A page for what was typed."""

    what: str
    href: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a panel is seen: at a node."""

    shell: "Shell"
    node: str
    panel: "Panel"
    channel: grpc.aio.Channel
    """To the node's front door; its calls carry the operator's token."""

    @property
    def root(self) -> str:
        """Path of the panel's first page, with a slash at its end."""
        return f"/at/{self.node}/{self.panel.slug}/"

    def partial(self, template: str, **values: Any) -> str:
        """A part of a page from a template of the panel."""
        return self.shell.partial(f"{self.panel.name}/{template}", at=self, **values)

    def publish(self, template: str, **values: Any) -> None:
        """Sends a part to everyone who sees this panel at this node."""
        topic = f"{self.panel.slug}:{self.node}"
        self.shell.live.publish(topic, self.partial(template, **values))

    def kept(self, first: T) -> T:
        """What the panel keeps of this node between requests; `first` where it keeps nothing yet.

        It is lost with the app.
        """
        found: T = self.shell.kept.get((self.node, self.panel.slug), first)
        return found

    def keep(self, value: object) -> None:
        """Keeps something, in place of what was kept."""
        self.shell.kept[self.node, self.panel.slug] = value

    def work(self, work: Coroutine[Any, Any, None]) -> None:
        """Goes on with something when the request has ended."""
        self.shell.work(work)


@dataclass(frozen=True, slots=True)
class At(Place):
    """A panel's place for one request. Its routes take one, by `Depends(here)`."""

    request: Request

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """A whole page from a template of the panel."""
        return self.shell.page(
            self.request, f"{self.panel.name}/{template}", status=status, at=self, **values
        )

    def failed(self, error: grpc.aio.AioRpcError | Problem, status: int = 409) -> Response:
        """The page for a failed call, or a notice where a script asks."""
        problem = error if isinstance(error, Problem) else problem_of(error, self.node)
        return self.shell.failed(self.request, problem, status)

    @property
    def session(self) -> str:
        """Name of the session whose request it is; no secret."""
        visit = visit_of(self.request)
        return "" if visit is None else visit.session.name

    async def record(self, verb: str, **facts: Any) -> None:
        """Puts what was done here on the timeline, with who did it."""
        await record(self.channel, self.session, verb, **facts)


Looked = Callable[[Place], Awaitable[str]]
"""Renders a part of a panel's pages again, twice a second while one is open."""

LookedAt = Callable[[Place, str], Awaitable[str]]
"""The same for a page about one thing, whose topic is `SLUG:NODE:THING`."""

Read = Callable[[Place], Awaitable[None]]
"""Reads from a node every five seconds, also with no page open. It must return within 300 ms."""

Find = Callable[[Place, str], Awaitable[list[Found]]]
"""The pages that a text without spaces around it may mean, seen from a node; it has 2 s."""

Follow = Callable[[Place], Awaitable[None]]
"""Follows the module of a node by one stream of calls until that ends; it is begun again then."""

Figure = Callable[[grpc.aio.Channel], Awaitable[str]]
"""Asks a node for the figure in the navigation; it has 300 ms."""


@dataclass(frozen=True, slots=True)
class Panel:
    """A module's panel. `panels/<module>/panel.py` holds one as `PANEL`."""

    title: str
    slug: str
    order: int
    router: APIRouter
    figure: Figure | None = None
    live: Looked | None = None
    live_of: LookedAt | None = None
    read: Read | None = None
    """For what is shown over time."""
    follow: Follow | None = None
    """For what happens: of every node that has the module ready, however many pages are open."""
    takes_files: tuple[str, ...] = ()
    """Paths of its routes, without parameters, that take a body of any size."""
    anywhere: APIRouter | None = None
    """Its pages without a node in the address, below `/SLUG/`: they pick a node, and say which."""
    find: Find | None = None
    """What a search means to it: pages beside those of nodes, modules and panels."""
    module: str = field(default="", kw_only=True)
    """That of its folder's name, unless it names another: a module may have several panels."""
    name: str = field(default="", kw_only=True)
    """Set by its folder's name; its templates are known by it."""
    folder: Path = field(default=Path(), kw_only=True)

    def found_in(self, folder: Path) -> "Panel":
        """The panel of a folder, which is named after its module unless the panel names one."""
        if not _SLUG.fullmatch(self.slug):
            raise ValueError(f"{folder}: the slug {self.slug!r} must match {_SLUG.pattern}")
        name = folder.name.replace("_", "-")
        return replace(self, module=self.module or name, name=name, folder=folder)


def here(request: Request) -> At:
    """Where a route of a panel stands: `at: Annotated[At, Depends(here)]`."""
    at = request.state.at
    assert isinstance(at, At)  # noqa: S101 - for the types
    return at
