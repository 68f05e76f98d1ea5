"""Sequence numbers: every way in which a stream can go wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.wire.sequence import MAX_DROPOUT, Arrival, SequenceTracker, SourceTracker, consecutive_runs


def track(*numbers: int) -> tuple[SequenceTracker, list[str]]:
    """Feed numbers; the tracker and what each was."""
    tracker = SequenceTracker()
    return tracker, [tracker.add(n).arrival.name for n in numbers]


@pytest.mark.parametrize(
    ("numbers", "arrivals", "expected", "lost"),
    [
        ([5, 6, 7], ["NEXT"] * 3, 3, []),
        ([65534, 65535, 0, 1], ["NEXT"] * 4, 4, []),
        ([1, 4], ["NEXT", "GAP"], 4, [(2, 3)]),
        ([1, 4, 2], ["NEXT", "GAP", "LATE"], 4, [(3, 3)]),
        ([1, 5, 3], ["NEXT", "GAP", "LATE"], 5, [(2, 2), (4, 4)]),
        ([1, 3, 2, 2], ["NEXT", "GAP", "LATE", "DUPLICATE"], 3, []),
        ([1, 1], ["NEXT", "DUPLICATE"], 1, []),
        ([1, 2, 1], ["NEXT", "NEXT", "DUPLICATE"], 2, []),
        ([10, 7, 8], ["NEXT", "LATE", "LATE"], 4, [(9, 9)]),
        ([10, 9], ["NEXT", "LATE"], 2, []),
        ([0, 65535], ["NEXT", "LATE"], 2, []),
        ([65535, 1, 0], ["NEXT", "GAP", "LATE"], 3, []),
        ([1, 30000], ["NEXT", "STRAY"], 1, []),
        ([1, 30000, 2], ["NEXT", "STRAY", "NEXT"], 2, []),
        ([1, 30000, 45000], ["NEXT", "STRAY", "STRAY"], 1, []),
        ([1, 30000, 30001, 30002], ["NEXT", "STRAY", "RESTART", "NEXT"], 4, []),
        ([500, 100, 101], ["NEXT", "STRAY", "RESTART"], 3, []),
        ([1, 3, 65534, 65535], ["NEXT", "GAP", "LATE", "LATE"], 6, [(0, 0), (2, 2)]),
    ],
)
def test_arrivals(
    numbers: list[int], arrivals: list[str], expected: int, lost: list[tuple[int, int]]
) -> None:
    tracker, names = track(*numbers)
    assert names == arrivals
    assert (tracker.received, tracker.expected, tracker.lost_ranges()) == (len(numbers), expected, lost)
    assert tracker.duplicates == arrivals.count("DUPLICATE")
    assert tracker.reordered == arrivals.count("LATE")
    assert tracker.restarts == arrivals.count("RESTART")


def test_nothing_yet() -> None:
    tracker = SequenceTracker()
    assert (tracker.highest, tracker.expected, tracker.lost) == (None, 0, 0)


def test_extended_numbers_run_on_past_the_wrap() -> None:
    tracker = SequenceTracker()
    places = [tracker.add(n % 65536) for n in range(65000, 65000 + 70000)]
    assert places[-1].extended == 65000 + 69999
    assert tracker.highest == 65000 + 69999


def test_a_restart_keeps_what_was_lost_before_it() -> None:
    tracker, _ = track(1, 4, 30000, 30001, 30003)
    assert (tracker.lost, tracker.expected, tracker.epoch, tracker.strays) == (3, 8, 1, 0)
    assert tracker.lost_ranges() == [(30002, 30002)]


def test_settling() -> None:
    tracker, _ = track(1, 4, 8)
    assert tracker.settle(6) == [(2, 3), (5, 5)]
    assert tracker.lost_ranges() == [(6, 7)]
    assert tracker.lost == 5
    assert tracker.settle(6) == []


def test_runs_in_one_step() -> None:
    tracker = SequenceTracker()
    place = tracker.add_run(65530, 10)
    assert place is not None
    assert (place.extended, place.arrival) == (65530, Arrival.NEXT)
    assert tracker.highest == 65539
    assert tracker.add_run(9, 1) is None
    place = tracker.add_run(4, 3)
    assert place is not None
    assert place.extended == 65540
    assert (tracker.received, tracker.expected) == (13, 13)


@given(st.integers(0, 65535), st.lists(st.integers(0, 60), min_size=1, max_size=80))
def test_runs_and_single_packets_agree(start: int, offsets: list[int]) -> None:
    numbers = np.array([(start + o) % 65536 for o in offsets], np.uint16)
    single = SequenceTracker()
    for n in numbers:
        single.add(int(n))
    ones = np.zeros(len(numbers), np.int64)
    runs = consecutive_runs(ones, ones.astype(np.uint32), numbers)
    fast = SequenceTracker()
    for r in range(len(runs)):
        members = numbers[runs.order[runs.start[r] :][: runs.count[r]]]
        if fast.add_run(int(runs.first[r]), int(runs.count[r])) is None:
            for n in members:
                fast.add(int(n))
    for name in ("received", "expected", "lost", "duplicates", "reordered", "strays", "epoch", "highest"):
        assert getattr(single, name) == getattr(fast, name), name
    assert single.lost_ranges() == fast.lost_ranges()


@given(st.lists(st.one_of(st.integers(0, 40), st.integers(65500, 65535), st.integers(0, 65535)), max_size=60))
def test_the_books_balance(numbers: list[int]) -> None:
    """Whatever comes: taken = expected - lost + doubled + strays."""
    tracker, _ = track(*numbers)
    assert tracker.received == tracker.expected - tracker.lost + tracker.duplicates + tracker.strays


def test_streams_are_taken_apart() -> None:
    stream = np.array([2, 1, 2, 1, 2, 1], np.int64)
    ssrc = np.array([9, 5, 9, 5, 8, 5], np.uint32)
    sequence = np.array([65535, 1, 0, 3, 1, 4], np.uint16)
    runs = consecutive_runs(stream, ssrc, sequence)
    found = [
        (int(runs.stream[r]), int(runs.ssrc[r]), int(runs.first[r]), int(runs.count[r]))
        for r in range(len(runs))
    ]
    assert found == [(1, 5, 1, 1), (1, 5, 3, 2), (2, 9, 65535, 2), (2, 8, 1, 1)]
    assert runs.order.tolist() == [1, 3, 5, 0, 2, 4]
    empty = consecutive_runs(stream[:0], ssrc[:0], sequence[:0])
    assert len(empty) == 0


def test_sources() -> None:
    tracker = SourceTracker(max_sources=2)
    for ssrc, number in ((1, 10), (1, 12), (2, 50), (1, 13), (1, 13), (3, 1)):
        tracker.add(ssrc, number)
    assert (tracker.changes, tracker.ignored, tracker.current) == (3, 1, 3)
    assert (tracker.received, tracker.expected, tracker.duplicates, tracker.lost) == (5, 5, 1, 1)
    assert sorted(tracker.sources) == [1, 2]


def test_the_limit_of_a_jump() -> None:
    assert track(0, MAX_DROPOUT - 1)[1][1] == "GAP"
    assert track(0, MAX_DROPOUT)[1][1] == "STRAY"
