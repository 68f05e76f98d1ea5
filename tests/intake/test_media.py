"""Media files: what is found in good ones, and what is said of bad ones."""

from __future__ import annotations

import wave
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.intake.media import ENCODED, InProcess, encode, tone, write_wav

from memcon.errors import UsageError
from memcon.intake import sound
from memcon.intake.limits import Limits
from memcon.intake.refusals import RefusedError

if TYPE_CHECKING:
    from pathlib import Path


def probe(path: Path, *, damaged: bool = False, limits: Limits | None = None) -> dict[str, Any]:
    return InProcess(limits).ask({"task": "probe media", "path": str(path), "damaged": damaged}, 60)


def refusal(path: Path, **more: Any) -> str:
    with pytest.raises(RefusedError) as caught:
        probe(path, **more)
    return caught.value.code


def test_a_wav_with_two_voices(tmp_path: Path) -> None:
    found = probe(write_wav(tmp_path / "a.wav", 2.5, 8000, 2))
    facts = found["facts"]
    assert (facts["form"], facts["container"], facts["duration_ms"]) == ("media", "wav", 2500)
    assert [lane["source"] for lane in facts["lanes"]] == [
        {"stream": 0, "channel": 0},
        {"stream": 0, "channel": 1},
    ]
    assert {lane["rate"] for lane in facts["lanes"]} == {8000}
    peaks = [bytes.fromhex(one) for one in found["peaks"]]
    assert [len(one) for one in peaks] == [3, 3]
    assert peaks[0][0] == pytest.approx(4000 / 327.68, abs=1)
    assert peaks[1][0] == pytest.approx(8000 / 327.68, abs=1)
    assert facts["remarks"] == []


@pytest.mark.parametrize("name", ENCODED)
def test_every_kind_is_read_whole_and_its_cut_is_told(tmp_path: Path, name: str) -> None:
    path = encode(tmp_path / name, *ENCODED[name])
    facts = probe(path)["facts"]
    assert len(facts["lanes"]) == 2
    assert facts["duration_ms"] == pytest.approx(2000, abs=120)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])
    if name == "a.aac":  # it has no length of its own: that an ADTS stream was cut nobody can tell
        return
    assert refusal(path) in ("ingest-truncated", "ingest-corrupt")
    if name not in ("a.m4a", "a.mp4"):  # their table of contents is at the end, and gone
        rest = probe(path, damaged=True)["facts"]
        assert 500 < rest["duration_ms"] < 1900
        assert [one["code"] for one in rest["remarks"]] == ["ingest-damaged"]


@pytest.mark.parametrize("name", ["a.flac", "a.mp3", "a.opus"])
def test_flipped_bytes_are_found(tmp_path: Path, name: str) -> None:
    path = encode(tmp_path / name, *ENCODED[name])
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 2, len(data) * 3 // 4, 61):
        data[at] ^= 0x55
    path.write_bytes(bytes(data))
    assert refusal(path) in ("ingest-corrupt", "ingest-truncated")
    assert probe(path, damaged=True)["facts"]["remarks"][0]["code"] == "ingest-damaged"


def test_a_video_is_taken_for_its_sound(tmp_path: Path) -> None:
    found = probe(encode(tmp_path / "v.mkv", "libopus", "matroska", pictures=True, title="A call"))
    assert found["media_type"] == "video/x-matroska"
    assert found["facts"]["says"]["title"] == "A call"
    assert [one["code"] for one in found["facts"]["remarks"]] == ["ingest-left-out"]


def test_a_silent_film_has_no_call(tmp_path: Path) -> None:
    import av

    path = tmp_path / "s.mkv"
    with av.open(str(path), "w", format="matroska") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        for n in range(5):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            frame.pts = n
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    assert refusal(path) == "ingest-no-audio"


def test_what_a_file_says_of_its_day_is_kept_as_its_word(tmp_path: Path) -> None:
    found = probe(encode(tmp_path / "a.flac", "flac", "flac", date="2017-01-28T17:02:11Z"))
    assert found["start"] == "2017-01-28"
    assert probe(encode(tmp_path / "b.flac", "flac", "flac", date="some day"))["start"] == ""


def test_limits_are_said(tmp_path: Path) -> None:
    many = write_wav(tmp_path / "many.wav", 0.1, 192_000, 32)
    assert len(probe(many)["facts"]["lanes"]) == 32
    assert refusal(many, limits=Limits(channels=8)) == "ingest-limit"
    long = write_wav(tmp_path / "long.wav", 3601, 8, 1)
    assert refusal(long, limits=Limits(hours=1)) == "ingest-limit"


def test_headers_that_promise_more_than_there_is(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav")
    path.write_bytes(path.read_bytes()[:-200])
    assert refusal(path) == "ingest-truncated"
    path.write_bytes(path.read_bytes()[:40])
    assert refusal(path) == "ingest-truncated"
    path.write_bytes(b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0" + bytes(16) + b"data\0\0\0\0")
    assert refusal(path) in ("ingest-corrupt", "ingest-no-audio")


def test_protected_sound_is_told_from_damaged(tmp_path: Path) -> None:
    def box(name: bytes, content: bytes) -> bytes:
        return (8 + len(content)).to_bytes(4, "big") + name + content

    path = tmp_path / "a.m4a"
    path.write_bytes(
        box(b"ftyp", b"M4A ") + box(b"moov", box(b"enca", box(b"sinf", b""))) + box(b"mdat", b"x")
    )
    assert refusal(path) == "ingest-encrypted"


@pytest.mark.parametrize(("which", "channels"), [(None, 2), (0, 1), (1, 1)])
def test_sound_to_hear_is_what_was_taken_in(tmp_path: Path, which: int | None, channels: int) -> None:
    path = write_wav(tmp_path / "a.wav", 1.0, 8000, 2)
    lanes = probe(path)["facts"]["lanes"]
    to = tmp_path / "out.wav"
    InProcess().ask(
        {"task": "render media", "path": str(path), "container": "wav", "lanes": lanes, "which": which,
         "as": "wav", "to": str(to)}, 60,
    )  # fmt: skip
    with wave.open(str(to)) as file:
        assert (file.getnchannels(), file.getframerate()) == (channels, 8000)
        heard = np.frombuffer(file.readframes(8000), "<i2").reshape(-1, channels)
    due = tone(1.0, 8000, 2) if which is None else tone(1.0, 8000, 2)[:, [which]]
    assert np.array_equal(heard, due)


def test_many_channels_are_heard_as_their_mean_at_a_rate_that_plays(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", 0.5, 96_000, 4)
    lanes = probe(path)["facts"]["lanes"]
    to = tmp_path / "out.flac"
    InProcess().ask(
        {"task": "render media", "path": str(path), "container": "wav", "lanes": lanes, "which": None,
         "as": "flac", "to": str(to)}, 60,
    )  # fmt: skip
    facts = probe(to)["facts"]
    assert (len(facts["lanes"]), facts["lanes"][0]["rate"]) == (1, 48_000)
    assert facts["duration_ms"] == pytest.approx(500, abs=10)


def test_a_wav_that_would_be_too_long_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound, "_WAV_LIMIT", 1000)
    path = write_wav(tmp_path / "a.wav")
    lanes = probe(path)["facts"]["lanes"]
    question = {"task": "render media", "path": str(path), "container": "wav", "lanes": lanes, "which": None,
                "as": "wav", "to": str(tmp_path / "out.wav")}  # fmt: skip
    with pytest.raises(UsageError, match="FLAC"):
        InProcess().ask(question, 60)
