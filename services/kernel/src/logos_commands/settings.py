"""`logosctl settings`: settings of modules, read and changed while they run."""

import json
from typing import Annotated, Any, Final

import grpc
import typer

from logos.kernel.v1 import settings_pb2
from logos.kernel.v1.settings_pb2_grpc import SettingsStub
from logos_cli.arguments import utf8
from logos_cli.console import Output, print_json, print_json_line, print_rows, shown
from logos_cli.exits import Exit
from logos_cli.session import FormOption, Session, session_of

command: Final = typer.Typer(
    help="Settings of modules, changed while they run.", add_completion=False, no_args_is_help=True
)

ADVICE: Final = {
    "REVISION_CONFLICT": "they were changed meanwhile: `logosctl settings get MODULE`",
    "INVALID_SETTINGS": "`logosctl settings get MODULE --output json` shows their schema",
}

NameArgument = Annotated[str, typer.Argument(help="Name of the module, e.g. storage.")]
_COLUMNS: Final = ("setting", "value", "changed", "description")
_HISTORY: Final = ("version", "outcome", "by", "at", "detail")


@command.callback()
def group() -> None:
    """Settings of modules, changed while they run."""


@command.command("get")
def get(
    context: typer.Context,
    module: NameArgument,
    *,
    history: Annotated[bool, typer.Option("--history", help="The last versions instead.")] = False,
    output: FormOption = None,
) -> None:
    """Print the settings that hold, or the last versions."""
    session = session_of(context)
    form, answer = session.form(output), _get(session, module)
    if history:
        print_rows([_record(one) for one in answer.history], _HISTORY, form)
    elif form is Output.JSON:
        print_json(
            {
                "module": module,
                **_record(answer.active),
                "changes": json.loads(answer.changes_json),
                "schema": json.loads(answer.schema_json),
            }
        )
    else:
        print_rows(_rows(answer), _COLUMNS, form)


@command.command("set")
def set_(
    context: typer.Context,
    module: NameArgument,
    changes: Annotated[
        list[str],
        typer.Argument(
            help="SETTING=VALUE: a value is JSON, or text; null takes a change back.",
            callback=lambda texts: [utf8(text) for text in texts],
        ),
    ],
    *,
    expect: Annotated[
        int | None,
        typer.Option(min=1, max=2**63, help="Only if this version holds; else that of now."),
    ] = None,
    output: FormOption = None,
) -> None:
    """Change settings. Exit code 5 if the module rejects them."""
    session = session_of(context)
    patch = json.dumps(_patch(changes))
    if expect is None:
        expect = _get(session, module).active.version
    request = settings_pb2.UpdateSettingsRequest(
        module=module, patch_json=patch, expect_version=expect
    )
    tried = session.ask(lambda channel: SettingsStub(channel).UpdateSettings, request).tried
    record = {"module": module, **_record(tried)}
    detail = f": {shown(tried.detail)}" if tried.detail else ""
    sentence = f"version {tried.version} of the settings of {module} is {record['outcome']}{detail}"
    session.report(record, sentence, output)
    if tried.outcome == settings_pb2.SETTINGS_OUTCOME_REJECTED:
        raise typer.Exit(Exit.FAILED)


@command.command("watch")
def watch(context: typer.Context, module: NameArgument, output: FormOption = None) -> None:
    """Print the settings that hold now, and each time they change."""
    session = session_of(context)
    request = settings_pb2.WatchSettingsRequest(module=module)
    as_json = session.form(output) is Output.JSON

    async def work(channel: grpc.aio.Channel) -> None:
        async for response in SettingsStub(channel).WatchSettings(request):
            active = response.active
            if as_json:
                print_json_line({"node": session.node, "module": module, **_record(active)})
            else:
                print(f"{active.version}  {shown(active.document_json)}", flush=True)

    session.call(work)


def _get(session: Session, module: str) -> settings_pb2.GetSettingsResponse:
    request = settings_pb2.GetSettingsRequest(module=module)
    return session.ask(lambda channel: SettingsStub(channel).GetSettings, request)


def _patch(changes: list[str]) -> dict[str, Any]:
    """Reads `limits.a=5` as `{"limits": {"a": 5}}`."""
    patch: dict[str, Any] = {}
    for change in changes:
        path, sign, text = change.partition("=")
        if not sign or not all(path.split(".")):
            raise typer.BadParameter(
                f"must be SETTING=VALUE, is {change!r}", param_hint="'CHANGES'"
            )
        *above, last = path.split(".")
        place = patch
        for key in above:
            place = place.setdefault(key, {})
            if not isinstance(place, dict):
                raise typer.BadParameter(f"{path} is in {key}", param_hint="'CHANGES'")
        place[last] = _value(text)
    return patch


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _record(one: settings_pb2.SettingsVersion) -> dict[str, Any]:
    """A version as a record of the output."""
    return {
        "version": one.version,
        "outcome": settings_pb2.SettingsOutcome.Name(one.outcome)
        .removeprefix("SETTINGS_OUTCOME_")
        .lower(),
        "by": one.by,
        "at": one.at.ToJsonString(),
        "detail": one.detail,
        "settings": json.loads(one.document_json or "{}"),
    }


def _rows(answer: settings_pb2.GetSettingsResponse) -> list[dict[str, Any]]:
    """Every setting that is set, or that the schema knows."""
    document, changes = json.loads(answer.active.document_json), json.loads(answer.changes_json)
    known = json.loads(answer.schema_json).get("properties", {})
    return [
        {
            "setting": name,
            "value": json.dumps(document[name]) if name in document else None,
            "changed": name in changes,
            "description": _described(known.get(name)),
        }
        for name in sorted(document.keys() | known.keys())
    ]


def _described(schema: object) -> str:
    return str(schema.get("description", "")) if isinstance(schema, dict) else ""
