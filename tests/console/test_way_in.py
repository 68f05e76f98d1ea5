"""Who may come in: names of the host, sessions, forms, links, roles."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from starlette.routing import Route
from tests.console.fakes import PASSWORD, make_office

from memcon.clock import NS
from memcon.console.guard import allowed_hosts, host_name, safe_next
from memcon.console.session import COOKIE

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient
    from tests.console.fakes import Office


def token_of(page: str) -> str:
    found = re.search(r'name="token" value="([0-9a-f]+)"', page)
    assert found is not None
    return found[1]


def sign_in(
    client: TestClient, name: str = "vera", password: str = PASSWORD, **fields: str
) -> tuple[int, str]:
    token = token_of(client.get("/login").text)
    answer = client.post("/login", data={"token": token, "name": name, "password": password, **fields})
    return answer.status_code, answer.headers.get("location", answer.text)


@pytest.mark.parametrize("path", ["/", "/status", "/calls/7", "/calls/999", "/nothing"])
def test_without_a_login_there_is_only_the_way_in(office: Office, path: str) -> None:
    answer = office.client().get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/login?next={path}")


def test_the_question_is_kept_over_the_login(office: Office) -> None:
    client = office.client()
    where = client.get("/?q=duty&page=2").headers["location"]
    assert where == "/login?next=/%3Fq%3Dduty%26page%3D2"
    page = client.get(where).text
    assert 'name="next" value="/?q=duty&amp;page=2"' in page
    assert sign_in(client, next="/?q=duty&page=2") == (303, "/?q=duty&page=2")
    assert client.get("/?q=duty&page=2").status_code == 200


def test_a_script_is_told_plainly(office: Office) -> None:
    assert office.client().get("/fragments/pulse").status_code == 401
    assert office.client().post("/calls/7/verify").status_code == 401


def test_every_route_but_the_public_ones_needs_a_login(office: Office) -> None:
    client = office.client()
    for route in office.app.routes:
        if not isinstance(route, Route):
            continue
        path = route.path.replace("{number:int}", "7").replace("{which}.{kind}", "all.wav")
        path = path.replace("{kind}", "bundle").replace("{token}", "x").replace("{name:path}", "checkpoint")
        if path.startswith(("/login", "/log/", "/memcon-verify.pyz", "/memcon-log.policy")):
            continue
        for method in route.methods or ():
            answer = client.request(method, path)
            turned_away = answer.status_code == 401 or answer.headers.get("location", "").startswith("/login")
            assert turned_away, f"{method} {path}: {answer.status_code}"


def test_every_form_needs_its_token(office: Office) -> None:
    reader = office.client("vera")
    posts = [r for r in office.app.routes if isinstance(r, Route) and "POST" in (r.methods or ())]
    assert len(posts) >= 7
    for route in posts:
        path = (
            re.sub(r"\{\w+:int\}", "7", route.path).replace("{date}", "2017-01-28").replace("{kind}", "claim")
        )
        assert "{" not in path
        for data in ({}, {"token": "0" * 64}, {"token": "ä"}):
            answer = reader.post(path, data=data)
            assert answer.status_code == 403, path
            assert "This form was not sent from a page of yours" in answer.text
    assert office.verifier.asked == []


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "http://other.localhost"},
    ],
)
def test_a_form_from_elsewhere_is_refused(office: Office, headers: dict[str, str]) -> None:
    reader = office.client("vera")
    token = token_of(reader.get("/calls/7").text)
    assert reader.post("/calls/7/verify", data={"token": token}, headers=headers).status_code == 403
    for ours in ({"origin": "http://localhost"}, {"origin": "null", "sec-fetch-site": "same-origin"}):
        assert reader.post("/calls/7/verify", data={"token": token}, headers=ours).status_code == 303


def test_a_file_in_a_form_is_refused(office: Office) -> None:
    reader = office.client("vera")
    answer = reader.post("/calls/7/verify", files={"token": b"x"})
    assert answer.status_code == 400


def test_a_password_lets_in(office: Office) -> None:
    client = office.client()
    assert sign_in(client) == (303, "/")
    assert "signed in as vera, reader" in client.get("/").text
    assert client.get("/login").headers["location"] == "/"


def test_the_cookie_is_not_for_scripts_or_other_sites(office: Office) -> None:
    answer = office.client().get("/login")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/" in cookie
    assert "secure" not in cookie


def test_behind_https_the_cookie_says_so(tmp_path: Path) -> None:
    office = make_office(tmp_path, secure_cookies=True)
    assert "; secure" in office.client().get("/login").headers["set-cookie"].lower()


def test_signing_in_makes_a_new_session(office: Office) -> None:
    client = office.client()
    client.get("/login")
    before = client.cookies[COOKIE]
    sign_in(client)
    assert before != client.cookies[COOKIE]
    other = office.client()
    other.cookies.set(COOKIE, before)
    assert other.get("/").status_code == 303


def test_a_wrong_password_says_nothing_about_names(office: Office) -> None:
    client = office.client()
    first = sign_in(client, "vera", "wrong password 1")
    second = sign_in(client, "nobody", "wrong password 1")
    assert first[0] == second[0] == 403
    assert "Name and password do not match" in first[1]
    assert first[1].replace("vera", "").count("do not match") == second[1].count("do not match") == 1


def test_the_sixth_try_has_to_wait(office: Office) -> None:
    client = office.client()
    for _ in range(5):
        assert sign_in(client, password="wrong password 1")[0] == 403
    status, text = sign_in(client)
    assert status == 429
    assert "Too many tries" in text
    office.clock.advance(301 * NS)
    assert sign_in(client) == (303, "/")


def test_one_address_cannot_try_many_names(office: Office) -> None:
    client = office.client()
    for i in range(20):
        sign_in(client, f"name{i}", "wrong password 1")
    assert sign_in(client)[0] == 429
    assert client.get(f"/login/{office.users.new_link('vera')}").status_code == 429


def test_a_link_signs_in_once(office: Office) -> None:
    client = office.client()
    path = f"/login/{office.users.new_link('olaf')}"
    answer = client.get(path)
    assert answer.status_code == 200
    assert '<meta http-equiv="refresh" content="0; url=/">' in answer.text
    assert "olaf, operator" in answer.text
    assert client.get("/").status_code == 200
    again = office.client().get(path)
    assert again.status_code == 403
    assert "This link is no longer good" in again.text


def test_a_link_replaces_the_session_that_was_there(office: Office) -> None:
    client = office.client("vera")
    before = client.cookies[COOKIE]
    client.get(f"/login/{office.users.new_link('olaf')}")
    assert "signed in as olaf" in client.get("/").text
    other = office.client()
    other.cookies.set(COOKIE, before)
    assert other.get("/").status_code == 303


def test_signing_out_ends_the_session_for_good(office: Office) -> None:
    client = office.client("vera")
    cookie = client.cookies[COOKIE]
    answer = client.post("/logout", data={"token": token_of(client.get("/").text)})
    assert answer.headers["location"] == "/login"
    thief = office.client()
    thief.cookies.set(COOKIE, cookie)
    assert thief.get("/").status_code == 303


def test_a_removed_user_and_a_new_role_end_sessions(office: Office) -> None:
    client, other = office.client("vera"), office.client("olaf")
    office.users.remove("vera")
    office.users.set_role("olaf", "overseer")
    assert client.get("/").status_code == 303
    assert other.get("/").status_code == 303


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8080", "127.0.0.1:9", "[::1]:80", "recorder.example", "Recorder.Example.:1"],
)
def test_its_own_names(office: Office, host: str) -> None:
    assert office.client().get("/login", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "10.1.1.1", "", "[::1", "a@localhost", "localhost/x"]
)
def test_another_name_gets_a_clear_page(office: Office, host: str) -> None:
    for path in ("/login", "/log/checkpoint", "/static/memcon.css"):
        answer = office.client().get(path, headers={"host": host})
        assert answer.status_code == 421
        assert "This console does not go by that name" in answer.text
        assert "content-security-policy" in answer.headers


def test_names_of_hosts() -> None:
    assert host_name("[::1]:8080") == "::1"
    assert host_name("[::1") is None
    assert allowed_hosts(["[fe80::1]:80", "2001:db8::1", "10.0.0.5", "[::]:80"]) == {
        "localhost",
        "127.0.0.1",
        "::1",
        "fe80::1",
        "10.0.0.5",
        "2001:db8::1",
    }


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("/calls/7", "/calls/7"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/login", "/"),
        ("/a\nb", "/"),
        ("", "/"),
    ],
)
def test_where_to_go_after_signing_in(text: str, where: str) -> None:
    assert safe_next(text) == where


@pytest.mark.parametrize(
    "path", ["/", "/login", "/static/memcon.css", "/log/checkpoint", "/nothing", "/calls/999"]
)
def test_every_answer_carries_the_headers(office: Office, path: str) -> None:
    headers = office.client("vera").get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
