"""Commands for tokens, grants, the audit log: what they send, print and refuse."""

import json
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_kernel import data, run, served
from typer.testing import CliRunner, Result

from logos.kernel.v1 import capability_pb2 as pb
from logos.kernel.v1 import capability_pb2_grpc
from logos_base.audit import AuditRecord, append
from logos_cli.main import app

BEARER = f"logos_{43 * 'b'}"
OPEN = "logos.network.v1.Streams/Open"


class Kernel(capability_pb2_grpc.CapabilityServicer):
    """Answers, and remembers what it was asked last."""

    def __init__(self) -> None:
        self.address = ""
        self.asked: Any = None
        self.is_allowed = True
        self.tokens: list[pb.ListOperatorTokensResponse.OperatorToken] = []
        self.grants: list[pb.Grant] = []
        self.records: list[AuditRecord] = []

    def IssueOperatorToken(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked = request
        return pb.IssueOperatorTokenResponse(bearer=BEARER)

    def ListOperatorTokens(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.ListOperatorTokensResponse(tokens=self.tokens)

    def RevokeOperatorToken(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked = request
        return pb.RevokeOperatorTokenResponse()

    def SetGrant(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked = request
        return pb.SetGrantResponse()

    def ListGrants(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.ListGrantsResponse(grants=self.grants)

    def DeleteGrant(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked = request
        return pb.DeleteGrantResponse()

    def Explain(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.asked = request
        return pb.ExplainResponse(allowed=self.is_allowed, rule="a rule")

    def RotateKey(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.RotateKeyResponse(key_id=bytes(range(8)))

    def ReadAudit(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        self.asked = request
        for one in self.records:
            if one.sequence >= request.from_sequence:
                response = pb.ReadAuditResponse(
                    sequence=one.sequence,
                    actor=one.actor,
                    action=one.action,
                    subject=one.subject,
                    outcome=one.outcome,
                    detail=one.detail,
                    hash=one.hash,
                )
                response.at.FromMilliseconds(one.at_ms)
                yield response

    def note(self, *subjects: str) -> None:
        """Adds records to the log."""
        for subject in subjects:
            draft = AuditRecord(0, 1_790_000_000_123, "operator:ada", "token.issue", subject, "OK")
            self.records.append(append(self.records[-1] if self.records else None, draft))


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    """A kernel that answers, and a token for it."""
    monkeypatch.setenv("LOGOS_STATE", str(tmp_path))
    monkeypatch.setenv("LOGOS_TOKEN", BEARER)
    one = Kernel()
    with served(one, capability_pb2_grpc.add_CapabilityServicer_to_server):
        yield one


@pytest.mark.parametrize(
    ("ttl", "seconds"), [("90s", 90), ("30m", 1800), ("24h", 86_400), ("7d", 604_800)]
)
def test_a_token_is_issued_for_a_while_and_printed(kernel: Kernel, ttl: str, seconds: int) -> None:
    ended = run(kernel, "token", "issue", "ada", "--role", "viewer", "--ttl", ttl)

    assert (ended.exit_code, ended.stdout) == (0, f"{BEARER}\n")
    assert (kernel.asked.name, kernel.asked.role) == ("ada", pb.ROLE_VIEWER)
    assert kernel.asked.ttl.seconds == seconds


def test_a_token_without_a_time_holds_until_it_is_revoked(kernel: Kernel) -> None:
    told = data(kernel, "token", "issue", "ada", "--role", "admin")

    assert told == {"name": "ada", "role": "admin", "ttl_seconds": None, "bearer": BEARER}
    assert not kernel.asked.HasField("ttl")


def test_a_token_in_a_file_is_not_printed_and_is_for_its_owner(
    kernel: Kernel, tmp_path: Path
) -> None:
    file = tmp_path / "ada.token"
    file.write_text("an older one", encoding="utf-8")
    file.chmod(0o644)

    told = run(kernel, "token", "issue", "ada", "--role", "operator", "--out", str(file))

    assert told.exit_code == 0
    assert BEARER not in told.output
    assert file.read_text(encoding="utf-8") == f"{BEARER}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "words",
    [
        ("--role", "owner"),
        (),
        *(("--role", "viewer", "--ttl", ttl) for ttl in ("", "0s", "24", "-1h", "1w", "3651d")),
        ("--role", "viewer", "--out", "no-such-folder/file"),
    ],
    ids=" ".join,
)
def test_no_token_is_issued_for_wrong_options(kernel: Kernel, words: tuple[str, ...]) -> None:
    ended = run(kernel, "token", "issue", "ada", *words)

    assert (ended.exit_code, ended.stdout) == (2, "")
    assert kernel.asked is None


def test_a_token_that_cannot_be_written_is_named_for_revocation(
    kernel: Kernel, tmp_path: Path
) -> None:
    name = f"{250 * 'n'}.token"  # too long once a temporary name is made of it

    ended = run(kernel, "token", "issue", "ada", "--role", "viewer", "--out", str(tmp_path / name))

    assert ended.exit_code == 2
    assert "`logosctl token revoke ada`" in ended.stderr
    assert BEARER not in ended.output


def test_tokens_are_listed_without_what_makes_them_one(kernel: Kernel) -> None:
    token = pb.ListOperatorTokensResponse.OperatorToken(name="ada", role=pb.ROLE_OPERATOR)
    token.issued_at.FromSeconds(1_790_000_000)
    kernel.tokens = [token]

    [told] = data(kernel, "token", "list")

    assert told == {
        "name": "ada",
        "role": "operator",
        "issued_at": "2026-09-21T14:13:20Z",
        "expires_at": None,
    }


def test_a_token_is_revoked(kernel: Kernel) -> None:
    assert data(kernel, "token", "revoke", "ada") == {"name": "ada", "revoked": True}
    assert kernel.asked.name == "ada"


def test_the_token_that_is_borne_is_shown_without_a_call() -> None:
    ended = CliRunner().invoke(
        app, ["--address", "127.0.0.1:1", "token", "show"], env={"LOGOS_TOKEN": BEARER}
    )

    assert (ended.exit_code, ended.stdout) == (0, f"{BEARER}\n")


def test_no_token_to_show_is_told_with_what_to_do(kernel: Kernel) -> None:
    away = ["--address", "192.0.2.1:1", "token", "show"]  # no token of this machine is for it
    ended = CliRunner().invoke(app, away, env={"LOGOS_TOKEN": ""})

    assert (ended.exit_code, ended.stdout) == (6, "")
    assert "TOKEN_MISSING" in ended.stderr
    assert "LOGOS_TOKEN_FILE" in ended.stderr


@pytest.mark.parametrize(("verb", "is_refusal"), [("allow", False), ("refuse", True)])
def test_grants_and_refusals_are_set(kernel: Kernel, verb: str, *, is_refusal: bool) -> None:
    told = data(kernel, "grant", verb, "storage", "mixnet", OPEN, "a.b.C/*")

    grant = kernel.asked.grant
    assert (grant.caller, grant.target, grant.refuse) == ("storage", "mixnet", is_refusal)
    assert list(grant.methods) == told["methods"] == [OPEN, "a.b.C/*"]
    assert told["kind"] == ("refusal" if is_refusal else "grant")


def test_grants_are_listed_with_who_set_them(kernel: Kernel) -> None:
    kernel.grants = [pb.Grant(caller="a", target="b", methods=["*"], refuse=True, by="ada")]

    assert data(kernel, "grant", "list") == [
        {"caller": "a", "target": "b", "kind": "refusal", "methods": ["*"], "by": "ada"}
    ]


@pytest.mark.parametrize(("words", "is_refusal"), [((), False), (("--refusal",), True)])
def test_a_grant_or_a_refusal_is_deleted(
    kernel: Kernel, words: tuple[str, ...], *, is_refusal: bool
) -> None:
    assert run(kernel, "grant", "delete", "storage", "mixnet", *words).exit_code == 0
    assert kernel.asked.refuse == is_refusal


@pytest.mark.parametrize(("is_allowed", "code"), [(True, 0), (False, 6)])
def test_explain_prints_the_rule_and_ends_by_it(
    kernel: Kernel, code: int, *, is_allowed: bool
) -> None:
    kernel.is_allowed = is_allowed

    ended = run(kernel, "explain", "storage", "mixnet", OPEN)

    assert ended.exit_code == code
    assert ended.stdout == f"{'allowed' if is_allowed else 'denied'}: a rule\n"
    assert (kernel.asked.module, kernel.asked.target, kernel.asked.method) == (
        "storage",
        "mixnet",
        OPEN,
    )


def test_explain_asks_about_roles(kernel: Kernel) -> None:
    assert data(kernel, "explain", "role:viewer", "storage", "a.B/C")["caller"] == "role:viewer"
    assert kernel.asked.WhichOneof("caller") == "role"
    assert kernel.asked.role == pb.ROLE_VIEWER


def test_explain_refuses_an_unknown_role(kernel: Kernel) -> None:
    ended = run(kernel, "explain", "role:owner", "storage", "a.B/C")

    assert ended.exit_code == 2
    assert "role:operator" in ended.stderr
    assert kernel.asked is None


def test_a_key_is_rotated(kernel: Kernel) -> None:
    assert data(kernel, "key", "rotate") == {"key_id": "0001020304050607"}


def sequences(ended: Result) -> list[int]:
    """The records of an audit log that were printed as JSON, a line each."""
    return [json.loads(line)["sequence"] for line in ended.stdout.splitlines()]


def test_the_audit_log_is_printed_a_line_each(kernel: Kernel) -> None:
    kernel.note("ada", "ben")

    table = run(kernel, "audit")
    lines = run(kernel, "audit", "--output", "json")

    assert table.exit_code == lines.exit_code == 0
    assert "operator:ada" in table.stdout
    assert [json.loads(line) for line in lines.stdout.splitlines()][1] == {
        "sequence": 2,
        "at": "2026-09-21T14:13:20.123Z",
        "actor": "operator:ada",
        "action": "token.issue",
        "subject": "ben",
        "outcome": "OK",
        "detail": "",
        "hash": kernel.records[1].hash.hex(),
    }


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ((), [1, 2, 3, 4]),
        (("--from", "3"), [3, 4]),
        (("--tail", "1"), [4]),
        (("--from", "2", "--tail", "9"), [2, 3, 4]),
        (("--from", "5"), []),
        (("--from", "9"), []),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_part_of_the_audit_log(kernel: Kernel, words: tuple[str, ...], wanted: list[int]) -> None:
    kernel.note("a", "b", "c", "d")

    ended = run(kernel, "audit", *words, "--output", "json")

    assert (ended.exit_code, ended.stderr) == (0, "")
    assert sequences(ended) == wanted


@pytest.mark.parametrize("output", ["json", "table"])
def test_a_changed_record_is_named_after_those_before_it(kernel: Kernel, output: str) -> None:
    kernel.note("first", "second", "third", "fourth")
    kernel.records[2] = replace(kernel.records[2], subject="someone else")

    ended = run(kernel, "audit", "--output", output)

    assert ended.exit_code == 5
    assert "broken at record 3" in ended.stderr
    assert "AUDIT_BROKEN" in ended.stderr
    assert "second" in ended.stdout
    assert "someone else" not in ended.stdout
    assert "fourth" not in ended.stdout


@pytest.mark.parametrize(("missing", "words"), [(1, ()), (3, ()), (3, ("--from", "3"))])
def test_a_missing_record_is_named(kernel: Kernel, missing: int, words: tuple[str, ...]) -> None:
    kernel.note("a", "b", "c", "d")
    del kernel.records[missing - 1]

    ended = run(kernel, "audit", *words)

    assert ended.exit_code == 5
    assert f"broken at record {missing}" in ended.stderr


def test_the_rest_of_a_broken_log_is_read_from_the_record_that_the_error_names(
    kernel: Kernel,
) -> None:
    kernel.note("a", "b", "c", "d", "e")
    kernel.records[2] = replace(kernel.records[2], hash=bytes(32))

    assert "`--from 5`" in run(kernel, "audit").stderr
    assert sequences(run(kernel, "audit", "--from", "5", "--output", "json")) == [5]


def test_a_log_whose_beginning_was_left_out_is_broken_from_any_record_on(kernel: Kernel) -> None:
    kernel.note("a", "b", "c", "d")
    kernel.records = kernel.records[3:]

    assert "broken at record 1" in run(kernel, "audit", "--from", "2").stderr
