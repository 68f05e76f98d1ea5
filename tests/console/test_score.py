"""The score: picture, sentences and counts all come from the same seconds."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.console.fakes import solheim_keller

from memcon.console import score
from memcon.console.deps import DAMAGED, EDGE, HEARD, HELD, NOTHING, UNSEALED, Lane
from memcon.console.words import NBSP

CODES = st.binary(max_size=200).map(lambda raw: bytes(b % 6 for b in raw))


def lane(letter: str, seconds: bytes, peaks: bytes = b"") -> Lane:
    return Lane(letter, letter, "", seconds, 0, 0, peaks=peaks)


def classed(minute: score.Minute, css: str) -> list[str]:
    root = ET.fromstring(str(minute.picture))  # noqa: S314 - our own markup
    return [one.get("d", "") for one in root if one.get("class") == css]


def label(minute: score.Minute) -> str:
    return ET.fromstring(str(minute.picture)).get("aria-label", "").replace(NBSP, " ")  # noqa: S314 - ours


def texts(minute: score.Minute) -> list[str]:
    root = ET.fromstring(str(minute.picture))  # noqa: S314 - our own markup
    return [one.text or "" for one in root if one.tag == "text"]


def test_the_call_of_the_mock() -> None:
    lanes = solheim_keller().lanes
    made = score.minutes(lanes, ended=True)
    assert [one.at for one in made] == ["0:00", "1:00", "2:00", "3:00", "4:00", "5:00"]
    assert label(made[0]) == "Minute 0: all seconds sealed"
    assert label(made[3]) == "Minute 3: hold from 3:02 to 3:33"
    assert label(made[4]) == "Minute 4: 3 seconds lost on lane B at 4:21"
    assert texts(made[3]) == ["hold 31 s"]
    assert texts(made[4]) == ["3 s lost, B"]
    assert (texts(made[0]), texts(made[5])) == (["start"], ["end"])
    assert (
        score.counts(lanes).replace(NBSP, " ")
        == "348 seconds: 314 with audio, 31 on hold, 3 with a lane lost"
    )


def test_hold_is_a_dashed_line_between_bars_and_a_stub_in_the_seal() -> None:
    third = score.minutes(solheim_keller().lanes, ended=True)[3]
    assert classed(third, "holdline") == ["M6 36H98M6 82H98"]
    assert classed(third, "holdbar") == ["M6.5 14V107M98.5 14V107"]
    assert "M6 121h2v5h-2z" in classed(third, "tick")[-1]


def test_a_loss_is_brackets_around_nothing_and_the_other_half_of_the_seal() -> None:
    fourth = score.minutes(solheim_keller().lanes, ended=True)[4]
    (brackets,) = classed(fourth, "hollow")
    assert brackets.startswith("M66 62.5h-4v39h4")
    bars_b, seal = classed(fourth, "tick")[1:]
    assert not re.search(r"M6[369] ", bars_b)
    assert "M63 110h2v7h-2z" in seal
    assert classed(fourth, "lane")[1] == "M0 82H63M72 82H180"


def test_lane_a_lost_leaves_the_lower_half() -> None:
    (only,) = score.minutes([lane("A", bytes([NOTHING])), lane("B", bytes([HEARD]))], ended=True)
    assert classed(only, "tick")[-1] == "M0 119h4v7h-4z"


def test_nothing_on_any_lane_is_nothing_at_all() -> None:
    (only,) = score.minutes([lane("A", bytes([HEARD, NOTHING, HEARD]))], ended=True)
    assert classed(only, "base") == ["M0 80.5H6", "M12 80.5H18"]
    assert "M6 " not in classed(only, "tick")[-1]


def test_what_is_not_sealed_is_dotted() -> None:
    lanes = [lane("A", bytes([HEARD, HEARD])), lane("B", bytes([HEARD]))]
    (only,) = score.minutes(lanes, ended=False)
    assert classed(only, "base-none") == ["M6 126.5H12"]
    assert "1 second not sealed on lane B at 0:01" in label(only)
    both = score.gaps([lane("A", bytes([UNSEALED]))])
    assert [(gap.words, gap.sentence.replace(NBSP, " ")) for gap in both] == [
        ("1 s not sealed", "1 second not sealed at 0:00")
    ]


def test_a_hold_of_one_lane_keeps_to_its_lane() -> None:
    lanes = [lane("A", bytes([HEARD] * 4)), lane("B", bytes([HEARD, HELD, HELD, HEARD]))]
    (only,) = score.minutes(lanes, ended=True)
    assert classed(only, "holdline") == ["M6 82H17"]
    assert classed(only, "holdbar") == ["M6.5 62V102M17.5 62V102"]
    assert score.gaps(lanes)[0].words == "hold 2 s, B"
    assert score.gaps(lanes)[0].sentence == "hold on lane B from 0:01 to 0:03"


def test_a_gap_over_a_minute_opens_in_one_and_closes_in_the_next() -> None:
    seconds = bytearray([HEARD] * 90)
    seconds[50:70] = bytes([NOTHING] * 20)
    first, second = score.minutes([lane("A", bytes(seconds))], ended=True)
    assert classed(first, "hollow")[0].count("M") == classed(second, "hollow")[0].count("M") == 1
    held = score.minutes([lane("A", bytes([HELD] * 150))], ended=True)
    assert classed(held[1], "holdbar") == []
    assert classed(held[1], "hollow") == []


def test_a_full_middle_minute_of_a_loss_draws_no_bracket() -> None:
    made = score.minutes([lane("A", bytes([HEARD] + [NOTHING] * 178 + [HEARD]))], ended=True)
    assert classed(made[1], "hollow") == []
    assert classed(made[1], "tick") == []


def test_labels_that_would_collide_are_left_to_the_table() -> None:
    seconds = bytes([HEARD, NOTHING] * 30)
    (only,) = score.minutes([lane("A", seconds)], ended=True)
    assert 2 <= len(texts(only)) <= 6
    assert label(only) == "Minute 0: 30 of 60 seconds whole, 30 gaps; see the table"


def test_a_label_at_the_right_edge_stays_inside() -> None:
    seconds = bytearray([HEARD] * 120)
    seconds[58] = NOTHING
    first = score.minutes([lane("A", bytes(seconds))], ended=True)[0]
    root = ET.fromstring(str(first.picture))  # noqa: S314 - our own markup
    (place,) = [float(one.get("x", "0")) for one in root if one.text == "1 s lost"]
    assert place + len("1 s lost") * 7.4 <= 361


def test_bars_follow_the_peaks() -> None:
    (only,) = score.minutes([lane("A", bytes([HEARD] * 3), bytes([0, 50, 100]))], ended=False)
    assert classed(only, "tick")[0] == "M0 35h4v2h-4zM6 27h4v18h-4zM12 18h4v36h-4z"


def test_a_call_of_two_minutes_is_drawn_twice_as_wide() -> None:
    for seconds, wide in ((120, "360"), (121, "180")):
        first = score.minutes([lane("A", bytes([HEARD] * seconds))], ended=True)[0]
        assert ET.fromstring(str(first.picture)).get("viewBox") == f"0 0 {wide} 82"  # noqa: S314 - ours


def test_a_growing_score_is_drawn_anew_when_it_outgrows_its_scale() -> None:
    assert [score.first_minute(minute) for minute in range(5)] == [0, 0, 0, 3, 4]


def test_a_second_is_whole_only_where_no_packet_is_missing() -> None:
    one = replace(lane("A", bytes([HEARD] * 3)), received=140, expected=150)
    assert score.missing([one]) == 10
    assert score.counts([one]).replace(NBSP, " ") == "3 seconds: 3 with audio"
    assert score.counts([replace(one, received=150)]).replace(NBSP, " ") == "3 seconds: 3 whole"


def test_the_edges_of_a_call_are_no_loss() -> None:
    lanes = [lane("A", bytes([EDGE, EDGE, HEARD])), lane("B", bytes([EDGE, HEARD, HEARD]))]
    (only,) = score.minutes(lanes, ended=True)
    assert label(only) == "Minute 0: all seconds sealed"
    assert classed(only, "tick")[-1] == "M0 121h4v5h-4zM6 110h4v16h-4zM12 110h4v16h-4z"
    assert score.counts(lanes).replace(NBSP, " ") == "3 seconds: 2 whole, 1 empty at the start or the end"


def test_a_call_without_lanes() -> None:
    assert score.minutes([], ended=True) == []
    assert score.counts([]) == f"0{NBSP}seconds"
    assert score.sealed_as([]) == UNSEALED


def test_only_later_minutes_when_asked() -> None:
    lanes = [lane("A", bytes([HEARD] * 130))]
    assert [one.start for one in score.minutes(lanes, ended=False, first=2)] == [120]


@given(CODES, CODES)
def test_counts_add_up_and_every_minute_is_well_formed(a: bytes, b: bytes) -> None:
    lanes = [lane("A", a), lane("B", b)]
    total, _, parts = score.counts(lanes).partition(":")
    assert int(total.split(NBSP)[0]) == sum(int(n) for n in re.findall(r"\d+", parts)) == max(len(a), len(b))
    for minute in score.minutes(lanes, ended=True):
        assert label(minute).startswith("Minute ")
    covered = [s for gap in score.gaps(lanes) for s in range(gap.start, gap.end)]
    sound = (HEARD, DAMAGED, EDGE)
    silent = [s for s in range(max(len(a), len(b))) if any(score.code_at(x, s) not in sound for x in lanes)]
    assert sorted(set(covered)) == silent
