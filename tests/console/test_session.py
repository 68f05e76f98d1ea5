"""Sessions, form tokens and the brake on tries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.clock import NS, ManualClock
from memcon.console.session import LIFE_NS, Brake, Sessions, load_session_key, new_session_key

if TYPE_CHECKING:
    from pathlib import Path

KEY = bytes(range(32))


def test_a_session_comes_back_as_it_went() -> None:
    sessions = Sessions(KEY, ManualClock())
    session = sessions.start("jón@x", "abcd")
    assert sessions.read(sessions.cookie(session)) == session


@given(st.text())
def test_what_was_not_signed_is_no_session(text: str) -> None:
    assert Sessions(KEY, ManualClock()).read(text) is None


def test_one_changed_letter_ends_it() -> None:
    sessions = Sessions(KEY, ManualClock())
    cookie = sessions.cookie(sessions.start("vera", "abcd"))
    for i, letter in enumerate(cookie):
        forged = cookie[:i] + ("x" if letter != "x" else "y") + cookie[i + 1 :]
        assert sessions.read(forged) is None
    assert Sessions(bytes(32), ManualClock()).read(cookie) is None


def test_sessions_end_with_time_and_when_they_are_ended() -> None:
    clock = ManualClock()
    sessions = Sessions(KEY, clock)
    one, other = sessions.start("vera", "s"), sessions.start("vera", "s")
    sessions.end(one)
    assert sessions.read(sessions.cookie(one)) is None
    assert sessions.read(sessions.cookie(other)) == other
    clock.advance(LIFE_NS - 1)
    assert sessions.read(sessions.cookie(other)) == other
    clock.advance(1)
    assert sessions.read(sessions.cookie(other)) is None
    sessions.end(other)
    clock.step_wall(-2 * LIFE_NS)
    assert sessions.read(sessions.cookie(sessions.start())) is not None


def test_a_session_from_the_future_is_refused() -> None:
    clock = ManualClock()
    sessions = Sessions(KEY, clock)
    cookie = sessions.cookie(sessions.start("vera", "s"))
    clock.step_wall(-NS)
    assert sessions.read(cookie) is None


def test_a_form_token_belongs_to_its_session() -> None:
    sessions = Sessions(KEY, ManualClock())
    one, other = sessions.start(), sessions.start()
    assert sessions.form_ok(one, sessions.form_token(one))
    assert not sessions.form_ok(one, sessions.form_token(other))
    assert not sessions.form_ok(one, "")


def test_a_key_has_32_bytes() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Sessions(b"short", ManualClock())
    assert len(new_session_key()) == 32


def test_the_key_outlives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "run" / "session.key"
    first = load_session_key(path)
    assert load_session_key(path) == first
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(b"torn")
    assert load_session_key(path) != first


def test_the_brake_holds_after_five_and_lets_go() -> None:
    clock = ManualClock()
    brake = Brake(clock)
    for _ in range(5):
        assert brake.wait_ns("vera") == 0
        brake.failed("vera")
        clock.advance(NS)
    assert brake.wait_ns("vera") == 295 * NS
    assert brake.wait_ns("olaf") == 0
    clock.advance(295 * NS)
    assert brake.wait_ns("vera") == 0
    for _ in range(5):
        brake.failed("vera")
    brake.forgive("vera")
    assert brake.wait_ns("vera") == 0


def test_the_brake_does_not_grow_without_end() -> None:
    brake = Brake(ManualClock(), tries=1, most=3)
    for name in "abcd":
        brake.failed(name)
    assert [brake.wait_ns(name) > 0 for name in "abcd"] == [False, True, True, True]
