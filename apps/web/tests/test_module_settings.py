"""Settings of a module as its page shows them."""

import json

from hypothesis import given
from hypothesis import strategies as st

from logos.kernel.v1 import settings_pb2 as pb
from logos_app.testnet.settings import MOST, settings_of

DOCUMENT = {"quota_bytes": 5, "log": {"level": "debug", "parts": []}}


def version(number: int, document: object, outcome: pb.SettingsOutcome) -> pb.SettingsVersion:
    return pb.SettingsVersion(
        version=number, document_json=json.dumps(document), by="operator:me", outcome=outcome
    )


def answer() -> pb.GetSettingsResponse:
    applied, rejected = pb.SETTINGS_OUTCOME_APPLIED, pb.SETTINGS_OUTCOME_REJECTED
    before = {**DOCUMENT, "log": {"level": "info", "parts": []}}
    return pb.GetSettingsResponse(
        active=version(3, DOCUMENT, applied),
        changes_json='{"log": {"level": "debug"}}',
        schema_json=json.dumps(
            {"properties": {"quota_bytes": {"description": "Most that it keeps."}, "log": 4}}
        ),
        history=[
            version(3, DOCUMENT, applied),
            version(2, {"quota_bytes": -1}, rejected),
            version(1, before, applied),
        ],
    )


def test_settings_are_told_with_where_they_come_from() -> None:
    found = settings_of(answer())

    assert [(each.name, each.value, each.is_changed) for each in found.settings] == [
        ("log.level", '"debug"', True),
        ("log.parts", "[]", False),
        ("quota_bytes", "5", False),
    ]
    assert found.settings[2].description == "Most that it keeps."


def test_a_version_tells_what_it_changed_of_the_one_that_held() -> None:
    third, second, first = settings_of(answer()).versions

    assert third.changes == ('log.level: "info" → "debug"',)
    assert (second.outcome, len(second.changes)) == ("the module refused it", 3)
    assert (first.number, first.changes) == (1, ())


@given(st.recursive(st.text(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=300))
def test_any_document_is_bounded(document: object) -> None:
    text = json.dumps(document)
    active = pb.SettingsVersion(document_json=text)
    found = settings_of(
        pb.GetSettingsResponse(active=active, changes_json=text, schema_json=text, history=[active])
    )

    assert len(found.settings) <= MOST
    assert all(len(each.value) <= 200 for each in found.settings)


def test_what_is_no_document_is_none() -> None:
    assert settings_of(pb.GetSettingsResponse()).settings == ()
