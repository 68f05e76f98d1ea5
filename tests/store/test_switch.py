"""The off switch on the disk."""

from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.errors import FormatError, UsageError
from memcon.store import switch
from memcon.store.paths import Home
from memcon.store.switch import EXPLANATION, OFF, ON, Announced, Asked, Switched

if TYPE_CHECKING:
    from pathlib import Path

WHO = ("J. Ruiz", "by hand", "monthly test")


def test_what_is_asked_is_found_oldest_first(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert switch.waiting(home) == []
    asked = [Asked(OFF, *WHO, ("desk",)), Asked(ON, *WHO), Asked(EXPLANATION, *WHO, first=3, last=9)]
    for one in asked:
        switch.ask(home, one)
    assert sorted(str(one) for _, one in switch.waiting(home)) == sorted(map(str, asked))
    (home.switch_asked / "notes.txt").write_text("not ours")
    (home.switch_asked / ("0" * 16 + ".json")).write_text("{")
    assert [one for _, one in switch.waiting(home)].count(None) == 1


@pytest.mark.parametrize("wrong", [{"by": " "}, {"reason": ""}, {"reason": "x" * 501}, {"by": "two\nlines"}])
def test_a_person_and_a_reason_are_needed(wrong: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        Asked(OFF, wrong.get("by", "J. Ruiz"), "by hand", wrong.get("reason", "test"))


def test_only_three_things_can_be_asked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none of off"):
        switch.ask(Home(tmp_path), Asked("pause", *WHO))


def test_what_is_off_is_kept(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert switch.read(home) == Switched()
    announced = Announced("ab" * 32, 7, Asked(OFF, *WHO, ("desk",)))
    for kept in (
        Switched(),
        Switched(True, (), "aa", *WHO),
        Switched(False, ("a", "b"), "cc", *WHO, announced),
    ):
        switch.write(home, kept)
        assert switch.read(home) == kept


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b'{"announced": null}', b'{"announced": 3, "lines": []}']
)
def test_a_damaged_file_is_named(tmp_path: Path, data: bytes) -> None:
    home = Home(tmp_path)
    home.switch.write_bytes(data)
    with pytest.raises(FormatError, match="cannot be read"):
        switch.read(home)


def test_off_and_on_add_up() -> None:
    desk = Switched().with_off(Asked(OFF, *WHO, ("desk",)), "aa")
    assert (desk.off("desk"), desk.off("all"), desk.whole) == (True, False, False)
    both = desk.with_off(Asked(OFF, *WHO, ("all",)), "bb")
    assert (both.lines, both.statement) == (("desk", "all"), "bb")
    left = both.with_on(("desk",))
    assert (left.lines, left.statement, left.by) == (("all",), "", "J. Ruiz")
    assert not left.with_on(("all",)).anything
    everything = both.with_off(Asked(OFF, *WHO), "cc")
    assert everything.off("whatever")
    assert everything.with_on(("desk",)).whole
    assert not everything.with_on(()).anything


LINES = st.lists(st.sampled_from(["a", "b", "c"]), unique=True).map(tuple)


@given(st.lists(st.tuples(st.sampled_from([OFF, ON]), LINES)))
def test_any_order_of_switching_ends_where_sets_end(steps: list[tuple[str, tuple[str, ...]]]) -> None:
    now, lines, whole = Switched(), set[str](), False
    for kind, named in steps:
        if kind == OFF:
            now, whole, lines = (
                now.with_off(Asked(OFF, *WHO, named), "aa"),
                whole or not named,
                lines | {*named},
            )
        else:
            now = now.with_on(named)
            whole, lines = whole and bool(named), lines - {*named} if named else set()
    assert (now.whole, set(now.lines)) == (whole, lines)


def test_the_system_user_is_the_system_s_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    me = pwd.getpwuid(os.getuid()).pw_name
    for name in ("SUDO_USER", "LOGNAME", "USER"):
        for wrong in ("eve\n\x1b[31mroot", "no such person", "", "x" * 70_000, "\udcff"):
            monkeypatch.setenv(name, wrong)
            assert switch.system_user() == me
            monkeypatch.delenv(name)
    monkeypatch.setenv("SUDO_USER", "daemon")
    assert switch.system_user() == "daemon"
    monkeypatch.delenv("SUDO_USER")

    def unknown(_: int) -> pwd.struct_passwd:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert switch.system_user() == f"number {os.getuid()}"


def test_how_it_came_is_one_line() -> None:
    for how in ("console\nroot", "x" * 501, "\u202e"):
        with pytest.raises(UsageError, match="no single line"):
            Asked(OFF, "A. Person", how, "a reason")
