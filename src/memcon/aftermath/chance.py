"""Null models: where the calls might have stood if they had nothing to do with the events.

- circular: all calls of a stratum are moved by one and the same amount, what runs over the end comes in
  at the start. Both series keep their own clustering. With one stratum and fewer ticks than draws, every
  shift there is is tried once, and p is exact.
- stratified: the same, each regime apart (`Frame.regimes`): for a span with a trend or a change.
- block: the span is cut into blocks, which are put in a new order.
- poisson: each call is put anywhere. Calls that cluster lose their clustering, so that too much looks
  remarkable; kept for comparison.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from memcon.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memcon.aftermath.frame import Frame, Ints

Null = Literal["circular", "block", "stratified", "poisson"]
NULLS: tuple[Null, ...] = ("circular", "block", "stratified", "poisson")
_CELLS = 1 << 17  # calls placed in one go: bounds memory, and stays in the processor's cache


def placements(
    null: Null, frame: Frame, calls: Ints, draws: int, seed: int, block: int = 0
) -> Iterator[Ints]:
    """Rows of call times, sorted in each row; `draws` rows in all, or every shift where those are fewer."""
    if draws < 1:
        raise UsageError(f"{draws} draws", cure="Give at least 1; 9999 is usual")
    if null == "block" and not 0 < block <= frame.length // 2:
        raise UsageError(
            f"blocks of {block} in a span of {frame.length} {frame.unit}s",
            cure="Give a block that fits at least twice into the span",
        )
    if null == "circular":
        frame = frame.one_regime()
    rng = np.random.default_rng(seed)
    inside = frame.by_stratum(calls)
    rows = max(1, _CELLS // max(1, len(calls)))
    if every_shift(null, frame, draws):
        yield from _each_shift(frame, inside[0], rows)
        return
    for start in range(0, draws, rows):
        many = min(rows, draws - start)
        parts = [
            stratum.times(_moved(null, own, stratum.length, many, rng, block))
            for stratum, own in zip(frame.strata, inside, strict=True)
        ]
        yield np.sort(np.concatenate(parts, axis=1), axis=1)


def every_shift(null: Null, frame: Frame, draws: int) -> bool:
    """Whether all shifts are tried: then p is exact, not drawn."""
    one = null == "circular" or (null == "stratified" and len(frame.strata) == 1)
    return one and 1 < frame.length <= draws + 1


def _each_shift(frame: Frame, own: Ints, rows: int) -> Iterator[Ints]:
    (stratum,) = frame.strata
    for start in range(1, stratum.length, rows):
        by = np.arange(start, min(start + rows, stratum.length), dtype=np.int64)
        yield np.sort(stratum.times((own + by[:, None]) % stratum.length), axis=1)


def _moved(null: Null, own: Ints, length: int, rows: int, rng: np.random.Generator, block: int) -> Ints:
    """New positions of the calls of one stratum, a row each."""
    if null == "poisson":
        return _anywhere(len(own), length, rows, rng)
    if null == "block":
        return _in_blocks(own, length, rows, rng, block)
    by = rng.integers(0, length, size=(rows, 1), dtype=np.int64)
    moved: Ints = (own + by) % length
    return moved


def _anywhere(n: int, length: int, rows: int, rng: np.random.Generator) -> Ints:
    """Distinct places: two calls of one tick are one call, and stay two here."""
    if n * 50 > length:  # crowded: deal them out one row at a time
        return np.stack([rng.choice(length, n, replace=False) for _ in range(rows)]).astype(np.int64)
    drawn = rng.integers(0, length, size=(rows, n), dtype=np.int64)
    while n > 1:
        drawn.sort(axis=1)
        again = np.zeros(drawn.shape, bool)
        again[:, 1:] = drawn[:, 1:] == drawn[:, :-1]
        if not again.any():
            break
        drawn[again] = rng.integers(0, length, size=int(again.sum()), dtype=np.int64)
    return drawn


def _in_blocks(own: Ints, length: int, rows: int, rng: np.random.Generator, block: int) -> Ints:
    """Blocks of `block` ticks (the last may be shorter) in a new order."""
    blocks = -(-length // block)
    sizes = np.full(blocks, block, np.int64)
    sizes[-1] = length - block * (blocks - 1)
    order = rng.permuted(np.tile(np.arange(blocks), (rows, 1)), axis=1)
    ends = np.cumsum(sizes[order], axis=1)
    begins = np.empty((rows, blocks), np.int64)
    np.put_along_axis(begins, order, ends - sizes[order], axis=1)
    placed: Ints = begins[:, own // block] + own % block
    return placed
