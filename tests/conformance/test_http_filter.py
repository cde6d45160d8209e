"""`/filter/v2/…`: subscriptions at a service node, as the public suite has it."""

import asyncio
from typing import Any

import httpx
import pytest
from http_clients import OTHER_SHARD, SHARD, TOPIC, HttpNode, b64, message, path

Net = Any
OTHER = "/test/2/waku-filter/proto"
SUBSCRIPTIONS = "/filter/v2/subscriptions"


@pytest.fixture
async def nodes(http_net: Net) -> tuple[HttpNode, HttpNode]:
    """A service node that follows two shards, and a client of it."""
    service = await http_net.node(1, rate_limits=["filter:1000/1m"])
    await service.follow(SHARD, OTHER_SHARD)
    client = await http_net.node(2, mode="edge", filter_peers=[service.node.peer_id])
    while (await ping(client)).status_code == 504:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    return service, client


async def ping(client: HttpNode, request_id: str = "p") -> httpx.Response:
    return await client.ask("GET", path(SUBSCRIPTIONS, request_id))


def wanted(*topics: str, shard: str | None = SHARD, request_id: str = "r") -> dict[str, Any]:
    where = {} if shard is None else {"pubsubTopic": shard}
    return {"requestId": request_id, "contentFilters": list(topics), **where}


async def subscribe(client: HttpNode, *topics: str, shard: str | None = SHARD) -> None:
    answer = await client.ask("POST", SUBSCRIPTIONS, wanted(*topics, shard=shard))
    assert answer.json() == {"requestId": "r", "statusDesc": "OK"}
    assert answer.status_code == 200


async def fetched(client: HttpNode, topic: str = TOPIC) -> Any:
    answer = await client.ask("GET", path("/filter/v2/messages", topic))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def pushed(service: HttpNode, client: HttpNode, topic: str, shard: str = SHARD) -> None:
    """Publishes a message, and waits for it."""
    sent = message(contentTopic=topic)
    assert (await service.publish(sent, shard)).status_code == 200
    while not (found := await fetched(client, topic)):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert found == [{"version": 0, "ephemeral": False, **sent}]


async def test_what_is_subscribed_to_is_fetched_once(nodes: tuple[HttpNode, HttpNode]) -> None:
    service, client = nodes
    odd = "\t\nSpecial\tCharacters\n"
    await subscribe(client, TOPIC, odd, "/", "a b?c#d%20")
    for topic in (TOPIC, odd, "/", "a b?c#d%20"):
        await pushed(service, client, topic)
        assert await fetched(client, topic) == []


async def test_a_topic_by_two_texts_of_the_path(nodes: tuple[HttpNode, HttpNode]) -> None:
    service, client = nodes
    await subscribe(client, TOPIC)
    await service.publish(message())
    where = path(path("/filter/v2/messages", SHARD), TOPIC)
    while not (found := (await client.ask("GET", where)).json()):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert found[0]["contentTopic"] == TOPIC
    assert (await client.ask("GET", f"/filter/v2/messages/{TOPIC}")).json() == []


async def test_put_adds_topics_and_shards(nodes: tuple[HttpNode, HttpNode]) -> None:
    service, client = nodes
    await subscribe(client, TOPIC)
    for body in (wanted(OTHER), wanted(TOPIC), wanted(OTHER, shard=OTHER_SHARD)):
        answer = await client.ask("PUT", SUBSCRIPTIONS, body)
        assert answer.json() == {"requestId": "r", "statusDesc": "OK"}
    await pushed(service, client, TOPIC)
    await pushed(service, client, OTHER)
    await pushed(service, client, OTHER, OTHER_SHARD)


async def test_ping_follows_the_subscriptions(nodes: tuple[HttpNode, HttpNode]) -> None:
    _, client = nodes
    none = {"requestId": "p", "statusDesc": "NOT_FOUND: peer has no subscriptions"}
    assert (await ping(client)).json() == none
    assert (await ping(client)).status_code == 404
    await subscribe(client, TOPIC)
    assert (await ping(client)).json() == {"requestId": "p", "statusDesc": "OK"}
    answer = await client.ask("GET", f"{SUBSCRIPTIONS}/")
    assert answer.json() == {"requestId": "", "statusDesc": "OK"}
    await client.ask("DELETE", SUBSCRIPTIONS, wanted(TOPIC))
    assert (await ping(client)).status_code == 404


async def test_unsubscribing_ends_what_it_names(nodes: tuple[HttpNode, HttpNode]) -> None:
    service, client = nodes
    await subscribe(client, TOPIC, OTHER)
    answer = await client.ask("DELETE", SUBSCRIPTIONS, wanted(TOPIC, request_id="9" * 50))
    assert answer.json() == {"requestId": "9" * 50, "statusDesc": "OK"}
    answer = await client.ask("GET", path("/filter/v2/messages", TOPIC))
    assert (answer.status_code, answer.text) == (400, f"Not subscribed to topic: {TOPIC}")
    await pushed(service, client, OTHER)
    for body in (wanted(TOPIC), wanted(OTHER, shard=OTHER_SHARD)):
        answer = await client.ask("DELETE", SUBSCRIPTIONS, body)
        assert answer.status_code == 404
        assert "peer has no subscriptions" in answer.json()["statusDesc"]
    await pushed(service, client, OTHER)
    await subscribe(client, TOPIC)
    await pushed(service, client, TOPIC)


async def test_unsubscribing_all(nodes: tuple[HttpNode, HttpNode]) -> None:
    _, client = nodes
    answer = await client.ask("DELETE", f"{SUBSCRIPTIONS}/all", {"requestId": "a"})
    assert answer.status_code == 404
    assert "peer has no subscriptions" in answer.json()["statusDesc"]
    await subscribe(client, TOPIC)
    await subscribe(client, OTHER, shard=OTHER_SHARD)
    answer = await client.ask("DELETE", f"{SUBSCRIPTIONS}/all", {"requestId": "a"})
    assert answer.json() == {"requestId": "a", "statusDesc": "OK"}
    for topic in (TOPIC, OTHER):
        answer = await client.ask("GET", path("/filter/v2/messages", topic))
        assert answer.status_code == 400


async def test_the_limit_of_a_hundred_topics(nodes: tuple[HttpNode, HttpNode]) -> None:
    service, client = nodes
    topics = [str(number) for number in range(101)]
    for method in ("POST", "PUT", "DELETE"):
        answer = await client.ask(method, SUBSCRIPTIONS, wanted(*topics))
        assert answer.status_code == 400
        assert "exceeds maximum content topics: 100" in answer.json()["statusDesc"]
    await subscribe(client, *topics[:100])
    await pushed(service, client, "99")


WRONG: list[Any] = [
    {"requestId": "1", "pubsubTopic": SHARD},
    {"requestId": "1", "contentFilters": [], "pubsubTopic": SHARD},
    {"requestId": "1", "contentFilters": TOPIC, "pubsubTopic": SHARD},
    {"requestId": "1", "contentFilters": [{"key": "x"}], "pubsubTopic": SHARD},
    {"requestId": "1", "contentFilters": [1], "pubsubTopic": SHARD},
    {"requestId": "1", "contentFilters": [""], "pubsubTopic": SHARD},
    {"requestId": "1", "contentFilters": [TOPIC], "pubsubTopic": [SHARD]},
    {"requestId": "1", "contentFilters": [TOPIC], "pubsubTopic": "/waku/2/x"},
    {"contentFilters": [TOPIC], "pubsubTopic": SHARD},
    {"requestId": 1, "contentFilters": [TOPIC], "pubsubTopic": SHARD},
    {"requestId": "1", "contentFilters": [TOPIC], "pubsubTopic": SHARD, "extraField": "x"},
    [],
    "text",
]


async def test_requests_that_are_none_are_refused(nodes: tuple[HttpNode, HttpNode]) -> None:
    _, client = nodes
    for body in WRONG:
        for method in ("POST", "PUT", "DELETE"):
            answer = await client.ask(method, SUBSCRIPTIONS, body)
            assert answer.status_code == 400, body
            assert set(answer.json()) == {"requestId", "statusDesc"}
    for body in ({"requestId": 1}, {"requestId": "1", "extraField": "x"}, {}):
        answer = await client.ask("DELETE", f"{SUBSCRIPTIONS}/all", body)
        assert answer.status_code == 400
        assert answer.json()["requestId"] == "unknown"
    assert (await ping(client)).status_code == 404


async def test_other_types_of_content_are_refused(nodes: tuple[HttpNode, HttpNode]) -> None:
    _, client = nodes
    answer = await client.client.post(SUBSCRIPTIONS, content=b"{}")
    assert answer.status_code == 400
    assert "Wrong Content-Type, expected application/json" in answer.json()["statusDesc"]


async def test_without_pubsub_topic_the_shards_of_the_content_topics_count(
    nodes: tuple[HttpNode, HttpNode],
) -> None:
    service, client = nodes
    shards = {"/waku/2/content/test.js": SHARD, "/app/22/sometopic/someencoding": OTHER_SHARD}
    await subscribe(client, *shards, shard=None)
    for topic, shard in shards.items():
        await pushed(service, client, topic, shard)
    answer = await client.ask("POST", SUBSCRIPTIONS, wanted("no", shard=None))
    assert (answer.status_code, answer.json()["statusDesc"]) == (500, "can't get shard")


async def test_over_the_limit_of_rate_what_is_subscribed_stays(http_net: Net) -> None:
    service = await http_net.node(1, rate_limits=["filter:3/10m"])
    await service.follow(SHARD)
    client = await http_net.node(2, mode="edge", filter_peers=[service.node.peer_id])
    answers = [
        await client.ask("POST", SUBSCRIPTIONS, wanted(TOPIC, str(number))) for number in range(6)
    ]
    assert answers[-1].status_code == 429
    assert "rate limit exceeded" in answers[-1].json()["statusDesc"]
    await pushed(service, client, TOPIC)
    answer = await client.ask("GET", path("/filter/v2/messages", "5"))
    assert answer.status_code == 400


async def test_no_service_node(http_net: Net) -> None:
    edge = await http_net.node(1, mode="edge")
    answer = await edge.ask("POST", SUBSCRIPTIONS, wanted(TOPIC))
    assert answer.status_code == 503
    assert answer.json()["statusDesc"].endswith("No suitable service peer & no discovery method")
    other = await http_net.node(2, mode="edge", filter_peers=[edge.node.peer_id])
    assert (await ping(other)).status_code == 504
    assert b64("x") not in (await ping(other)).text


async def test_what_applications_want_survives_unsubscribing(
    nodes: tuple[HttpNode, HttpNode],
) -> None:
    service, client = nodes
    app = "/waku/2/content/test.js"
    await client.ask("POST", "/messaging/v1/subscriptions", [app])
    while not await get_criteria(service):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    answer = await client.ask("DELETE", f"{SUBSCRIPTIONS}/all", {"requestId": "a"})
    assert answer.status_code == 200
    sent = message(contentTopic=app)
    assert (await service.publish(sent)).status_code == 200
    while not (found := (await client.ask("GET", "/messaging/v1/events/received")).json()):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    assert found[0]["message"]["timestamp"] == sent["timestamp"]


async def get_criteria(service: HttpNode) -> list[str]:
    found = (await service.ask("GET", "/admin/v1/filter/subscriptions")).json()
    return [one["contentTopic"] for peer in found for one in peer["filterCriteria"]]
