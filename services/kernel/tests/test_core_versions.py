"""KER-49: which versions of modules stay installed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_kernel.core.errors import TooManyVersionsError, UnknownVersionError
from logos_kernel.core.versions import MAX_INSTALLED, MAX_VERSIONS, ModuleVersion, Versions


def version(number: int, at_ms: int, name: str = "echo") -> ModuleVersion:
    return ModuleVersion.of(f'name = "{name}"\nversion = "0.{number}.0"\n', "/modules", at_ms)


def numbers(versions: Versions) -> list[str]:
    return [one.manifest.version for one in versions.of("echo")]


def test_the_oldest_that_is_not_used_makes_place() -> None:
    versions = Versions(version(at, at) for at in range(MAX_VERSIONS))
    new = version(9, 9)

    displaced = versions.displaced(new, {"0.0.0", "0.1.0"})
    versions.put(new, displaced)

    assert numbers(versions) == ["0.0.0", "0.1.0", "0.3.0", "0.9.0"]
    with pytest.raises(UnknownVersionError, match=r"echo 0.2.0 is not installed; installed: 0.0.0"):
        versions.find("echo", "0.2.0")


def test_where_all_are_used_none_makes_place() -> None:
    versions = Versions(version(at, at) for at in range(MAX_VERSIONS))

    with pytest.raises(TooManyVersionsError, match="all 4 versions of echo are in use"):
        versions.displaced(version(9, 9), set(numbers(versions)))
    assert versions.displaced(version(0, 9), set(numbers(versions))) is None, "it takes its own"


def test_modules_are_bounded_too() -> None:
    versions = Versions(version(0, at, f"m{at}") for at in range(MAX_INSTALLED))

    assert versions.displaced(version(1, 1, "m0"), ()) is None
    with pytest.raises(TooManyVersionsError, match="256 modules are installed"):
        versions.displaced(version(0, 0), ())


@pytest.mark.property
@given(st.lists(st.tuples(st.integers(0, 9), st.frozensets(st.integers(0, 9), max_size=5))))
def test_used_versions_stay_and_never_more_than_there_is_place_for(
    steps: list[tuple[int, frozenset[int]]],
) -> None:
    versions = Versions()
    for at_ms, (number, kept) in enumerate(steps):
        before, used = set(numbers(versions)), {f"0.{one}.0" for one in kept}
        new = version(number, at_ms)
        try:
            versions.put(new, versions.displaced(new, used))
        except TooManyVersionsError:
            assert len(before & used) == MAX_VERSIONS
            assert set(numbers(versions)) == before
        else:
            assert set(numbers(versions)) >= (before & used) | {new.manifest.version}
            assert versions.find("echo", new.manifest.version) is new
        assert len(numbers(versions)) <= MAX_VERSIONS
