"""Derived files: read back by others, made once, made again when missing, unfinished or out of date."""

from __future__ import annotations

import hashlib
import io
import json
import wave
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from tests.release.synthetic import Call, Recorder, entry, rtp

from memcon.errors import FormatError, LocalError, UsageError
from memcon.release import derive
from memcon.release.audio import Audio, Channel, render
from memcon.release.derive import Deriver
from memcon.release.files import flac, wav
from memcon.release.media import OpenCall
from memcon.release.waveform import peaks

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NS = 1_000_000_000
RNG = np.random.default_rng(3)


def opened(tmp_path: Path) -> OpenCall:
    voice = RNG.integers(0, 256, 6 * 8000, dtype=np.uint8)
    media = {
        0: [(n * 20_000_000, rtp(n, 160 * n, voice[160 * n : 160 * n + 160].tobytes())) for n in range(300)],
        2: [(n * 20_000_000, rtp(n, 160 * n, b"\xff" * 160)) for n in range(100)],
    }
    call = Call(media=media, duration=6 * NS, entries=[entry(0, 0), entry(1, 2)])
    work = Recorder(tmp_path / "home").seal(call)
    return OpenCall.from_files(1, call.key, {p.name: p for p in work.iterdir()})


def decoded(data: bytes, channels: int) -> NDArray[np.int16]:
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.audio[0]
        assert len(stream.layout.channels) == channels
        frames = [f.to_ndarray() for f in container.decode(stream)]
    planar = [f if f.shape[0] == channels else f.reshape(-1, channels).T for f in frames]
    return np.concatenate(planar, axis=1).astype(np.int16)


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_wav_and_flac_hold_the_samples_exactly(count: int) -> None:
    sound = [RNG.integers(-32768, 32767, 70_000).astype(np.int16) for _ in range(count)]
    with wave.open(io.BytesIO(wav(sound, 8000))) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (count, 8000, 70_000)
        frames = np.frombuffer(file.readframes(70_000), dtype="<i2").reshape(-1, count)
    np.testing.assert_array_equal(frames.T, np.stack(sound))
    np.testing.assert_array_equal(decoded(flac(sound, 16_000), count), np.stack(sound))
    np.testing.assert_array_equal(decoded(wav(sound, 8000), count), np.stack(sound))


def test_what_does_not_fit_a_format_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = np.zeros(10, np.int16)
    with pytest.raises(UsageError, match="no stream"):
        wav([], 8000)
    with pytest.raises(UsageError, match="8 channels, this call has 9"):
        flac([sound] * 9, 8000)
    monkeypatch.setattr("memcon.release.files.WAV_LIMIT", 10)
    with pytest.raises(UsageError, match="does not fit a WAV"):
        wav([sound], 8000)


def test_a_file_is_made_once_and_says_what_it_is(tmp_path: Path) -> None:
    call = opened(tmp_path)
    made = Deriver(tmp_path / "derived", call, "object v1").audio("wav")
    data = made.path.read_bytes()
    assert made.about["sha256"] == hashlib.sha256(data).hexdigest()
    assert made.about["from"]["object"] == "object v1"
    assert [c["name"] for c in made.about["channels"]] == ["Solheim", "Keller"]
    assert json.loads((made.path.parent / "audio.wav.json").read_text()) == made.about
    stamp = made.path.stat().st_mtime_ns
    again = Deriver(tmp_path / "derived", call, "object v1").audio("wav")
    assert (again, made.path.stat().st_mtime_ns) == (made, stamp)
    with wave.open(str(made.path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)
    np.testing.assert_array_equal(samples.T, np.stack([c.samples for c in render(call).channels]))


def test_a_file_is_made_again_when_it_is_not_what_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = opened(tmp_path)

    def make() -> bytes:
        return Deriver(tmp_path / "derived", call).audio("flac", 1).path.read_bytes()

    good = make()
    path = tmp_path / "derived" / "1" / "audio-1.flac"
    beside = path.with_name("audio-1.flac.json")
    for harm in (
        path.unlink,
        beside.unlink,
        lambda: beside.write_bytes(b"{"),
        lambda: beside.write_bytes(b"[]"),
    ):
        harm()
        path.write_bytes(b"unfinished") if path.exists() else None
        assert make() == good
    monkeypatch.setattr(derive, "RENDERER", 99)
    path.write_bytes(b"old")
    assert make() == good


def test_a_channel_that_is_not_there(tmp_path: Path) -> None:
    deriver = Deriver(tmp_path / "derived", opened(tmp_path))
    for channel in (2, -1):
        with pytest.raises(UsageError, match="has 2 channels"):
            deriver.audio("wav", channel)


def test_waveform_tells_silence_from_nothing(tmp_path: Path) -> None:
    deriver = Deriver(tmp_path / "derived", opened(tmp_path))
    told = deriver.waveform(1)
    assert [c["name"] for c in told["channels"]] == ["Solheim", "Keller"]
    assert told["channels"][1]["peaks"] == [0, 0, None, None, None, None]
    assert all(value > 20_000 for value in told["channels"][0]["peaks"])
    assert len(deriver.waveform(10)["channels"][0]["peaks"]) == 60
    path = tmp_path / "derived" / "1" / "waveform-1.json"
    path.write_bytes(b"[]")
    with pytest.raises(FormatError, match="no waveform"):
        deriver.waveform(1)


def test_peaks_are_the_greatest_magnitudes_of_their_cells() -> None:
    samples = RNG.integers(-32768, 32767, 10_000).astype(np.int16)
    samples[3] = -32768
    audio = Audio(8000, 1_250_000_000, (Channel("a", None, (0,), samples, np.ones(63, np.bool_)),), ())
    for rate in (1, 2, 5, 10, 25, 50):
        (got,) = peaks(audio, rate)
        size = 8000 // rate
        assert got == [
            int(np.abs(samples[at : at + size].astype(int)).max()) for at in range(0, 10_000, size)
        ]
    assert peaks(audio, 1)[0][0] == 32768
    for rate in (0, 3, 100):
        with pytest.raises(LocalError):
            peaks(audio, rate)


def test_pcap_is_derived_too(tmp_path: Path) -> None:
    made = Deriver(tmp_path / "derived", opened(tmp_path)).pcap()
    assert made.path.read_bytes()[:4] == b"\x4d\x3c\xb2\xa1"
    assert made.about["notes"] == []


def test_a_call_that_goes_on_has_nothing_derived(tmp_path: Path) -> None:
    call = opened(tmp_path)
    first = next(iter(call.leaves()))
    read = call.read
    head = read("leaves.mcl")[:16] + first.encode()
    shorter = head if len(list(call.leaves())) > 1 else head[:16]
    call.read = lambda name: shorter if name == "leaves.mcl" else read(name)
    with pytest.raises(FormatError, match="last leaf is missing"):
        Deriver(tmp_path / "derived", call)
