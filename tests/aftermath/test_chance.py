from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from memcon.aftermath.chance import NULLS, Null, every_shift, placements
from memcon.aftermath.frame import Frame
from memcon.errors import UsageError

if TYPE_CHECKING:
    from memcon.aftermath.frame import Ints

CALLS = np.array([1, 2, 11, 27], np.int64)
FRAME = Frame.of(0, 30).without([(5, 9)])


def rows(null: Null, frame: Frame = FRAME, draws: int = 500, seed: int = 1, block: int = 7) -> Ints:
    return np.concatenate(list(placements(null, frame, CALLS, draws, seed, block)))


@pytest.mark.parametrize("null", NULLS)
def test_every_placement_has_all_calls_where_it_was_observed(null: Null) -> None:
    frame = FRAME.regimes([(0, "one"), (15, "two")])
    placed = rows(null, frame, draws=400)
    assert placed.shape[1] == len(CALLS)
    assert bool(frame.holds(placed.ravel()).all())
    assert bool((np.diff(placed, axis=1) > 0).all()), "in order, and no two calls on one tick"
    if null == "stratified":
        assert bool(((placed < 15).sum(axis=1) == 3).all()), "a call stays in its regime"


@pytest.mark.parametrize("null", NULLS)
def test_a_seed_gives_the_same_again(null: Null) -> None:
    frame = Frame.of(0, 10_000)
    assert (rows(null, frame) == rows(null, frame)).all()
    assert not (rows(null, frame) == rows(null, frame, seed=2)).all()


def test_a_short_span_has_each_shift_once() -> None:
    placed = rows("circular")
    assert len(placed) == FRAME.length - 1 == 25
    assert len({tuple(row) for row in placed.tolist()} | {tuple(CALLS)}) == 26
    assert every_shift("circular", FRAME, 25)
    assert not every_shift("circular", FRAME, 24)
    assert not every_shift("block", FRAME, 999)


def test_a_shift_keeps_the_distances() -> None:
    placed = rows("circular", Frame.of(0, 10_000), draws=50)
    around = np.diff(np.concatenate([placed, placed[:, :1] + 10_000], axis=1), axis=1)
    ours = sorted(np.diff(np.append(CALLS, CALLS[0] + 10_000)).tolist())
    assert all(sorted(row) == ours for row in around.tolist())


def test_blocks_keep_what_is_in_them() -> None:
    placed = rows("block", Frame.of(0, 28), block=14, draws=40)
    assert {tuple(row) for row in placed.tolist()} == {(1, 2, 11, 27), (13, 15, 16, 25)}


def test_crowded_calls_stay_apart() -> None:
    frame = Frame.of(0, 200)
    placed = np.concatenate(list(placements("poisson", frame, np.arange(0, 200, 10), 30, 1)))
    assert bool((np.diff(placed, axis=1) > 0).all())


@pytest.mark.parametrize(("null", "draws", "block"), [("circular", 0, 0), ("block", 9, 0), ("block", 9, 14)])
def test_what_cannot_be_drawn_is_refused(null: Null, draws: int, block: int) -> None:
    with pytest.raises(UsageError):
        rows(null, draws=draws, block=block)
