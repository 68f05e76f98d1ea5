"""The question and its answer: one sentence, the evidence, the limits."""

from __future__ import annotations

import json
from datetime import UTC
from typing import TYPE_CHECKING, Any

import pytest
from tests.verify.watched import Watched

from memcon.clock import NS, ManualClock
from memcon.errors import FormatError, MachineError, UsageError
from memcon.record.beat import State
from memcon.record.statement import Explanation
from memcon.verify import asking, times
from memcon.verify.asking import Asker, cache_directory
from memcon.verify.attest import Answer
from memcon.verify.main import main
from memcon.verify.was_it_on import EXIT, MAX_RUNS, Question, Reply, sentence, to_json, to_text
from memcon.verify.was_it_on import ask as put

if TYPE_CHECKING:
    from pathlib import Path


def ask(watched: Watched, folder: Path, first: float, last: float, **settings: Any) -> Reply:
    """Ask about slots after genesis, `last` not included, from the log's files."""
    now = settings.pop("now", watched.world.slot * watched.period)
    asker = Asker(str(watched.write(folder / "log")), watched.policy(), **settings)
    return asker.ask(Question(watched.ms(first), watched.ms(last)), now=now)


def story() -> Watched:
    """On, silent, on, off, on, explained."""
    watched = Watched().beats(1, 10)
    watched.cosign(watched.at(13))
    watched.beat(13, State.DEGRADED)
    watched.beats(14, 20)
    watched.beat(21, State.RECORDING, statement=watched.off(21, lines=()))
    watched.beat(22, State.OFF)
    watched.beat(23, State.OFF)
    watched.beat(24, State.DEGRADED, statement=watched.on(24))
    said = Explanation(
        watched.world.origin, watched.genesis + 11, watched.genesis + 12, "J. Ruiz", "by hand", "a fuse"
    )
    watched.beat(25, statement=watched.world.state(said.encode()))
    return watched.beats(26, 40)


def test_yes(tmp_path: Path) -> None:
    reply = ask(story(), tmp_path, 1, 11)
    assert (reply.answer, reply.exit_code, reply.slots) == (Answer.ATTESTED, 0, 10)
    text = sentence(reply, UTC)
    assert text == (
        "Yes: recorder.example/1 was attested recording in every one of 10 slots "
        "from 2027-01-15T08:00:10Z to 2027-01-15T08:01:50Z."
    )


def test_no_and_where(tmp_path: Path) -> None:
    reply = ask(story(), tmp_path, 1, 21)
    assert (reply.answer, reply.exit_code) == (Answer.SILENT, 17)
    assert sentence(reply, times.zone("Europe/Vienna")) == (
        "No: Silent for 20 s, from 2027-01-15T09:01:50+01:00 to 2027-01-15T09:02:10+01:00; "
        "17 of 20 slots were attested recording."
    )
    text = to_text(reply, UTC)
    assert "Said afterwards by J. Ruiz" in text
    assert "  - degraded: 2027-01-15T08:02:10Z" in text
    assert text.index("Evidence") < text.index("What this does not prove")


def test_declared_off_by_whom_and_why(tmp_path: Path) -> None:
    reply = ask(story(), tmp_path, 22, 24)
    assert (reply.answer, reply.exit_code) == (Answer.DECLARED_OFF, 12)
    assert sentence(reply, UTC).startswith("No: Declared off for 20 s, from ")
    assert sentence(reply, UTC).endswith(", by J. Ruiz: monthly test.")


def test_partly_off_names_the_lines(tmp_path: Path) -> None:
    watched = Watched().beats(1, 2)
    off = watched.off(3, lines=("00112233aabbccdd",))
    watched.beat(3, State.PARTLY_OFF, statement=off)
    watched.beat(4, State.PARTLY_OFF, statement=off)
    watched.beat(5, State.OFF, statement=watched.off(5, reason=""))
    reply = ask(watched, tmp_path, 3, 5)
    assert sentence(reply, UTC).startswith("In part: Partly off for 20 s")
    assert "(1 line: 00112233aabbccdd)" in sentence(reply, UTC)
    assert sentence(ask(watched, tmp_path, 5, 6), UTC).endswith("by J. Ruiz: no reason given.")


def test_names_and_reasons_cannot_write_the_report(tmp_path: Path) -> None:
    watched = Watched()
    watched.beat(1, State.OFF, statement=watched.off(1, by="J\nYes: all was on", reason="\x1b[2K"))
    text = to_text(ask(watched, tmp_path, 1, 2), UTC)
    assert "J\\nYes" in text
    assert "\x1b" not in text


def test_who_dated_beats_before_their_slots_is_named(tmp_path: Path) -> None:
    watched = Watched(period=60).beats(1, 9)
    for size in (5, 6):
        watched.loose(watched.at(2), "w3", size=size)
    line = (
        "Dated before their slots by w3: 3 beats, the first of the slot from 2027-01-15T08:03:00Z; its word "
        "is why they are early"
    )
    assert line in to_text(ask(watched, tmp_path, 1, 9, cache=tmp_path / "cache"), UTC)
    watched.beats(10, 60)  # by now it is settled, and kept
    for _ in range(2):
        assert line in to_text(ask(watched, tmp_path, 1, 40, cache=tmp_path / "cache"), UTC)
    assert "Dated before" not in to_text(ask(watched, tmp_path, 10, 40), UTC)
    for name in ("w1", "w2"):
        watched.loose(watched.at(60) - 120, name)
    text = to_text(ask(watched, tmp_path, 55, 61), UTC)
    assert "Dated before their slots by w1, w2: 2 beats" in text
    assert "their words are" in text


def test_off_without_a_statement_says_so(tmp_path: Path) -> None:
    watched = Watched()
    watched.beat(1, State.OFF)
    assert sentence(ask(watched, tmp_path, 1, 2), UTC).endswith("without a statement by anybody.")


def test_several_stretches(tmp_path: Path) -> None:
    watched = Watched().beats(1, 3).beats(5, 7).beats(9, 14)
    reply = ask(watched, tmp_path, 1, 15)
    assert "Silent for 20 s, in 2 stretches, first from " in sentence(reply, UTC)
    assert to_text(reply, UTC).count("  - silent: 2027") == 2


@pytest.mark.parametrize(("first", "last"), [(-100, -90), (100, 110), (-5, 0.5)])
def test_outside_the_log_nobody_can_tell(tmp_path: Path, first: float, last: float) -> None:
    reply = ask(Watched().beats(1, 5), tmp_path, first, last)
    assert (reply.answer, reply.exit_code) == (Answer.UNKNOWN, 13)
    assert sentence(reply, UTC).startswith("Nobody can tell from this: Unknown for ")
    assert sum(reply.tally.values()) == reply.slots == reply.runs[0].last - reply.runs[0].first + 1


def test_a_stretch_that_begins_before_the_log_and_ends_in_the_future(tmp_path: Path) -> None:
    reply = ask(Watched().beats(1, 9), tmp_path, -10, 30)
    assert reply.tally == {Answer.ATTESTED: 9, Answer.UNKNOWN: 31}
    assert [(run.last - run.first + 1) for run in reply.runs] == [11, 20]


def test_a_moment_is_the_slot_it_falls_into(tmp_path: Path) -> None:
    reply = ask(story(), tmp_path, 11.35, 11.36)
    assert (reply.slots, reply.answer) == (1, Answer.SILENT)
    assert sentence(reply, UTC).endswith("to 2027-01-15T08:02:00Z.")


def test_too_many_stretches_are_counted(tmp_path: Path) -> None:
    reply = ask(Watched().beats(1, 3), tmp_path, 1, 4)
    flicker = bytes([0, 1] * (MAX_RUNS + 5))
    h = reply.history
    many = put(
        h, reply.policy, Question(h.terms.start(h.genesis), h.terms.start(h.genesis + len(flicker))),
        1 << 40, reply.report, answers=flicker,
    )  # fmt: skip
    assert (len(many.runs), many.more_runs) == (MAX_RUNS, 5)
    assert "and 5 stretches more" in to_text(many, UTC)


def test_json_says_the_same(tmp_path: Path) -> None:
    reply = ask(story(), tmp_path, 1, 41)
    shown = json.loads(json.dumps(to_json(reply, UTC)))
    assert shown["answer"] == "silent"
    assert sum(shown["counts"].values()) == shown["slots"] == 40
    assert [one["answer"] for one in shown["not_attested"]] == [
        "silent",
        "degraded",
        "declared off",
        "degraded",
    ]
    assert [one["kind"] for one in shown["statements"]] == ["off", "on", "explanation"]
    assert shown["policy"] == "given"
    assert shown["sentence"] == sentence(reply, UTC)


def test_a_log_that_contradicts_itself_is_told_before_any_answer(tmp_path: Path) -> None:
    watched = Watched().beats(1, 3)
    watched.beat(4, statement=b"\1" * 32)
    reply = ask(watched, tmp_path, 1, 3)
    assert (reply.answer, reply.exit_code) == (Answer.ATTESTED, 1)
    assert "error [statement-missing]" in to_text(reply, UTC)


def test_the_policy_of_the_operator_informs_and_a_missing_one_is_asked_for(tmp_path: Path) -> None:
    watched = Watched().beats(1, 4)
    watched.extra["policy"] = watched.policy()
    reply = Asker(str(watched.write(tmp_path / "log"))).ask(Question(watched.ms(1), watched.ms(2)))
    assert not reply.own_policy
    assert "the operator named them" in to_text(reply, UTC)
    (tmp_path / "log" / "policy").unlink()
    with pytest.raises(UsageError, match="nobody has named witnesses"):
        Asker(str(tmp_path / "log"))
    with pytest.raises(FormatError, match="names no log"):
        Asker(str(tmp_path / "log"), watched.policy().split(b"\n", 1)[1])


def test_a_log_that_no_witness_has_seen(tmp_path: Path) -> None:
    watched = Watched()
    watched.extra.clear()
    watched.newest = (bytes(32), 0)
    watched.leaf(1)
    reply = ask(watched, tmp_path, 1, 2)
    assert reply.answer is Answer.UNKNOWN
    assert "Its witnesses have not spoken" in to_text(reply, UTC)
    assert to_json(reply, UTC)["last_word"] is None


def test_what_was_read_is_kept_and_serves_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched().beats(1, 9)
    place = str(watched.write(tmp_path / "log"))
    question = Question(watched.ms(1), watched.ms(9))
    monkeypatch.setattr(asking, "SystemClock", lambda: ManualClock(watched.at(12) * NS))
    asker = Asker(place, watched.policy(), cache=tmp_path / "cache")
    with pytest.raises(UsageError, match="nothing of"):
        asker.ask(question, offline=True)
    assert asker.ask(question).answer is Answer.ATTESTED
    (tmp_path / "log" / "checkpoint").unlink()
    assert asker.ask(question, offline=True).answer is Answer.ATTESTED
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(b"x" * 100)
    assert asker.known() is None
    kept.unlink()
    kept.mkdir()
    watched.write(tmp_path / "log")
    with pytest.raises(MachineError, match="cannot be written"):
        asker.ask(question)
    monkeypatch.setenv("MEMCON_CACHE", "/x/y")
    assert str(cache_directory()) == "/x/y"
    monkeypatch.delenv("MEMCON_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert str(cache_directory()) == "/x/memcon"


def test_every_answer_has_an_exit_code_of_its_own() -> None:
    assert sorted(EXIT) == sorted(Answer)
    assert len(set(EXIT.values()) | {1, 2, 3}) == len(EXIT) + 3


def test_the_stand_alone_verifier_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = story()
    monkeypatch.setattr(asking, "SystemClock", lambda: ManualClock(watched.at(50) * NS))
    place = str(watched.write(tmp_path / "log"))
    (tmp_path / "policy").write_bytes(watched.policy())
    asked = ["was-it-on", place, f"@{watched.at(1)}", f"@{watched.at(21)}", "--no-cache"]
    policy = ["--policy", str(tmp_path / "policy")]
    assert main([*asked, *policy]) == 17
    assert capsys.readouterr().out.startswith("No: Silent for 20 s")
    assert main([*asked[:3], "--no-cache", *policy, "--json", "--zone", "Asia/Tokyo"]) == 0
    assert json.loads(capsys.readouterr().out)["from"].endswith("+09:00")
    assert main([*asked[:3], "--no-cache", *policy, "--quiet"]) == 0
    assert not capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["was-it-on", place])
    assert main([*asked[:2], "sometime", "--no-cache", *policy]) == 2
    assert main([*asked[:3], f"@{watched.at(0)}", "--no-cache", *policy]) == 2
    assert "ends before it begins" in capsys.readouterr().err
