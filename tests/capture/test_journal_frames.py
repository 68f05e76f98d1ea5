"""Frames in memory that is used again: the same bytes as ever, and none is given out twice."""

from __future__ import annotations

import os

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from memcon.capture.journal_frames import SMALL, SPARE, Collected, FrameMaker
from memcon.record import journal

INSTANCE, KEY = bytes(range(16)), bytes(range(32))


def opened(number: int, frame: memoryview) -> bytes:
    head = bytes(frame[: journal.FRAME_HEAD])
    length, said = journal.decode_frame_head(head)
    assert (length, said) == (len(frame) - journal.FRAME_HEAD, number)
    nonce = journal.frame_nonce(number)
    return AESGCM(KEY).decrypt(nonce, frame[journal.FRAME_HEAD :], INSTANCE + head)


def test_what_is_collected_lies_back_to_back() -> None:
    collected = Collected()
    pieces: list[bytes | memoryview] = [
        b"ab",
        b"",
        np.arange(3, dtype=">u2").view(np.uint8).data,
        memoryview(b""),
        b"c",
    ]
    collected.add(pieces)
    large = os.urandom(3 << 20)  # more than there is room for: what is there stays
    collected.add([large])
    assert collected.size == 9 + len(large)
    assert bytes(collected.take()) == b"ab\0\0\0\1\0\2c" + large
    assert collected.size == 0
    collected.add([b"x"])
    assert bytes(collected.take()) == b"x"


def test_a_frame_given_back_is_used_again_and_no_other() -> None:
    maker = FrameMaker(INSTANCE, KEY)
    texts = [os.urandom(size) for size in (1, SMALL, 5 * SMALL, 5 * SMALL, 9 * SMALL)]
    made = [maker.make(number, memoryview(text)) for number, text in enumerate(texts)]
    assert [opened(number, frame) for number, frame in enumerate(made)] == texts
    maker.give_back(made[3])
    again = maker.make(5, memoryview(texts[2]))
    assert again.obj is made[3].obj
    assert opened(5, again) == texts[2]
    for number in (0, 1, 2, 4):  # which nobody gave back
        assert opened(number, made[number]) == texts[number]
    maker.give_back(again)
    larger = maker.make(6, memoryview(texts[4]))  # too large for what was given back
    assert opened(6, larger) == texts[4]
    maker.give_back(made[0])
    assert maker.make(7, memoryview(b"y")).obj is not made[0].obj  # not worth keeping


def test_no_more_is_kept_than_is_good() -> None:
    maker = FrameMaker(INSTANCE, KEY)
    frames = [maker.make(number, memoryview(bytes(SPARE // 3))) for number in range(4)]
    for frame in frames:
        maker.give_back(frame)
    assert sum(map(len, maker._free)) <= SPARE
