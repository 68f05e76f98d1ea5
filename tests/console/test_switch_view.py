"""The off switch on the console: who may, what is asked, what is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.console.fakes import make_office
from tests.console.test_way_in import token_of

from memcon.errors import UsageError
from memcon.store.switch import OFF, ON, Announced, Asked, Switched

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient
    from tests.console.fakes import Office


class FakeSwitch:
    """Keeps what was asked."""

    lines = ("cabinet", "rest")

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.off = Switched()

    def now(self) -> Switched:
        return self.off

    def ask(self, asked: Asked) -> None:
        if asked.kind == ON and not self.off.anything:
            raise UsageError("nothing is off")
        self.asked.append(asked)


@pytest.fixture
def switch() -> FakeSwitch:
    return FakeSwitch()


@pytest.fixture
def room(tmp_path: Path, switch: FakeSwitch) -> Office:
    return make_office(tmp_path, switch=switch)


def enter(room: Office, name: str) -> TestClient:
    client = room.client()
    client.get(f"/login/{room.users.new_link(name)}")
    return client


def turn(client: TestClient, **fields: object) -> tuple[int, str]:
    token = token_of(client.get("/switch").text)
    sent = client.post(
        "/switch", data={"token": token, "kind": OFF, "line": "cabinet", "reason": "test"} | fields
    )
    return sent.status_code, sent.headers.get("location", sent.text)


def test_an_operator_switches_in_their_own_name(room: Office, switch: FakeSwitch) -> None:
    client = enter(room, "olaf")
    assert "Nothing is switched off." in client.get("/switch").text
    assert turn(client) == (303, "/switch")
    assert turn(client, line=["everything", "cabinet"], reason=" audit ") == (303, "/switch")
    assert switch.asked == [
        Asked(OFF, "olaf", "console", "test", ("cabinet",)),
        Asked(OFF, "olaf", "console", "audit"),
    ]
    assert 'href="/switch"' in client.get("/status").text


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"reason": " "}, "no reason is named"),
        ({"kind": "pause"}, "Nothing was chosen"),
        ({"line": []}, "Nothing was chosen"),
        ({"kind": "on"}, "nothing is off"),
    ],
)
def test_what_cannot_be_asked(
    room: Office, switch: FakeSwitch, fields: dict[str, object], problem: str
) -> None:
    status, text = turn(enter(room, "olaf"), **fields)
    assert (status, problem in text) == (400, True)
    assert switch.asked == []


@pytest.mark.parametrize("name", ["vera", "mira", "kurt"])
def test_nobody_else_may(room: Office, switch: FakeSwitch, name: str) -> None:
    client = enter(room, name)
    page = client.get("/switch").text
    assert "Switch off, on the record" not in page
    token = token_of(page)  # of the form to sign out
    sent = client.post("/switch", data={"token": token, "kind": OFF, "line": "everything", "reason": "test"})
    assert (sent.status_code, "Only an operator" in sent.text) == (403, True)
    assert switch.asked == []


def test_what_is_off_and_what_was_announced(room: Office, switch: FakeSwitch) -> None:
    announced = Announced("cd" * 32, 1204, Asked(OFF, "K. Lind", "console", "move"))
    switch.off = Switched(
        False, ("cabinet", "rest"), "ab" * 32, "J. Ruiz", "console", "monthly test", announced
    )
    page = enter(room, "vera").get("/switch").text
    assert "The line cabinet and line rest is switched off, by J. Ruiz: monthly test." in page
    assert "the whole recorder, by K. Lind: move" in page
    assert "leaf 1,204" in page
    switch.off = Switched(True, (), "ab" * 32, "<b>", "console", "x")
    assert "by &lt;b&gt;: x" in enter(room, "vera").get("/switch").text


def test_a_console_without_a_switch_has_no_such_page(office: Office) -> None:
    client = office.client()
    client.get(f"/login/{office.users.new_link('olaf')}")
    assert client.get("/switch").status_code == 404
