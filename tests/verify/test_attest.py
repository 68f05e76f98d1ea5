"""The one rule: what answer a slot gets, case by case, and laws that hold for any evidence."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.verify.witnesses import policy

from memcon.errors import FormatError
from memcon.record.beat import Kind, State
from memcon.record.statement import Genesis
from memcon.verify import attest
from memcon.verify.attest import Answer, Cosigned, Demand, Evidence, Judge, Leaf, Terms

if TYPE_CHECKING:
    from collections.abc import Mapping

P = 10  # seconds a slot
S0 = 180_000_000  # the slot of genesis
TERMS = Terms(P * 1000, b=3, g=2)
TWO_OF_THREE = policy()


def at(slot: float) -> int:
    """POSIX seconds of a place in the log, in slots after genesis."""
    return int((S0 + slot) * P)


def stamps(time: int, *names: str) -> tuple[tuple[str, int], ...]:
    return tuple((name, time) for name in names or ("w1", "w2", "w3"))


class Story:
    """A log told slot by slot, by default by an honest recorder: each leaf cosigned as its slot ends."""

    def __init__(self) -> None:
        self.leaves = [Leaf(0, S0, Kind.GENESIS, State.OFF)]
        self.notes: dict[bytes, Cosigned] = {}
        self.seen: list[Cosigned] = []
        self.newest = b""
        self.cosign(at(1))

    def cosign(self, time: int, *names: str, size: int | None = None) -> Story:
        """Witnesses see the log as it is now (or of this size) at `time`."""
        one = Cosigned(len(self.leaves) if size is None else size, stamps(time, *names))
        self.seen.append(one)
        if len(names) != 1 and size is None:
            self.newest = b"note %d %d" % (one.size, len(self.seen))
            self.notes[self.newest] = one
        return self

    def leaf(self, slot: int, state: State = State.RECORDING, **changes: Any) -> Story:
        """A leaf that nobody has seen yet; it names the newest note."""
        leaf = Leaf(len(self.leaves), S0 + slot, Kind.BEAT, state, note=self.newest)
        self.leaves.append(replace(leaf, **changes))
        return self

    def beat(self, slot: int, state: State = State.RECORDING, **changes: Any) -> Story:
        return self.leaf(slot, state, **changes).cosign(at(slot + 1))

    def beats(self, first: int, last: int, state: State = State.RECORDING) -> Story:
        for slot in range(first, last + 1):
            self.beat(slot, state)
        return self

    def evidence(self) -> Evidence:
        return Evidence(TERMS, TWO_OF_THREE, len(self.leaves), self.leaves, self.notes, self.seen)

    def answers(self, last: int) -> list[str]:
        """By slot after genesis, from 1."""
        judged = attest.judge(self.evidence(), S0 + last)
        return [attest.WORDS[Answer(one)] for one in judged[1:]]


ON, SILENT, OFF, UNKNOWN = "attested recording", "silent", "declared off", "unknown"


def test_an_honest_recorder_is_attested_to_its_last_beat_and_then_unknown() -> None:
    assert Story().beats(1, 5).answers(7) == [ON] * 5 + [UNKNOWN] * 2


def test_the_slot_of_genesis_is_before_the_log() -> None:
    assert attest.judge(Story().evidence(), S0) == bytearray([Answer.UNKNOWN])


def test_a_hole_is_silent_once_a_quorum_has_spoken_after_its_deadline() -> None:
    story = Story().beats(1, 2).beats(5, 6)
    assert story.answers(6)[2:4] == [SILENT, UNKNOWN]  # the deadlines are 6 and 7, the last word is of 7
    assert story.beat(7).answers(7)[2:4] == [SILENT, SILENT]


def test_a_log_that_stops_is_silent_by_a_certificate_alone() -> None:
    story = Story().beats(1, 2)
    assert story.answers(5) == [ON, ON, UNKNOWN, UNKNOWN, UNKNOWN]
    story.cosign(at(7), "w1")  # one of 2-of-3 blocks nothing
    assert story.answers(5)[2:] == [UNKNOWN] * 3
    story.cosign(at(7), "w2")
    assert story.answers(5)[2:] == [SILENT, UNKNOWN, UNKNOWN]  # 7 is not after the deadline of slot 4
    story.cosign(at(7) + 1, "w1").cosign(at(7) + 1, "w3")
    assert story.answers(5)[2:] == [SILENT, SILENT, UNKNOWN]


def test_state_words_of_beats_in_time() -> None:
    story = Story().beat(1, State.DEGRADED).beat(2, State.PARTLY_OFF).beat(3, State.OFF).beat(4)
    assert story.answers(4) == ["degraded", "partly off", OFF, ON]


def test_the_first_leaf_of_an_instance_right_after_another_one_is_degraded() -> None:
    story = Story().beat(1).beat(2, begins=True).beat(3, State.OFF, begins=True)
    assert story.answers(3) == [ON, "degraded", OFF]


def test_back_filled_beats_are_late() -> None:
    story = Story().beats(1, 2)
    for slot in (3, 4, 5, 6, 7):
        story.leaf(slot)
    story.cosign(at(8))
    # deadlines of 3 to 5 are at 6 to 8; the note they all name is of the end of 2: 3 slots before 6
    assert story.answers(7)[2:] == ["late", "late", ON, ON, "early"]


def test_beats_that_witnesses_can_no_longer_see_in_time_are_late_without_a_quorum() -> None:
    story = Story().beats(1, 2).leaf(3).leaf(4)
    story.cosign(at(6) + 1, "w1", size=3).cosign(at(6) + 1, "w3", size=3)
    assert story.answers(4)[2:] == ["late", UNKNOWN]


def test_a_starved_quorum_leaves_the_newest_beats_unknown() -> None:
    story = Story().beats(1, 2).leaf(3).cosign(at(4), "w2")
    assert story.answers(3) == [ON, ON, UNKNOWN]


def test_beats_made_ahead_of_time_are_early() -> None:
    story = Story().beat(1)
    for slot in (2, 3, 4, 5, 6):
        story.leaf(slot)
    story.cosign(at(2))  # all of them in one checkpoint, as slot 1 ends
    assert story.answers(6) == [ON, ON, "early", "early", "early", "early"]


def test_beats_made_ahead_and_shown_in_time_name_a_note_that_is_too_old() -> None:
    story = Story().beat(1)
    old = story.newest
    for slot in range(2, 9):
        story.leaf(slot, note=old).cosign(at(slot + 1))
    # start of 5 - B is at 2, the very time of the note; from 6 on it is too old
    assert story.answers(8) == [ON] * 5 + ["early"] * 3


def test_a_leaf_numbered_a_year_ahead_is_early_and_what_it_leaps_over_falls_silent() -> None:
    story = Story().beat(1).leaf(3_000_000).cosign(at(3))
    judged = attest.judge(story.evidence(), S0)
    assert (judged[2], judged[-1]) == (Answer.UNKNOWN, Answer.EARLY)
    story.cosign(at(1000))
    judged = attest.judge(story.evidence(), S0)
    assert judged[2:997] == bytearray([Answer.SILENT]) * 995
    assert judged[997:-1].strip(bytes([Answer.UNKNOWN])) == b""


@pytest.mark.parametrize("note", [b"", b"not served"])
def test_a_leaf_that_names_no_note_is_not_shown_to_be_fresh(note: bytes) -> None:
    assert Story().beat(1).beat(2, note=note).beat(3).answers(3) == [ON, "early", ON]


def test_a_note_without_a_quorum_of_the_checker_makes_nothing_fresh() -> None:
    story = Story().beat(1)
    story.notes[b"alone"] = Cosigned(2, stamps(at(2), "w1"))
    assert story.beat(2, note=b"alone").answers(2) == [ON, "early"]


def test_zero_timestamps_count_for_nothing() -> None:
    story = Story().beat(1).leaf(2)
    story.seen.append(Cosigned(3, stamps(0)))
    assert story.answers(2) == [ON, UNKNOWN]


def test_witnesses_of_whom_the_checker_has_never_heard_count_for_nothing() -> None:
    story = Story()
    strangers = replace(story.beats(1, 3).evidence(), policy=policy(names=["w4"], threshold=1))
    assert set(attest.judge(strangers, S0 + 5)) == {Answer.UNKNOWN}


def test_the_age_of_a_note_stands_one_liar_where_the_quorum_does() -> None:
    three_of_four = policy(names=["w1", "w2", "w3", "w4"], threshold=3)
    story = Story()
    story.seen.clear()
    story.notes[b"n"] = Cosigned(1, (*stamps(at(1), "w1", "w2", "w3"), *stamps(at(20), "w4")))
    story.leaf(20, note=b"n").cosign(at(21), "w1", "w2", "w3", "w4")
    evidence = replace(story.evidence(), policy=three_of_four)
    assert attest.judge(evidence, S0 + 20)[20] == Answer.EARLY
    story.notes[b"n"] = Cosigned(1, (*stamps(at(1), "w1", "w2"), *stamps(at(20), "w3", "w4")))
    assert attest.judge(evidence, S0 + 20)[20] == Answer.ATTESTED


def test_an_off_statement_covers_from_the_slot_after_its_quorum_until_the_next_beat_that_is_not_off() -> None:
    story = Story().beats(1, 2).beat(3, State.OFF, off=True)
    assert story.answers(8) == [ON, ON, OFF, UNKNOWN, OFF, OFF, OFF, OFF]  # the quorum is at 4 sharp
    story.cosign(at(9.5)).beat(9, State.DEGRADED).beats(10, 13)
    assert story.answers(13) == [ON, ON, OFF, SILENT, *[OFF] * 4, "degraded", ON, ON, ON, ON]


def test_a_statement_that_was_cosigned_late_covers_nothing_before() -> None:
    story = Story().beats(1, 2).leaf(3, State.OFF, off=True).cosign(at(8) + 1)
    story.cosign(at(30))
    assert story.answers(11) == [ON, ON, "late", *[SILENT] * 5, OFF, OFF, OFF]


def test_a_statement_without_a_quorum_covers_nothing() -> None:
    story = Story().beats(1, 2).leaf(3, State.OFF, off=True)
    assert story.answers(5) == [ON, ON, UNKNOWN, UNKNOWN, UNKNOWN]


def test_beats_in_state_off_under_a_statement_are_declared_off_even_late() -> None:
    story = Story().beat(1).leaf(2, off=True).cosign(at(3) + 1).beat(3, State.OFF, off=True)
    story.leaf(4, State.OFF).leaf(5, State.OFF).cosign(at(12)).beat(12)
    assert story.answers(12) == [ON, ON, *[OFF] * 9, ON]


def test_a_statement_in_force_before_the_first_leaf_is_carried_in() -> None:
    story = Story().beat(1).beat(5)
    evidence = replace(story.evidence(), covered_from=at(0) * 1000)
    assert [Answer(a) for a in attest.judge(evidence, S0 + 5)[2:5]] == [8, 4, 4]  # slot 1 was on
    quiet = replace(evidence, leaves=[story.leaves[0], Leaf(1, S0 + 5, Kind.BEAT, State.RECORDING)])
    assert list(attest.judge(quiet, S0 + 5)[1:5]) == [Answer.DECLARED_OFF] * 4


def test_what_a_quorum_has_cosigned_and_nobody_serves_is_withheld() -> None:
    story = Story().beats(1, 2)
    story.cosign(at(5), size=6)
    assert story.answers(8) == [ON, ON, "withheld", "withheld", "withheld", UNKNOWN, UNKNOWN, UNKNOWN]
    story.cosign(at(9), "w1", size=7)  # one witness alone is no quorum
    assert story.answers(8)[5:] == [UNKNOWN] * 3


def test_a_larger_checkpoint_that_is_not_served_attests_no_leaf() -> None:
    """It may be of another history: nothing proves that these leaves are in it."""
    story = Story().beats(1, 2).leaf(3)
    assert story.cosign(at(4), size=9).answers(3) == [ON, ON, UNKNOWN]


def test_a_certificate_weighs_more_than_what_is_withheld() -> None:
    story = Story().beats(1, 2).cosign(at(8), size=3).cosign(at(9), size=6)
    assert story.answers(6)[2:] == [SILENT, SILENT, "withheld", "withheld"]


def test_terms_looser_than_the_checker_accepts_are_refused() -> None:
    said = Genesis("o", 10_000, 3, 2, "now", ())
    assert Terms.of(said) == TERMS
    for demand in (Demand(period_ms=5000), Demand(b=2), Demand(g=1)):
        with pytest.raises(FormatError, match="you accept"):
            Terms.of(said, demand)


def test_what_a_leaf_rests_on_is_told() -> None:
    story = Story().beat(1).beat(2)
    judged = Judge(story.evidence()).leaves()[2]
    assert judged == (Answer.ATTESTED, at(3), at(3), at(2), ())


# ---------------------------------------------------------------------- ranges


def test_the_worst_stands_for_a_stretch_in_the_order_of_the_strip() -> None:
    order = ["silent", "withheld", "late", "early", "unknown", OFF, "partly off", "degraded", ON]
    assert [attest.WORDS[a] for a in sorted(Answer, reverse=True)] == order
    assert attest.worst(bytes([0, 3, 1])) is Answer.DECLARED_OFF


def test_counts_and_runs_add_up() -> None:
    answers = bytes([0, 8, 8, 0, 4, 3, 3])
    assert attest.counts(answers) == {
        Answer.ATTESTED: 2, Answer.DECLARED_OFF: 2, Answer.UNKNOWN: 1, Answer.SILENT: 2
    }  # fmt: skip
    assert list(attest.runs(answers, 100)) == [
        (101, 102, Answer.SILENT),
        (104, 104, Answer.UNKNOWN),
        (105, 106, Answer.DECLARED_OFF),
    ]


@given(st.binary(max_size=200).map(lambda data: bytes(b % 9 for b in data)))
def test_runs_tell_the_whole_story(answers: bytes) -> None:
    again = bytearray(len(answers))
    for first, last, answer in attest.runs(answers, 0):
        again[first : last + 1] = bytes([answer]) * (last + 1 - first)
    assert bytes(again) == answers


# ---------------------------------------------------------------------- laws

NAMES = ("w1", "w2", "w3")


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Any leaves, any cosignatures, honest or not."""
    story = Story()
    slot = 0
    for _ in range(draw(st.integers(0, 8))):
        slot += draw(st.integers(1, 4))
        state = draw(st.sampled_from(State))
        story.leaf(slot, state, off=draw(st.booleans()), begins=draw(st.booleans()))
        for name in draw(st.sets(st.sampled_from(NAMES))):
            time = at(slot + 1) + draw(st.integers(-40, 60))
            story.cosign(time, name)
        if draw(st.booleans()):
            story.cosign(at(slot + 1) + draw(st.integers(-15, 40)))
    return story


def by_the_book(story: Story, slot: int) -> Answer | None:
    """The rule of one slot written out slowly, off statements aside; None: it has to do with those."""
    evidence, index = story.evidence(), None
    for leaf in story.leaves[1:]:
        if leaf.slot == S0 + slot:
            index = leaf.index
    start, deadline = at(slot), at(slot + 1 + TERMS.g)
    before: Mapping[str, list[int]] = {n: [] for n in NAMES}
    after: Mapping[str, list[int]] = {n: [] for n in NAMES}
    for one in story.seen:
        for name, time in one.stamps:
            (after if index is not None and one.size > index else before)[name].append(time)
    if index is None:
        spoken = sum(any(t > deadline for t in times) for times in before.values())
        return Answer.SILENT if spoken >= 2 else Answer.UNKNOWN
    leaf = story.leaves[index]
    firsts = sorted(min(times) for times in after.values() if times)
    early = bool(firsts) and firsts[0] + 1 <= start
    if len(firsts) < 2:
        gone = sum(any(t > deadline for t in times) for times in before.values()) >= 2
        return Answer.LATE if gone else Answer.EARLY if early else Answer.UNKNOWN
    if firsts[1] > deadline:
        return Answer.LATE
    note = evidence.notes.get(leaf.note)
    ages = sorted((t for _, t in note.stamps), reverse=True) if note else []
    if early or len(ages) < 2 or ages[0] < at(slot - TERMS.b):
        return Answer.EARLY
    words = (Answer.ATTESTED, Answer.DEGRADED, Answer.PARTLY_OFF, Answer.DECLARED_OFF)
    return max(words[leaf.state - 1], Answer.DEGRADED if leaf.begins else Answer.ATTESTED)


@given(stories())
def test_the_rule_agrees_with_its_slow_reading(story: Story) -> None:
    for n, leaf in enumerate(story.leaves):
        story.leaves[n] = replace(leaf, off=False)
    last = story.leaves[-1].slot - S0 + 3
    got = attest.judge(story.evidence(), S0 + last)
    assert [Answer(a) for a in got[1:]] == [by_the_book(story, s) for s in range(1, last + 1)]


@given(stories(), st.sampled_from(NAMES), st.integers(0, 100))
def test_more_evidence_never_turns_silence_into_anything_else(story: Story, name: str, later: int) -> None:
    last = story.leaves[-1].slot + 20
    before = attest.judge(story.evidence(), last)
    story.cosign(at(last - S0) + later, name)
    after = attest.judge(story.evidence(), last)
    covered = {a for a, b in zip(before, after, strict=True) if a == Answer.SILENT and b != Answer.SILENT}
    assert not covered or any(leaf.off for leaf in story.leaves)


@given(stories())
def test_nothing_is_attested_without_a_quorum_that_saw_it_in_time(story: Story) -> None:
    for leaf, judged in zip(story.leaves, Judge(story.evidence()).leaves(), strict=True):
        if judged.answer in (Answer.ATTESTED, Answer.DEGRADED, Answer.PARTLY_OFF):
            assert judged.quorum is not None
            assert TERMS.start(leaf.slot) <= judged.quorum * 1000 + 999
            assert judged.quorum * 1000 <= TERMS.deadline(leaf.slot)


@given(stories(), st.integers(1, 7))
def test_judging_from_a_later_leaf_gives_the_same_answers(story: Story, cut: int) -> None:
    """What makes incremental work: only the statement in force has to be carried along."""
    last = story.leaves[-1].slot + 5
    judge = Judge(story.evidence())
    whole = judge.slots(last)
    cut = min(cut, len(story.leaves) - 1)
    later = replace(story.evidence(), leaves=story.leaves[cut:], covered_from=judge.covered[cut])
    assert attest.judge(later, last) == whole[story.leaves[cut].slot - S0 :]
