"""Lock files without addresses, generated code without drift, tiers by name."""

from pathlib import Path

import pytest

from logos_cli import checks, tiers
from logos_cli.locks import runtime_requirements

ROOT = Path(__file__).parents[3]


def test_the_locks_hold_hashes_and_no_addresses() -> None:
    assert checks.CHECKS["locks"](ROOT) == (True, "")


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://registry.example/simple",
        "x @ https://files.example/x.whl",
        "--find-links /opt/wheels",
        "x @ git+ssh://example/x",
    ],
)
def test_an_address_in_a_lock_is_found(tmp_path: Path, line: str) -> None:
    (tmp_path / "requirements.lock").write_text(f"a==1 \\\n    --hash=sha256:00\n{line}\n")

    passed, said = checks.CHECKS["locks"](tmp_path)

    assert not passed
    assert "requirements.lock:3" in said


def test_the_locks_cover_what_the_members_require() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8").lower()
    names = [each.split(">")[0].split("[")[0].strip() for each in runtime_requirements(ROOT)]

    assert names
    assert [name for name in names if f"\n{name}==" not in lock.replace("_", "-")] == []
    assert not any(name.startswith("logos-") for name in names)


def test_an_unknown_check_is_refused(tmp_path: Path) -> None:
    assert checks.run_checks(tmp_path, ["spelling-bee"]) is False


@pytest.mark.parametrize(
    ("selection", "runs"),
    [
        ((), list(tiers.TIERS)),
        (("unit", "native"), ["unit", "native"]),
        (("libs/logos-base", "-x"), ["pytest"]),
        (("unit", "-k", "cid"), ["unit"]),
    ],
)
def test_tiers_run_by_name_and_the_rest_goes_to_pytest(
    monkeypatch: pytest.MonkeyPatch, selection: tuple[str, ...], runs: list[str]
) -> None:
    ran: list[str] = []

    def run_tier(root: Path, tier: str, rest: list[str]) -> bool:
        ran.append(tier)
        return True

    def run(arguments: list[str], root: Path) -> int:
        ran.append(Path(arguments[0]).name)
        return 0

    monkeypatch.setattr(tiers, "_run_tier", run_tier)
    monkeypatch.setattr(tiers, "run", run)

    assert tiers.run_tests(ROOT, selection)

    assert ran == runs
