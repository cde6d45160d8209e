import pytest

from logos_mixnet.core.scopes import Scope, scope_of, scope_of_link


@pytest.mark.parametrize(
    ("address", "scope"),
    [
        ("/ip4/127.0.0.1/tcp/1", Scope.MACHINE),
        ("/ip4/127.9.9.9/tcp/1", Scope.MACHINE),
        ("/ip6/::1/tcp/1", Scope.MACHINE),
        ("/ip6/::ffff:127.0.0.1/tcp/1", Scope.MACHINE),
        ("/ip4/10.0.0.1/tcp/1", Scope.NETWORK),
        ("/ip4/172.18.0.2/tcp/1", Scope.NETWORK),
        ("/ip4/169.254.169.254/tcp/80", Scope.NETWORK),
        ("/ip6/fe80::1/tcp/1", Scope.NETWORK),
        ("/ip4/8.8.8.8/tcp/1", Scope.WORLD),
        ("/ip6/2606:4700::1/tcp/1", Scope.WORLD),
        ("/dns4/example.org/tcp/1", Scope.WORLD),
        ("/ip4/0.0.0.0/tcp/1", Scope.NOWHERE),
        ("/ip6/::/tcp/1", Scope.NOWHERE),
        ("/ip4/224.0.0.1/tcp/1", Scope.NOWHERE),
        ("/ip4/8.8.8.8/tcp/0", Scope.NOWHERE),
        ("/ip4/8.8.8.8/udp/1", Scope.NOWHERE),
        ("", Scope.NOWHERE),
    ],
)
def test_scopes(address: str, scope: Scope) -> None:
    assert scope_of(address) is scope


def test_over_an_unknown_link_only_the_world_is_believed() -> None:
    assert scope_of_link("/memory/7") is Scope.WORLD
    assert scope_of_link("/ip4/127.0.0.1/tcp/1") is Scope.MACHINE
