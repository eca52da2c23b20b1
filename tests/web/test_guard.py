"""Strangers at the door: other names, other sites, no token."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.routing import Route

from earmark.errors import ConfigError
from earmark.models import bundle
from earmark.models.catalog import shipped_model
from earmark.web.app import create_app
from earmark.web.auth import COOKIE, LIFETIME_S, Auth
from earmark.web.brake import Brake
from earmark.web.faults import Refused
from earmark.web.settings import WebSettings, choose_token, is_loopback
from tests.web.servers import Server, serving

TOKEN = "a-token-of-more-than-sixteen"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "",
     "10.0.0.1", "localhost@evil.example", "evil.example#localhost", "[::1", "localhost:x"],
)  # fmt: skip
def test_a_name_that_is_not_ours_is_not_answered(server: Server, host: str) -> None:
    # A page of evil.example that resolves to 127.0.0.1 sends just this.
    answer = server.raw(f"GET /api/v1/models HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert answer.split(b" ", 2)[1] in (b"421", b"400")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:99", "127.0.0.1", "[::1]:8010"])
def test_names_of_this_machine_are_answered(server: Server, host: str) -> None:
    answer = server.raw(
        f"GET /api/v1/health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    )
    assert b" 200 " in answer


def test_two_names_at_once_are_refused(server: Server) -> None:
    answer = server.raw(
        b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"
    )
    assert answer.split(b" ", 2)[1] in (b"421", b"400")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost"},  # another port is another site
        {"Origin": "file://"},
        {"Origin": "http://["},  # no address
        {"Origin": "http://[::1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_other_sites_may_not_change_anything(server: Server, headers: dict[str, str]) -> None:
    answer = server.client.post(
        "/jobs", json={"kind": "scan", "library_id": "my-music"}, headers=headers
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "foreign_origin")
    assert server.client.get("/jobs").json() == {"jobs": []}
    assert "access-control-allow-origin" not in answer.headers


def test_a_form_of_another_site_is_refused_before_it_is_read(server: Server) -> None:
    answer = server.client.post(
        "/classify", files={"files": b"x"}, headers={"Origin": "http://evil.example"}
    )
    assert answer.status_code == 403
    # Pictures and players of other sites cannot reach in either.
    answer = server.client.get("/models", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


def test_our_own_page_may(server: Server) -> None:
    own = {"Origin": f"http://{server.host}:{server.port}", "Sec-Fetch-Site": "same-origin"}
    answer = server.client.post("/libraries/my-music/labels", json={"min_tracks": 3}, headers=own)
    assert answer.status_code == 200


def protected(headers: Mapping[str, str]) -> bool:
    """Whether an answer says all that a browser should know; names in lower case."""
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "default-src 'none'" in headers["content-security-policy"]
    return "unsafe" not in headers["content-security-policy"]


def test_every_answer_forbids_what_it_can(server: Server) -> None:
    for path in ("/health", "/none", "/docs"):
        assert protected(server.client.get(path).headers)


def test_so_do_answers_to_what_is_no_request(server: Server) -> None:
    answer = server.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\nno header\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert protected(dict(_header(line) for line in head.decode().splitlines()[1:]))
    assert json.loads(body)["error"]["code"] == "bad_request"


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(": ")
    return name.lower(), value


@pytest.mark.parametrize("where", ["in a route", "before all routes"])
def test_so_do_mistakes_of_the_server(tmp_path: Path, where: str) -> None:
    model = bundle.load(shipped_model())
    app = create_app(WebSettings(tmp_path, model, model.meta.vote))

    def wrong(_: Any) -> Response:
        raise RuntimeError("a fault of ours")

    if where == "in a route":
        app.router.routes.insert(0, Route("/wrong", wrong))
    else:
        app.add_middleware(lambda _: wrong)  # type: ignore[arg-type]

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get("/wrong")

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "failed")
    assert "fault of ours" not in answer.text
    assert protected(answer.headers)


def test_names_that_no_file_can_have(server: Server) -> None:
    root = f"http://{server.host}:{server.port}"
    name = "x" * 256
    file_id = base64.urlsafe_b64encode(f"{name}.mp3".encode()).decode().rstrip("=")
    index = httpx.get(root + "/library", trust_env=False).status_code
    for path, status in (
        (f"/{name}", index),
        (f"/{name}.js", 404),
        (f"/assets/{name}.css", 404),
        ("/" + "y/" * 5000, index),
        (f"/api/v1/libraries/{name}", 422),
        (f"/api/v1/libraries/my-music/files/{file_id}/audio", 404),
    ):
        answer = httpx.get(root + path, trust_env=False)
        assert answer.status_code == status, path[:30]
        assert answer.headers["x-frame-options"] == "DENY"
    sent = server.client.post("/libraries/my-music/classify", json={"paths": [f"{name}.mp3"]})
    assert sent.status_code == 422
    assert sent.json()["results"][0]["error"]["code"] == "not_found"


def test_the_page_allows_nothing_inline(server: Server) -> None:
    root = f"http://{server.host}:{server.port}"
    for path in ("/", "/library/my-music"):
        answer = httpx.get(root + path, trust_env=False)
        if answer.status_code == 404:
            pytest.skip("the page has not been built")
        policy = answer.headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "style-src 'self';" in policy
        assert "unsafe" not in policy


@pytest.mark.parametrize(
    "path",
    ["/../../app.py", "/assets/../../../app.py", "/%2e%2e/%2e%2e/app.py", "/..%2f..%2fapp.py",
     "//etc/passwd", "/%2fetc%2fpasswd", "/assets/%00", "/index.html%00.js"],
)  # fmt: skip
def test_the_page_gives_out_its_own_files_only(server: Server, path: str) -> None:
    answer = server.raw(
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    )
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b" ", 2)[1] in (b"404", b"200")
    assert b"create_app" not in body
    assert b"root:" not in body
    if b" 200 " in head.split(b"\r\n")[0]:
        assert b"text/html" in head  # the page itself, for an address of its own


def test_a_token_is_asked_for_where_one_was_given(tmp_path: Path) -> None:
    with serving(tmp_path, token=TOKEN) as server:
        client = server.client
        assert server.address.endswith(f"/#token={TOKEN}")
        health = client.get("/health").json()
        assert (health["token_required"], health["signed_in"]) == (True, False)
        for path in ("/info", "/models", "/metrics", "/openapi.json", "/docs", "/jobs/1/events"):
            assert client.get(path).status_code == 401
        assert client.post("/classify", files={"files": b"x"}).status_code == 401
        for bearer in ("Bearer wrong", "Bearer", "Basic " + TOKEN, TOKEN):
            headers = {"Authorization": bearer}
            assert client.get("/info", headers=headers).status_code == 401
        good = {"Authorization": f"Bearer {TOKEN}"}
        assert client.get("/info", headers=good).status_code == 200

        assert client.post("/session", json={"token": "wrong"}).status_code == 401
        signed = client.post("/session", json={"token": TOKEN})
        assert signed.status_code == 204
        cookie = signed.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert TOKEN not in cookie
        assert client.get("/info").status_code == 200
        assert client.get("/health").json()["signed_in"]
        assert client.delete("/session").status_code == 204
        assert client.get("/info").status_code == 401
        assert TOKEN not in server.log.read_text()


def test_cookies_end_and_cannot_be_made_up() -> None:
    auth = Auth(TOKEN)

    def signed_in(cookie: str, by: Auth = auth) -> bool:
        headers = Headers({"cookie": f"a=b; {COOKIE}={cookie}"})
        return by.is_signed_in({"type": "http", "headers": headers.raw})

    cookie = auth.new_cookie()
    assert signed_in(cookie)
    assert not signed_in(cookie, Auth(TOKEN + "x"))
    assert not signed_in(auth.new_cookie(now=-LIFETIME_S))
    ends, session, signature = cookie.split(".")
    for wrong in (
        *(f"{int(ends) + 1}.{session}.{signature}", f"{ends}.{session}0.{signature}"),
        *(f"{ends}.{session}.", f"{ends}.{signature}", f".{signature}", "", ".", "..", "x.y.z"),
    ):
        assert not signed_in(wrong)
    # Who guesses the token has no way to try it by a cookie of his own.
    assert not signed_in(Auth(TOKEN).new_cookie())


def test_signing_out_ends_the_session_for_good(tmp_path: Path) -> None:
    with serving(tmp_path, token=TOKEN) as server:
        first, second = (sign_in(server) for _ in range(2))
        assert [status(server, cookie) for cookie in (first, second)] == [200, 200]
        gone = server.client.delete("/session", headers={"Cookie": f"{COOKIE}={first}"})
        assert gone.status_code == 204
        assert [status(server, cookie) for cookie in (first, second)] == [401, 200]
    # Neither is forgotten with a restart.
    with serving(tmp_path, token=TOKEN) as server:
        assert [status(server, cookie) for cookie in (first, second)] == [401, 200]
    with serving(tmp_path, token=TOKEN + "x") as server:
        assert [status(server, cookie) for cookie in (first, second)] == [401, 401]


def sign_in(server: Server) -> str:
    """The cookie that the token is good for."""
    assert server.client.post("/session", json={"token": TOKEN}).status_code == 204
    cookie = str(server.client.cookies[COOKIE])
    server.client.cookies.clear()
    return cookie


def status(server: Server, cookie: str) -> int:
    return server.client.get("/info", headers={"Cookie": f"{COOKIE}={cookie}"}).status_code


def test_guessing_gets_slower_and_does_not_shut_others_out(tmp_path: Path) -> None:
    with serving(tmp_path, token=TOKEN) as server:
        cookie = sign_in(server)

        def ask(path: str, token: str, address: str) -> httpx.Response:
            headers = {"Authorization": f"Bearer {token}", "X-Forwarded-For": address}
            return server.client.get(path, headers=headers)

        # A proxy on this machine says from where they come.
        statuses = [ask("/info", f"guess-{i}", "203.0.113.5").status_code for i in range(8)]
        assert statuses == [401] * 5 + [429] * 3
        refused = ask("/info", TOKEN, "203.0.113.5")  # a right one is no longer told from others
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_tries")
        assert int(refused.headers["retry-after"]) > 0
        assert ask("/health", TOKEN, "203.0.113.5").status_code == 429
        session = server.client.post(
            "/session", json={"token": TOKEN}, headers={"X-Forwarded-For": "203.0.113.5"}
        )
        assert session.status_code == 429
        # Who is signed in there stays so; other addresses, and this machine, come in.
        held = {"Cookie": f"{COOKIE}={cookie}", "X-Forwarded-For": "203.0.113.5"}
        assert server.client.get("/info", headers=held).status_code == 200
        assert ask("/info", TOKEN, "203.0.113.6").status_code == 200
        for _ in range(10):
            bearer = {"Authorization": "Bearer wrong"}
            assert server.client.get("/info", headers=bearer).status_code == 401
        good = {"Authorization": f"Bearer {TOKEN}"}
        assert server.client.get("/info", headers=good).status_code == 200


def test_the_brake_grows_lets_go_and_stays_small() -> None:
    now = [0.0]
    brake = Brake(lambda: now[0])

    def wait_s(address: str) -> float:
        """Until the next try is let through."""
        started = now[0]
        while True:
            try:
                brake.check(address)
            except Refused:
                now[0] += 0.5
            else:
                return now[0] - started

    waits = []
    for _ in range(14):
        brake.note_wrong("203.0.113.5")
        waits.append(wait_s("203.0.113.5"))
    assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    now[0] += 1000
    brake.note_wrong("203.0.113.5")
    assert wait_s("203.0.113.5") == 0
    # One network of IPv6 is one guesser; this machine is none, however it is written.
    for i in range(6):
        brake.note_wrong(f"2001:db8::{i}")
    assert wait_s("2001:db8::ffff") > 0
    assert wait_s("2001:db8:0:1::1") == 0
    for address in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"):
        for _ in range(20):
            brake.note_wrong(address)
        assert wait_s(address) == 0
    for i in range(30_000):
        brake.note_wrong(f"10.0.{i // 250}.{i % 250}")
    assert brake.n_remembered <= 10_000


def test_beyond_this_machine_there_is_always_a_token() -> None:
    assert choose_token("127.0.0.1", "") == ""
    assert choose_token("localhost", "") == ""
    for host in ("0.0.0.0", "::", "192.168.1.5", "nas.example"):
        assert not is_loopback(host)
        made = choose_token(host, "")
        assert len(made) >= 24
        assert choose_token(host, "") != made
    assert choose_token("0.0.0.0", TOKEN) == TOKEN
    with pytest.raises(ConfigError, match="16 characters"):
        choose_token("127.0.0.1", "short")


def test_beyond_this_machine_numbers_and_given_names_are_answered(tmp_path: Path) -> None:
    with serving(tmp_path, host="0.0.0.0", token=TOKEN, allowed_hosts=["music.example"]) as server:
        for host, status in (
            ("192.168.1.5:8010", 200),
            ("music.example", 200),
            ("MUSIC.example:443", 200),
            ("other.example", 421),
        ):
            answer = server.client.get("/health", headers={"Host": host})
            assert answer.status_code == status, host
