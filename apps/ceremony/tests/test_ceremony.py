"""CER-1 to CER-5, as the command shows them."""

import json
from pathlib import Path
from typing import Any

import pytest

from logos_ceremony.command import OK, REFUSED, USAGE, main
from logos_crypto.keys import CircuitKeys, KeySet

pytestmark = pytest.mark.proofs

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def transcript(tmp_path: Path, capsys: Capture) -> Path:
    """Of signature2, without contributions."""
    path = tmp_path / "signature2.ceremony"
    assert main(["begin", str(path), "--circuit", "signature2"]) == OK
    capsys.readouterr()
    return path


def asked(capsys: Capture, *arguments: str | Path, expected: int = OK) -> Any:
    assert main([*map(str, arguments), "--output", "json"]) == expected
    return json.loads(capsys.readouterr().out)


def test_three_contribute_anybody_verifies_and_the_key_comes_out(
    transcript: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "dice").write_bytes(b"4 2 6 6 1")
    hashes = []
    for name in ("ada", "Béla", "carol c"):
        dice = ["--entropy-file", tmp_path / "dice"]
        hashes.append(asked(capsys, "contribute", transcript, "--name", name, *dice)["mine"])

    shown = asked(capsys, "show", transcript)
    verified = asked(capsys, "verify", transcript)
    finished = asked(capsys, "finish", transcript, "--keys", tmp_path / "keys")

    assert [each["hash"] for each in verified["contributions"]] == hashes
    assert [each["name"] for each in verified["contributions"]] == ["ada", "Béla", "carol c"]
    assert (shown["verified"], verified["verified"], verified["insecure"]) == (False, True, False)
    assert len({*hashes, shown["hash"]}) == 3
    keys = KeySet({"signature2": bytes.fromhex(finished["verifying_key_hash"])}, is_insecure=False)
    key = keys.load_key(CircuitKeys(tmp_path / "keys"), "signature2")
    assert (key.contributions, str(tmp_path / "keys")) == (3, str(Path(finished["key"]).parent))


def test_progress_and_text_are_for_people(transcript: Path, capsys: Capture) -> None:
    assert main(["contribute", str(transcript), "--name", "ada"]) == OK
    contributed = capsys.readouterr()
    assert main(["verify", str(transcript)]) == OK
    verified = capsys.readouterr()
    assert main(["show", str(transcript)]) == OK

    assert "publish it" in contributed.out
    assert "verifying contribution 1 of 1" in verified.err
    assert verified.out.endswith("verified\n")
    assert "not verified" in capsys.readouterr().out


def test_a_changed_transcript_is_refused_by_author_and_left_alone(
    transcript: Path, tmp_path: Path, capsys: Capture
) -> None:
    for name in ("ada", "bob"):
        asked(capsys, "contribute", transcript, "--name", name)
    changed = bytearray(transcript.read_bytes())
    changed[-40] ^= 1
    transcript.write_bytes(changed)

    for command in (
        ("verify", transcript),
        ("contribute", transcript, "--name", "carol"),
        ("finish", transcript, "--keys", tmp_path / "keys"),
    ):
        refused = asked(capsys, *command, expected=REFUSED)["error"]

        assert refused["reason"] == "CONTRIBUTION_NOT_CHAINED"
        assert 'contribution 2 ("bob")' in refused["message"]
    assert transcript.read_bytes() == changed
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize(
    ("arguments", "reason", "code"),
    [
        (["contribute", "{file}", "--name", "a\n"], "CONTRIBUTOR_NAME", REFUSED),
        (["finish", "{file}", "--keys", "{folder}/keys"], "CEREMONY_EMPTY", REFUSED),
        (["verify", "{folder}/nothing"], "KEY_IO", USAGE),
        (["verify", "{folder}/text"], "TRANSCRIPT_HEADER", REFUSED),
        (["begin", "{file}", "--circuit", "signature2"], "KEY_IO", USAGE),
        (["begin", "{folder}/no/where", "--circuit", "signature2"], "KEY_IO", USAGE),
        (
            ["contribute", "{file}", "--name", "a", "--entropy-file", "{folder}/nothing"],
            "KEY_IO",
            USAGE,
        ),
    ],
)
def test_what_cannot_be_done_has_its_reason_and_its_exit_code(
    transcript: Path, capsys: Capture, arguments: list[str], reason: str, code: int
) -> None:
    (transcript.parent / "text").write_text("not a transcript")
    before = transcript.read_bytes()
    places = {"file": transcript, "folder": transcript.parent}

    filled = [argument.format(**places) for argument in arguments]

    assert asked(capsys, *filled, expected=code)["error"]["reason"] == reason
    assert main(filled) == code
    assert reason in capsys.readouterr().err
    assert transcript.read_bytes() == before
