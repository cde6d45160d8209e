"""Every request passes the gate: host, session, rate, size, origin. Every answer has headers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app_rig import FROM_OURS, HOST, ORIGIN, browser, made, open_session, visiting
from logos_app.clock import now_s
from logos_app.security import gate
from logos_app.security.headers import COMMON
from logos_client.link_codes import LIFETIME_S, new_code

PAGES = ["/", "/testnet", "/parts", "/open", "/live", "/healthz", "/static/app.css", "/none"]


async def test_a_link_opens_a_session(tmp_path: Path) -> None:
    config, app = made(tmp_path)
    async with browser(app) as client:
        assert (await client.get("/parts")).status_code == 401

        await open_session(client, config)

        assert (await client.get("/parts")).status_code == 200


async def test_a_get_never_spends_a_code(tmp_path: Path) -> None:
    config, app = made(tmp_path)
    code = new_code(config.links)
    async with browser(app) as client:
        for path in (f"/open?code={code}", f"/open/{code}"):
            await client.get(path)

        answer = await client.post("/open", data={"code": code}, headers=FROM_OURS)

        assert answer.status_code == 303


async def test_a_whole_link_can_be_pasted(tmp_path: Path) -> None:
    config, app = made(tmp_path)
    pasted = f" {ORIGIN}/open#{new_code(config.links)}\n"
    async with browser(app) as client:
        answer = await client.post("/open", data={"code": pasted}, headers=FROM_OURS)

    assert answer.status_code == 303


async def test_links_that_open_nothing_say_why(tmp_path: Path) -> None:
    config, app = made(tmp_path)
    used, old = new_code(config.links), new_code(config.links, 1_000_000 - LIFETIME_S)
    said = {}
    async with browser(app) as client:
        await client.post("/open", data={"code": used}, headers=FROM_OURS)
    async with browser(app) as another:
        for code in (used, old, "nothing"):
            answer = await another.post("/open", data={"code": code}, headers=FROM_OURS)
            said[code] = answer.text
            assert answer.status_code == 403
            assert "set-cookie" not in answer.headers

    assert "This link was used at" in said[used]
    assert "LINK_USED" in said[used]
    assert "LINK_EXPIRED" in said[old]
    assert "LINK_UNKNOWN" in said["nothing"]
    assert all("./logos app link" in text for text in said.values())


async def test_six_attempts_a_minute_are_too_many(tmp_path: Path) -> None:
    _, app = made(tmp_path)
    async with browser(app) as client:
        statuses = [
            (await client.post("/open", data={"code": "x"}, headers=FROM_OURS)).status_code
            for _ in range(6)
        ]

    assert statuses == [403] * 5 + [429]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("host", ["evil.test", "127.0.0.1.evil.test:17900", "small.localhost"])
async def test_other_hosts_are_refused_everywhere(path: str, host: str, tmp_path: Path) -> None:
    async with visiting(tmp_path) as (client, _):
        answer = await client.get(path, headers={"host": host})

    assert answer.status_code == 421
    assert host in answer.text
    assert ORIGIN in answer.text
    assert "LOGOS_APP_HOST" in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1:17900", "localhost:17900"])
async def test_other_names_of_this_machine_lead_to_ours(host: str, tmp_path: Path) -> None:
    async with visiting(tmp_path) as (client, _):
        answer = await client.get("/testnet?kind=a", headers={"host": host})

    assert answer.status_code == 308
    assert answer.headers["location"] == f"http://{HOST}/testnet?kind=a"


@pytest.mark.parametrize("path", PAGES)
async def test_every_answer_has_the_headers(path: str, tmp_path: Path) -> None:
    _, app = made(tmp_path)
    async with browser(app) as client:
        answer = await client.get(path)

    assert {name: answer.headers.get(name) for name in COMMON} == COMMON


@pytest.mark.parametrize("path", ["/", "/testnet", "/parts", "/live", "/none", "/at/node1/files/"])
async def test_pages_need_a_session(path: str, tmp_path: Path) -> None:
    _, app = made(tmp_path)
    async with browser(app) as client:
        client.cookies.set("logos_17900", "invented")
        answer = await client.get(path)

    assert answer.status_code == 401
    assert "./logos app link" in answer.text


@pytest.mark.parametrize(
    "changed",
    [
        {"origin": "http://evil.test"},
        {"origin": "http://small.localhost:17901", "sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site"},
        {"x-csrf": "0" * 32},
        {"x-csrf": ""},
    ],
)
async def test_forged_requests_change_nothing(changed: dict[str, str], tmp_path: Path) -> None:
    config, app = made(tmp_path)
    async with browser(app) as client:
        token = await open_session(client, config)
        headers = {**FROM_OURS, "x-csrf": token, **changed}

        answer = await client.post("/close", headers=headers)

        assert answer.status_code == 403
        assert "REQUEST_FORGED" in answer.text
        assert (await client.get("/parts")).status_code == 200


async def test_a_form_may_carry_the_token_in_a_field(tmp_path: Path) -> None:
    config, app = made(tmp_path)
    async with browser(app) as client:
        token = await open_session(client, config)

        answer = await client.post("/close", data={"csrf": token}, headers=FROM_OURS)

        assert answer.status_code == 303
        assert (await client.get("/parts")).status_code == 401


async def test_a_code_cannot_be_spent_from_another_page(tmp_path: Path) -> None:
    config, app = made(tmp_path)
    code = new_code(config.links)
    async with browser(app) as client:
        answer = await client.post(
            "/open", data={"code": code}, headers={"origin": "http://evil.test"}
        )
        assert answer.status_code == 403
        answer = await client.post("/open", data={"code": code}, headers=FROM_OURS)

    assert answer.status_code == 303


async def test_large_requests_are_refused_with_and_without_a_length(tmp_path: Path) -> None:
    config, app = made(tmp_path)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(80):
            yield b"x" * 1024

    async with browser(app) as client:
        token = await open_session(client, config)
        headers = {**FROM_OURS, "x-csrf": token}
        for content in (b"x" * 70_000, chunks()):
            answer = await client.post("/close", content=content, headers=headers)
            assert answer.status_code == 413
            assert "64 KiB" in answer.text


async def test_a_session_may_ask_a_hundred_times_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with visiting(tmp_path) as (client, _):
        moment = now_s()
        monkeypatch.setattr(gate, "now_s", lambda: moment)
        statuses = [(await client.get("/none")).status_code for _ in range(101)]
        monkeypatch.setattr(gate, "now_s", lambda: moment + 1)
        later = (await client.get("/none")).status_code

    assert statuses == [404] * 100 + [429]
    assert later == 404


async def test_sessions_go_on_after_a_restart_of_the_app(tmp_path: Path) -> None:
    config, app = made(tmp_path)
    async with browser(app) as client:
        await open_session(client, config)
        cookies = client.cookies
    _, restarted = made(tmp_path)
    async with browser(restarted) as client:
        client.cookies = cookies
        assert (await client.get("/parts")).status_code == 200


async def test_two_testnets_do_not_log_each_other_out(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    async with visiting(tmp_path / "one") as (first, _):
        config, app = made(tmp_path / "two", LOGOS_LISTEN="127.0.0.1:17901")
        async with browser(app, "http://small.localhost:17901") as second:
            second.cookies = first.cookies
            await second.post(
                "/open",
                data={"code": new_code(config.links)},
                headers={"origin": "http://small.localhost:17901"},
            )
            assert {cookie.name for cookie in second.cookies.jar} == {"logos_17900", "logos_17901"}
