"""What a file is, by its first bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcon.intake import sniff as kinds
from memcon.intake.refusals import RefusedError
from memcon.intake.sniff import Kind, misnamed, sniff


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"RIFF\0\0\0\0WAVEfmt ", kinds.WAV),
        (b"RF64\xff\xff\xff\xffWAVEds64", kinds.WAV),
        (b"RIFF\0\0\0\0AVI LIST", kinds.AVI),
        (b"FORM\0\0\0\0AIFFCOMM", kinds.AIFF),
        (b"\0\0\0\x20ftypM4A ", kinds.MP4),
        (b"fLaC\0", kinds.FLAC),
        (b"OggS\0", kinds.OGG),
        (b"ID3\x04", kinds.MP3),
        (b"\xff\xfb\x90\x64", kinds.MP3),
        (b"\xff\xf1\x50\x80", kinds.AAC),
        (b"\x1aE\xdf\xa3", kinds.MATROSKA),
        (b"\xd4\xc3\xb2\xa1\x02\0", kinds.PCAP),
        (b"\x0a\x0d\x0d\x0a\x1c\0", kinds.PCAPNG),
        (b'\xef\xbb\xbf \n{ "vcon": "0.4.0"', kinds.VCON),
    ],
)
def test_each_kind_is_known_by_its_beginning(head: bytes, kind: Kind) -> None:
    assert sniff(head, 1000) is kind


@pytest.mark.parametrize(
    ("head", "code", "says"),
    [
        (b"PK\x03\x04\x14\0\x01\0\x08", "ingest-encrypted", "password"),
        (b"PK\x03\x04\x14\0\0\0\x08", "ingest-archive", "a zip"),
        (b"\x1f\x8b\x08", "ingest-archive", "gzip"),
        (bytes(257) + b"ustar\0", "ingest-archive", "tar"),
        (b"%PDF-1.7", "ingest-unknown", "a PDF"),
        (b"#EXTM3U\nfile:///etc/passwd", "ingest-unknown", "a play list"),
        (b"ffconcat version 1.0\nfile /etc/passwd", "ingest-unknown", "text"),
        (b"Dear Sir,\n", "ingest-unknown", "text"),
        (bytes(600), "ingest-unknown", "zeros"),
        (b"\x00\x99\x98\x97" * 40, "ingest-unknown", "binary"),
        (b"{broken", "ingest-unknown", "text"),
    ],
)
def test_what_is_no_media_says_what_it_looks_like(head: bytes, code: str, says: str) -> None:
    with pytest.raises(RefusedError, match=says) as caught:
        sniff(head, 1000)
    assert caught.value.code == code


def test_an_empty_file_is_said_to_be_empty() -> None:
    with pytest.raises(RefusedError) as caught:
        sniff(b"", 0)
    assert caught.value.code == "ingest-empty"


@given(st.binary(max_size=300))
def test_any_beginning_is_a_kind_or_refused(head: bytes) -> None:
    try:
        found = sniff(head, max(len(head), 1))
    except RefusedError:
        return
    assert found in kinds.KINDS


def test_a_wrong_ending_is_told_and_an_unknown_one_is_not() -> None:
    assert misnamed("call.mp3", kinds.WAV) == "named .mp3, it is WAV"
    assert misnamed("call.mkv", kinds.FLAC) == "named .mkv, it is FLAC"
    assert misnamed("call.mp3", kinds.MATROSKA) == "named .mp3, it is matroska"
    assert not any(
        misnamed(name, kinds.WAV) for name in ("call.wav", "CALL.WAV", "call", "call.2017", ".wav")
    )
