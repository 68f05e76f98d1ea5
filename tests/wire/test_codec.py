"""Payload types."""

from __future__ import annotations

import pytest

from memcon.wire.codec import STATIC, codec_for


@pytest.mark.parametrize(
    ("number", "rtpmap", "media", "expected"),
    [
        (0, None, "audio", ("PCMU", 8000, 1, "audio")),
        (9, None, "audio", ("G722", 8000, 1, "audio")),
        (10, None, "audio", ("L16", 44100, 2, "audio")),
        (19, None, "audio", ("CN", 8000, 1, "noise")),
        (96, None, "audio", ("", 8000, 1, "unknown")),
        (96, None, "video", ("", 90000, 1, "unknown")),
        (111, "opus/48000/2", "audio", ("OPUS", 48000, 2, "audio")),
        (101, "telephone-event/8000", "audio", ("TELEPHONE-EVENT", 8000, 1, "events")),
        (13, "CN/16000", "audio", ("CN", 16000, 1, "noise")),
        (99, "H264/90000", "video", ("H264", 90000, 1, "video")),
        (99, "t140/1000", "text", ("T140", 1000, 1, "unknown")),
        (99, "X/0/999", "audio", ("X", 8000, 1, "audio")),
        (99, "X/٣", "audio", ("X", 8000, 1, "audio")),
    ],
)
def test_what_a_number_stands_for(
    number: int, rtpmap: str | None, media: str, expected: tuple[str, int, int, str]
) -> None:
    codec = codec_for(number, rtpmap, media=media, fmtp="f")
    assert (codec.name, codec.clock_rate, codec.channels, codec.kind) == expected
    assert (codec.payload_type, codec.fmtp) == (number, "f")


def test_g722_samples_twice_as_fast_as_it_counts() -> None:
    assert STATIC[9].sample_rate == 16000
    assert STATIC[0].sample_rate == 8000
