"""Users: passwords, roles, links that work once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from argon2 import PasswordHasher

from memcon.clock import NS, ManualClock, SystemClock
from memcon.console.users import LINK_LIFE_NS, ROLES, User, Users
from memcon.errors import FormatError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "four plain words here"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def users(tmp_path: Path, clock: ManualClock) -> Users:
    return Users(tmp_path / "users.json", clock, QUICK)


def test_a_password_lets_in_and_another_does_not(users: Users) -> None:
    users.add("vera", "reader", PASSWORD)
    found = users.verify("vera", PASSWORD)
    assert found is not None
    assert (found.name, found.role, found.may_hear) == ("vera", "reader", True)
    assert users.verify("vera", PASSWORD + "x") is None
    assert users.verify("nobody", PASSWORD) is None
    assert users.verify("nobody", PASSWORD) is None


def test_nothing_secret_stands_in_the_file(users: Users, tmp_path: Path) -> None:
    users.add("vera", "reader", PASSWORD)
    token = users.new_link("vera")
    path = tmp_path / "users.json"
    text = path.read_text()
    assert PASSWORD not in text
    assert token not in text
    assert "$argon2id$" in text
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_house_has_argon2id_by_default(tmp_path: Path) -> None:
    users = Users(tmp_path / "users.json", SystemClock())
    users.add("vera", "reader", PASSWORD)
    assert users.verify("vera", PASSWORD) is not None


def test_a_link_works_once(users: Users) -> None:
    users.add("vera", "reader")
    token = users.new_link("vera")
    assert users.verify("vera", "") is None
    first = users.use_link(token)
    assert first is not None
    assert first.name == "vera"
    assert users.use_link(token) is None
    assert users.use_link("made up") is None


def test_a_link_is_over_after_a_quarter_of_an_hour(users: Users, clock: ManualClock) -> None:
    users.add("vera", "reader")
    early, late = users.new_link("vera"), users.new_link("vera")
    clock.advance(LINK_LIFE_NS - NS)
    assert users.use_link(early) is not None
    clock.advance(NS)
    assert users.use_link(late) is None


def test_removing_a_user_removes_the_links(users: Users, tmp_path: Path) -> None:
    users.add("vera", "reader")
    users.add("olaf", "operator")
    token, kept = users.new_link("vera"), users.new_link("olaf")
    users.remove("vera")
    assert users.get("vera") is None
    assert users.use_link(token) is None
    assert users.use_link(kept) is not None
    assert [user.name for user in users.names()] == ["olaf"]


def test_a_new_password_or_role_ends_sessions(users: Users) -> None:
    before = users.add("vera", "reader", PASSWORD)
    users.set_password("vera", "another four words now")
    changed = users.get("vera")
    assert changed is not None
    assert changed.stamp != before.stamp
    assert users.verify("vera", PASSWORD) is None
    users.set_role("vera", "overseer")
    last = users.get("vera")
    assert last is not None
    assert last.stamp != changed.stamp
    assert last.may_hear is False


def test_who_may_hear() -> None:
    assert [role for role in ROLES if User("x", role, "").may_hear] == ["reader", "operator", "custodian"]


@pytest.mark.parametrize("name", ["", "Vera", "a b", "../x", "x" * 65, "vera\n", "-x"])
def test_names_that_cannot_be(users: Users, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a user's name"):
        users.add(name, "reader")


def test_what_a_person_got_wrong_is_said(users: Users) -> None:
    users.add("vera", "reader")
    with pytest.raises(UsageError, match="already"):
        users.add("vera", "reader")
    with pytest.raises(UsageError, match="is no role"):
        users.add("olaf", "king")
    with pytest.raises(UsageError, match="is no role"):
        users.set_role("vera", "king")
    with pytest.raises(UsageError, match="too short"):
        users.set_password("vera", "short")
    for act in (users.remove, users.new_link):
        with pytest.raises(UsageError, match="no user olaf"):
            act("olaf")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"users": [{"name": "x"}], "links": {}}',
        b'{"users": [{"name": "x", "role": 7, "stamp": "", "password": ""}], "links": {}}',
        b'{"users": [], "links": {"a": {"user": "x"}}}',
        b"\xff\xfe",
    ],
)
def test_a_file_that_is_none_of_ours(users: Users, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "users.json").write_bytes(content)
    with pytest.raises(FormatError, match="not a file of users"):
        users.names()


def test_another_process_adds_a_user(users: Users, tmp_path: Path, clock: ManualClock) -> None:
    assert users.names() == []
    other = Users(tmp_path / "users.json", clock, QUICK)
    other.add("vera", "reader")
    assert [user.name for user in users.names()] == ["vera"]
    token = other.new_link("vera")
    assert users.use_link(token) is not None
    assert other.use_link(token) is None


def test_a_broken_hash_lets_nobody_in(users: Users, tmp_path: Path) -> None:
    users.add("vera", "reader", PASSWORD)
    path = tmp_path / "users.json"
    content = json.loads(path.read_text())
    content["users"][0]["password"] = "not a hash"
    path.write_text(json.dumps(content))
    assert users.verify("vera", PASSWORD) is None
