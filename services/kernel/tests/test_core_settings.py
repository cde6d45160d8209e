"""KER-40: versions of settings."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_kernel.core.errors import InvalidSettingsError, RevisionConflictError
from logos_kernel.core.schema import Schema
from logos_kernel.core.settings import (
    KEPT_VERSIONS,
    MAX_SETTINGS_BYTES,
    ModuleSettings,
    Outcome,
    Version,
)

DECLARED: dict[str, object] = {
    "additionalProperties": False,
    "properties": {
        "quota": {"type": "integer", "minimum": 1, "default": 7},
        "name": {"type": "string"},
        "limits": {"type": "object", "properties": {"a": {"type": "integer"}}},
    },
}
PROFILE: dict[str, object] = {"name": "base", "limits": {"a": 1, "b": 2}}


def made(
    versions: list[Version] | None = None,
    profile: dict[str, object] = PROFILE,
    declared: dict[str, object] = DECLARED,
) -> ModuleSettings:
    return ModuleSettings(profile, Schema(declared), versions or [], 5)


def change(own: ModuleSettings, patch: object, outcome: Outcome = Outcome.APPLIED) -> Version:
    text = patch if isinstance(patch, str) else json.dumps(patch)
    own.take(own.propose(text, own.active.number, "operator:ada", 6))
    return own.settle(outcome, "")


def document(own: ModuleSettings) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(own.active.document)
    return found


def test_the_profile_with_defaults_is_the_first_version() -> None:
    own = made()

    assert (own.active.number, own.active.by, own.is_saved) == (1, "kernel", False)
    assert document(own) == {**PROFILE, "quota": 7}


def test_a_patch_changes_what_it_names_and_null_takes_back() -> None:
    own = made()

    change(own, {"quota": 9, "limits": {"a": 5}, "log_level": "DEBUG"})
    assert document(own) == {
        "name": "base",
        "quota": 9,
        "limits": {"a": 5, "b": 2},
        "log_level": "DEBUG",
    }
    change(own, {"quota": None, "limits": {"a": None}})

    assert document(own) == {**PROFILE, "quota": 7, "log_level": "DEBUG"}
    assert json.loads(own.active.changes) == {"limits": {}, "log_level": "DEBUG"}


def test_another_version_than_was_expected_is_a_conflict() -> None:
    own = made()
    change(own, {"quota": 8})

    with pytest.raises(RevisionConflictError, match="version 2 holds, not 1"):
        own.propose('{"quota": 9}', 1, "operator:bob", 6)


def test_what_is_rejected_takes_a_number_and_does_not_hold() -> None:
    own = made()

    rejected = change(own, {"quota": 8}, Outcome.REJECTED)

    assert (rejected.number, own.active.number, document(own)["quota"]) == (2, 1, 7)
    assert change(own, {"quota": 9}).number == 3


@pytest.mark.parametrize(
    "patch",
    [
        "",
        "[]",
        "null",
        "{",
        '{"quota": NaN}',
        '{"quota": 1e999}',
        f'{{"quota": {"9" * 5000}}}',
        '{"quota": "many"}',
        '{"quota": 0}',
        '{"quota": true}',
        '{"unknown": 1}',
        '{"log_level": "LOUD"}',
        '{"name": "\\ud800"}',
        '{"a":' * 40 + "1" + "}" * 40,
        '{"a":' * 9000 + "1" + "}" * 9000,
        json.dumps({"name": "x" * MAX_SETTINGS_BYTES}),
    ],
    ids=lambda text: text[:20],
)
def test_what_cannot_be_is_refused_and_changes_nothing(patch: str) -> None:
    own = made()
    before = list(own.versions)

    with pytest.raises(InvalidSettingsError):
        own.propose(patch, 1, "operator:ada", 6)
    assert own.versions == before


def test_changes_do_not_add_up_beyond_the_limit() -> None:
    own = made(declared={"properties": {"a": {}}})
    for key in "ab":
        change(own, {key: "x" * (MAX_SETTINGS_BYTES // 2 - 100)})

    with pytest.raises(InvalidSettingsError, match="over 65536 bytes"):
        own.propose(json.dumps({"c": "x" * 1000}), own.active.number, "operator:ada", 6)


def test_without_a_schema_only_common_settings_change() -> None:
    own = made(declared={})

    change(own, {"log_level": "ERROR"})
    with pytest.raises(InvalidSettingsError, match="declares no schema"):
        own.propose('{"quota": 1}', own.active.number, "operator:ada", 6)

    assert document(own) == {**PROFILE, "log_level": "ERROR"}


@pytest.mark.parametrize(
    "declared",
    [
        {"properties": {"a": {"type": "no-such"}}},
        {"properties": {"a": {"pattern": "("}}},
        {"properties": {"a": {"$ref": "definitions.json"}}},
        {"properties": 5},
        {"properties": {"a": {"enum": 5}}},
        {"allOf": {"$ref": "other:x"}},
    ],
    ids=str,
)
def test_what_is_no_schema_is_refused(declared: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="settings"):
        Schema(declared)


def test_the_next_kernel_goes_on_with_what_held() -> None:
    own = made()
    change(own, {"quota": 9})

    again = made(own.versions)

    assert (again.active, again.is_saved) == (own.active, True)


def test_another_profile_is_another_version_and_changes_still_hold() -> None:
    own = made()
    change(own, {"quota": 9})

    again = made(own.versions, {"name": "other"})

    assert (again.active.number, again.active.by, again.is_saved) == (3, "kernel", False)
    assert document(again) == {"name": "other", "quota": 9}


def test_what_was_pending_when_a_kernel_ended_is_undone_by_a_newer_version() -> None:
    own = made()
    own.take(own.propose('{"quota": 9}', 1, "operator:ada", 6))

    again = made(own.versions)

    assert (again.active.number, document(again)["quota"]) == (3, 7)


def test_changes_that_a_new_schema_does_not_allow_are_dropped_aloud() -> None:
    own = made()
    change(own, {"quota": 9})
    stricter = {"properties": {"quota": {"maximum": 8}}}

    again = made(own.versions, declared=stricter)

    assert document(again) == PROFILE
    assert again.active.detail.startswith("changes of operators dropped: settings.quota")
    assert again.active.number == 3


def test_a_profile_that_the_schema_does_not_allow_is_refused() -> None:
    with pytest.raises(InvalidSettingsError, match=r"settings\.name must be string"):
        made(profile={"name": 5})


patches = st.fixed_dictionaries(
    {},
    optional={
        "quota": st.none() | st.integers(0, 3),  # 0 is not allowed
        "name": st.none() | st.just("x"),
        "limits": st.sampled_from([None, {"a": None}, {"a": 2}]),
    },
)
fates = st.sampled_from([*Outcome, "stale", "profile"])


@given(st.lists(st.tuples(fates, patches), max_size=30))
def test_what_holds_is_what_was_accepted_last_and_versions_go_up(
    history: list[tuple[str, dict[str, Any]]],
) -> None:
    own, profile = made(), PROFILE
    changes: dict[str, dict[str, object]] = {"own": {}, "limits": {}}
    for fate, patch in history:
        before, newest = own.active.number, own.versions[-1].number
        if fate == "profile":
            profile = {**PROFILE, "name": f"{profile['name']}+"}
            own = made(own.versions, profile)
            is_changed = "name" not in changes["own"]
            assert own.active.number == (newest + 1 if is_changed else before)
        elif fate == "stale" or patch.get("quota") == 0:
            with pytest.raises((RevisionConflictError, InvalidSettingsError)):
                own.propose(json.dumps(patch), before - (fate == "stale"), "operator:ada", 6)
        else:
            tried = own.propose(json.dumps(patch), before, "operator:ada", 6)
            own.take(tried)
            assert (tried.number, own.active.number) == (newest + 1, before)
            if fate is Outcome.PENDING:  # and the kernel ends
                own = made(own.versions, profile)
                assert own.active.number == newest + 2
            else:
                assert own.settle(Outcome(fate), "").number == newest + 1
            if fate in {Outcome.APPLIED, Outcome.REQUIRES_RESTART}:
                assert own.active.number == newest + 1
                note(changes, patch)
        assert document(own) == expected(profile, changes)
        numbers = [one.number for one in own.versions]
        assert numbers == sorted(set(numbers))
        assert len(numbers) <= KEPT_VERSIONS + 1


def note(changes: dict[str, dict[str, object]], patch: dict[str, Any]) -> None:
    """Notes what a patch changes, in two levels."""
    limits = patch.get("limits", {})
    own = {key: value for key, value in patch.items() if key != "limits"}
    if limits is None:
        changes["limits"].clear()
    for place, values in (("own", own), ("limits", limits or {})):
        for key, value in values.items():
            changes[place].pop(key, None)
            changes[place] |= {} if value is None else {key: value}


def expected(
    profile: dict[str, object], changes: dict[str, dict[str, object]]
) -> dict[str, object]:
    return {
        "quota": 7,
        **profile,
        **changes["own"],
        "limits": {"a": 1, "b": 2, **changes["limits"]},
    }


def test_the_version_that_holds_is_kept_however_many_are_rejected() -> None:
    own = made()
    change(own, {"quota": 9})
    for _ in range(2 * KEPT_VERSIONS):
        change(own, {"quota": 8}, Outcome.REJECTED)

    assert (own.active.number, document(own)["quota"]) == (2, 9)
    assert len(own.versions) == KEPT_VERSIONS + 1
    assert made(own.versions).active == own.active


def test_another_schema_keeps_what_operators_have_changed() -> None:
    """KER-48: a version of the module may know settings that the one before did not."""
    own = made()
    change(own, {"quota": 9})

    own.refit(PROFILE, Schema({"properties": {"speed": {"type": "integer", "default": 3}}}), 7)

    assert document(own) == {**PROFILE, "quota": 9, "speed": 3}
    assert (own.active.number, own.active.by, own.active.at_ms) == (3, "kernel", 7)


def test_numbers_of_a_version_on_trial_are_not_given_again() -> None:
    own = made()

    assert own.use_number() == 2
    assert change(own, {"quota": 9}).number == 3
    assert own.use_number() == 4


def test_another_schema_that_changes_nothing_makes_no_version() -> None:
    own = made()
    change(own, {"quota": 9})

    own.refit(PROFILE, Schema({**DECLARED, "description": "as before"}), 7)

    assert own.active.number == 2


def test_changes_that_another_schema_does_not_allow_are_dropped_and_that_is_said() -> None:
    own = made()
    change(own, {"quota": 9})

    own.refit(PROFILE, Schema({"properties": {"quota": {"maximum": 8}}}), 7)

    assert document(own) == PROFILE
    assert own.active.detail.startswith("changes of operators dropped: settings.quota")
