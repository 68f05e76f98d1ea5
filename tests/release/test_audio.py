"""Audio from sealed packets: every sample at its place, whatever the network and the sender did."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from tests.release.synthetic import PARTIES, PCMU, Call, Recorder, entry, rtp

from memcon.errors import FormatError, MachineError
from memcon.release.audio import Audio, render
from memcon.release.decode import make_decoder, resample
from memcon.release.media import OpenCall
from memcon.wire.codec import codec_for
from memcon.wire.g711 import ALAW, ULAW

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NS = 1_000_000_000
MS = 1_000_000
RNG = np.random.default_rng(7)
SPEECH = RNG.integers(0, 256, 12 * 8000, dtype=np.uint8)
ONE = [entry(0, 0)]


def packet(n: int, *, seq: int = 100, stamp: int = 5000, **kw: Any) -> bytes:
    """The n-th 20 ms of SPEECH."""
    return rtp(seq + n, stamp + 160 * n, SPEECH[160 * n : 160 * n + 160].tobytes(), **kw)


def opened(tmp_path: Path, call: Call) -> OpenCall:
    work = Recorder(tmp_path).seal(call)
    return OpenCall.from_files(call.number, call.key, {p.name: p for p in work.iterdir()})


def heard(
    tmp_path: Path, media: list[tuple[int, bytes]], entries: list[dict[str, Any]] | None = None
) -> Audio:
    """One stream of a call of 12 s, rendered."""
    return render(opened(tmp_path, Call(media={0: media}, entries=entries or ONE)))


def spoken(count: int, at: int = 0, length: int = 96_000) -> NDArray[np.int16]:
    """The first `count` packets of SPEECH with their first sample at `at`."""
    out = np.zeros(length, np.int16)
    out[at : at + 160 * count] = ULAW[SPEECH[: 160 * count]]
    return out


def sent(count: int, at: int = 0) -> list[tuple[int, bytes]]:
    """The first `count` packets, on time from `at` ns on."""
    return [(at + n * 20 * MS, packet(n)) for n in range(count)]


def test_every_sample_of_g711_stands_at_its_place(tmp_path: Path) -> None:
    audio = heard(tmp_path, sent(500, 300 * MS))
    assert audio.rate == 8000
    assert audio.duration == 12 * NS
    np.testing.assert_array_equal(audio.channels[0].samples, spoken(500, 2400))
    assert audio.channels[0].heard.tolist() == [15 <= cell < 515 for cell in range(600)]
    assert audio.notes == ()


def test_jitter_moves_nothing(tmp_path: Path) -> None:
    late = [(s + int(d) * MS, p) for (s, p), d in zip(sent(500), RNG.integers(0, 19, 500), strict=True)]
    late[7] = sent(500)[7]
    np.testing.assert_array_equal(heard(tmp_path, late).channels[0].samples, spoken(500))


def test_loss_stays_a_gap_of_its_length(tmp_path: Path) -> None:
    audio = heard(tmp_path, [p for n, p in enumerate(sent(500)) if not 100 <= n < 150])
    expected = spoken(500)
    expected[16_000:24_000] = 0
    np.testing.assert_array_equal(audio.channels[0].samples, expected)
    assert not audio.channels[0].heard[100:150].any()
    assert audio.channels[0].heard[:100].all()


def test_reordering_and_duplicates_are_resolved(tmp_path: Path) -> None:
    media = [(s + 25 * MS * (n % 7 == 3), p) for n, (s, p) in enumerate(sent(500))]
    media += [(media[20][0] + MS, packet(20)), (media[30][0] + MS, packet(30))]
    media.sort(key=lambda item: item[0])
    audio = heard(tmp_path, media)
    np.testing.assert_array_equal(audio.channels[0].samples, spoken(500))
    assert "stream 0: 2 duplicates left out" in audio.notes
    assert any("put back in order" in note for note in audio.notes)


def test_sequence_and_timestamp_wrap_around(tmp_path: Path) -> None:
    media = [(n * 20 * MS, packet(n, seq=65_400, stamp=0xFFFFFFFF - 8000)) for n in range(500)]
    np.testing.assert_array_equal(heard(tmp_path, media).channels[0].samples, spoken(500))


def test_a_new_ssrc_is_placed_by_its_own_arrival(tmp_path: Path) -> None:
    media = sent(250)
    media += [(n * 20 * MS, packet(n, seq=9, stamp=77, ssrc=0x99)) for n in range(250, 500)]
    np.testing.assert_array_equal(heard(tmp_path, media).channels[0].samples, spoken(500))


def test_a_sender_that_restarts_its_numbers_is_placed_anew(tmp_path: Path) -> None:
    media = [(n * 20 * MS, packet(n, seq=5000)) for n in range(250)]
    media += [(n * 20 * MS, packet(n, seq=10 - 250, stamp=3)) for n in range(250, 500)]
    np.testing.assert_array_equal(heard(tmp_path, media).channels[0].samples, spoken(500))


@pytest.mark.parametrize("counting", [True, False])
def test_a_hold_keeps_its_length_whether_the_sender_counts_on_or_not(tmp_path: Path, counting: bool) -> None:
    media = sent(200)
    skip = 160 * 200 if counting else 0
    media += [((n + 200) * 20 * MS, packet(n, stamp=5000 + skip)) for n in range(200, 400)]
    expected = spoken(200)
    expected[64_000:96_000] = ULAW[SPEECH[32_000:64_000]]
    audio = heard(tmp_path, media)
    np.testing.assert_array_equal(audio.channels[0].samples, expected)
    assert audio.channels[0].heard.tolist() == [not 200 <= cell < 400 for cell in range(600)]


def test_a_stall_of_the_network_does_not_move_what_follows(tmp_path: Path) -> None:
    media = [(max(s, 6 * NS) if 200 <= n < 300 else s, p) for n, (s, p) in enumerate(sent(500))]
    np.testing.assert_array_equal(heard(tmp_path, media).channels[0].samples, spoken(500))


def test_a_packet_whose_time_fits_nowhere_is_left_out_and_told(tmp_path: Path) -> None:
    media = sent(500)
    media[50] = (media[50][0], packet(50, stamp=5000 + 80_000))
    expected = spoken(500)
    expected[8000:8160] = 0
    audio = heard(tmp_path, media)
    np.testing.assert_array_equal(audio.channels[0].samples, expected)
    assert audio.notes == ("stream 0: 1 packets whose time fits nowhere left out",)


def test_timestamps_that_leap_ahead_for_good_are_placed_by_arrival(tmp_path: Path) -> None:
    media = [(n * 20 * MS, packet(n, stamp=5000 + (80_000 if n >= 250 else 0))) for n in range(500)]
    np.testing.assert_array_equal(heard(tmp_path, media).channels[0].samples, spoken(500))


def test_what_lies_outside_the_call_is_cut(tmp_path: Path) -> None:
    media = [(n * 20 * MS + 10 * NS, packet(n)) for n in range(95)]
    media.append((11_999 * MS, packet(200, stamp=5000 - 40 * 160)))  # the last one reaches past the end
    audio = heard(tmp_path, media)
    assert len(audio.channels[0].samples) == 96_000
    np.testing.assert_array_equal(
        audio.channels[0].samples[80_000 : 80_000 + 95 * 160], ULAW[SPEECH[: 95 * 160]]
    )


def test_codec_change_within_a_stream_at_one_rate(tmp_path: Path) -> None:
    entries = [entry(0, 0, codecs=[*PCMU, {"pt": 8, "name": "PCMA", "rate": 8000, "channels": 1}])]
    media = [(n * 20 * MS, packet(n, pt=8 if n >= 100 else 0)) for n in range(200)]
    expected = spoken(200)
    expected[16_000:32_000] = ALAW[SPEECH[16_000:32_000]]
    np.testing.assert_array_equal(heard(tmp_path, media, entries).channels[0].samples, expected)


def test_comfort_noise_events_and_unknown_formats_are_no_audio(tmp_path: Path) -> None:
    entries = [
        entry(0, 0, codecs=[*PCMU, {"pt": 101, "name": "telephone-event", "rate": 8000, "channels": 1}])
    ]
    media = sent(300)
    media[40] = (media[40][0], rtp(140, 5000 + 6400, b"\x40", pt=13))
    media[41] = (media[41][0], rtp(141, 5000 + 6400, b"\x01\x80\x00\xa0", pt=101))
    media[42] = (media[42][0], rtp(142, 5000 + 6720, b"????", pt=99))
    media[43] = (media[43][0], b"no RTP")
    media[44] = (media[44][0], b"\x80\xc8\x00\x06" + bytes(24))  # RTCP on the same port (RFC 5761)
    audio = heard(tmp_path, media, entries)
    expected = spoken(300)
    expected[6400:7200] = 0
    np.testing.assert_array_equal(audio.channels[0].samples, expected)
    assert audio.notes == (
        "stream 0: 1 packets that are no RTP",
        "stream 0: 1 packets of payload type 99 not decoded",
    )


def test_linear_audio_of_two_channels_is_averaged(tmp_path: Path) -> None:
    entries = [entry(0, 0, codecs=[{"pt": 96, "name": "L16", "rate": 16000, "channels": 2}])]
    wave = RNG.integers(-30_000, 30_000, (4800, 2))
    media = [
        (n * 20 * MS, rtp(n, 320 * n, wave[320 * n : 320 * n + 320].astype(">i2").tobytes(), pt=96))
        for n in range(15)
    ]
    audio = heard(tmp_path, media, entries)
    assert audio.rate == 16_000
    np.testing.assert_array_equal(
        audio.channels[0].samples[:4800], np.rint(wave.mean(axis=1)).astype(np.int16)
    )


def _encode(name: str, wave: NDArray[np.int16], rate: int) -> list[bytes]:
    codec = av.CodecContext.create(name, "w")
    assert isinstance(codec, av.AudioCodecContext)
    codec.sample_rate, codec.layout, codec.format = rate, "mono", "s16"
    frame = av.AudioFrame.from_ndarray(wave[None, :], format="s16", layout="mono")
    frame.sample_rate = rate
    return [bytes(p) for p in (*codec.encode(frame), *codec.encode(None))]


def _tone(rate: int, seconds: int = 2) -> NDArray[np.int16]:
    return (np.sin(np.arange(rate * seconds) * 2 * np.pi * 440 / rate) * 9000).astype(np.int16)


def _likeness(a: NDArray[np.int16], b: NDArray[np.int16]) -> float:
    return float(np.corrcoef(a.astype(float), b.astype(float))[0, 1])


def test_g722_and_g711_in_one_call_come_out_at_16_khz(tmp_path: Path) -> None:
    coded = b"".join(_encode("g722", _tone(16_000), 16_000))
    wide = [(n * 20 * MS, rtp(n, 160 * n, coded[160 * n : 160 * n + 160], pt=9)) for n in range(100)]
    narrow = np.searchsorted(np.sort(ULAW), _tone(8000))  # nearest code above: close enough for a tone
    codes = np.argsort(ULAW, kind="stable")[np.minimum(narrow, 255)].astype(np.uint8)
    small = [(n * 20 * MS, rtp(n, 160 * n, codes[160 * n : 160 * n + 160].tobytes())) for n in range(100)]
    call = Call(media={0: wide, 2: small})
    audio = render(opened(tmp_path, call))
    assert audio.rate == 16_000
    assert [c.name for c in audio.channels] == ["Solheim", "Keller"]
    assert {len(c.samples) for c in audio.channels} == {12 * 16_000}
    # G.722 delays by its filters (22 samples); a tone resampled stays itself.
    first, second = audio.channels[0].samples, audio.channels[1].samples
    assert _likeness(first[1022:31_022], _tone(16_000)[1000:31_000]) > 0.99
    assert _likeness(second[1000:31_000], _tone(16_000)[1000:31_000]) > 0.99


def test_opus_is_decoded_through_the_library(tmp_path: Path) -> None:
    coded = _encode("libopus", _tone(48_000), 48_000)
    entries = [entry(0, 0, codecs=[{"pt": 111, "name": "opus", "rate": 48000, "channels": 2}])]
    media = [(n * 20 * MS, rtp(n, 960 * n, data, pt=111)) for n, data in enumerate(coded)]
    audio = heard(tmp_path, media, entries)
    assert audio.rate == 48_000
    part = audio.channels[0].samples[48_000 : 48_000 + 9600]
    assert max(_likeness(part, _tone(48_000)[d : d + 9600]) for d in range(0, 480)) > 0.99


def test_payloads_that_a_codec_refuses_are_counted(tmp_path: Path) -> None:
    entries = [entry(0, 0, codecs=[{"pt": 111, "name": "opus", "rate": 48000, "channels": 2}])]
    media = [(0, rtp(0, 0, b"\xff\xff\xff\xff\xff", pt=111)), (20 * MS, rtp(1, 960, b"x", pt=4))]
    audio = heard(tmp_path, media, entries)
    assert "stream 0: 1 packets of OPUS not decoded" in audio.notes
    assert "stream 0: 1 packets of G723 not decoded" in audio.notes


def test_two_streams_of_one_participant_are_mixed_and_saturate(tmp_path: Path) -> None:
    loud = bytes([0x80]) * 160  # the greatest sample of mu-law, 32124
    entries = [entry(0, 0), entry(1, 2, participant="p1", label="1")]
    media = {0: [(0, rtp(0, 0, loud)), (NS, rtp(50, 8000, loud))], 2: [(0, rtp(0, 0, loud))]}
    audio = render(opened(tmp_path, Call(media=media, entries=entries)))
    assert [(c.name, c.streams) for c in audio.channels] == [("Solheim", (0, 2))]
    assert audio.channels[0].samples[0] == 32767
    assert audio.channels[0].samples[8000] == 32124


def test_streams_without_a_party_have_channels_of_their_own(tmp_path: Path) -> None:
    entries = [entry(0, 0, participant=None), entry(1, 2, participant=None, label="x")]
    media = {s: [(0, rtp(0, 0, b"\x80" * 160))] for s in (0, 2, 4)}
    call = Call(media=media, entries=entries, parties=[{**PARTIES[0], "name": ""}])
    audio = render(opened(tmp_path, call))
    assert [c.name for c in audio.channels] == ["sip:+4712345678@a.example", "stream x", "stream 4"]
    assert [c.participant for c in audio.channels] == ["p1", None, None]


def test_a_call_without_a_packet_is_silence_of_its_length(tmp_path: Path) -> None:
    audio = render(opened(tmp_path, Call(duration=1_234_567_890)))
    assert (audio.rate, len(audio.channels)) == (8000, 2)
    assert all(len(c.samples) == 9877 and not c.samples.any() for c in audio.channels)


def test_narrow_codecs_of_the_library_decode_whole_frames() -> None:
    for name, frame, samples in (("G729", 10, 80), ("GSM", 33, 160)):
        decoder = make_decoder(codec_for(99, f"{name}/8000"))
        assert decoder is not None
        assert len(decoder.decode(bytes([0xD0]) + bytes(frame - 1) + bytes(frame))) == 2 * samples
        assert len(decoder.decode(b"")) == 0
    assert make_decoder(codec_for(4)) is None


def test_a_talk_spurt_of_g729_may_end_in_a_description_of_silence() -> None:
    """Annex B: two bytes behind the last frame, or alone; they cost the speech before them nothing."""
    decoder = make_decoder(codec_for(18))
    assert decoder is not None
    speech = bytes([0xD0]) + bytes(9)
    assert len(decoder.decode(speech + b"\x12\x34")) == 80
    assert len(decoder.decode(b"\x12\x34")) == 0
    with pytest.raises(ValueError, match="g729"):
        decoder.decode(speech + b"\x12\x34\x56")


def test_g729_carries_sound(tmp_path: Path) -> None:
    """No encoder is at hand; but frames of speech parameters must make sound, frame by frame, and stay in
    their place."""
    frames = [bytes((37 * n + 11 * i) & 255 for i in range(10)) for n in range(100)]
    entries = [entry(0, 0, codecs=[{"pt": 18, "name": "G729", "rate": 8000, "channels": 1}])]
    media = [(n * 20 * MS, rtp(n, 160 * n, frames[2 * n] + frames[2 * n + 1], pt=18)) for n in range(50)]
    audio = heard(tmp_path, media, entries)
    samples = audio.channels[0].samples
    assert audio.notes == ()
    assert samples[: 50 * 160].any()
    assert not samples[51 * 160 :].any()


def test_resampling_keeps_the_first_sample_first() -> None:
    impulse = np.zeros(8000, np.int16)
    impulse[4000] = 20_000
    out = resample(impulse, 8000, 16_000)
    assert (len(out), int(np.argmax(out))) == (16_000, 8000)
    assert resample(impulse, 8000, 8000) is impulse


def test_a_wrong_key_and_altered_bytes_are_refused_with_their_second(tmp_path: Path) -> None:
    call = Call(media={0: sent(500)}, entries=ONE)
    work = Recorder(tmp_path).seal(call)
    files = {p.name: p for p in work.iterdir()}
    with pytest.raises(FormatError, match="the key is another call's"):
        OpenCall.from_files(1, b"W" * 32, files)
    data = bytearray(files["media.mcs"].read_bytes())
    length = struct.unpack_from(">I", data, 20)[0]
    data[16 + 40 + length + 40 + 100] ^= 1  # in the ciphertext of second 1
    files["media.mcs"].write_bytes(data)
    with pytest.raises(FormatError, match="second 1"):
        render(OpenCall.from_files(1, call.key, files))
    with pytest.raises(FormatError, match="missing"):
        OpenCall.from_files(1, call.key, {"leaves.mcl": files["leaves.mcl"]}).record()


def test_a_call_that_has_not_ended_has_no_length(tmp_path: Path) -> None:
    call = Call(media={0: sent(500)}, entries=ONE)
    work = Recorder(tmp_path).seal(call)
    opened_call = OpenCall.from_files(1, call.key, {p.name: p for p in work.iterdir()})
    first = next(iter(opened_call.leaves()))
    (work / "leaves.mcl").write_bytes((work / "leaves.mcl").read_bytes()[:16] + first.encode())
    with pytest.raises(FormatError, match="last leaf is missing"):
        render(opened_call)


def test_blocks_events_and_records_that_are_not_those_committed_to_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = opened(tmp_path, Call(media={0: sent(100)}, entries=ONE))
    with monkeypatch.context() as patch:
        patch.setattr("memcon.release.media.plaintext_root", lambda *_: bytes(32))
        with pytest.raises(FormatError, match="second 0: the blocks are not those"):
            list(call.segments())
    with monkeypatch.context() as patch:
        patch.setattr("memcon.release.media.event_commitment", lambda *_: bytes(32))
        with pytest.raises(FormatError, match="event 0: the event is not"):
            list(call.events())
    with monkeypatch.context() as patch:
        patch.setattr("memcon.release.media.record_commitment", lambda *_: bytes(32))
        with pytest.raises(FormatError, match="record is not"):
            call.record()


def test_a_file_that_went_away_is_an_error_of_the_machine(tmp_path: Path) -> None:
    work = Recorder(tmp_path).seal(Call(entries=ONE))
    call = OpenCall.from_files(1, b"K" * 32, {p.name: p for p in work.iterdir()})
    (work / "media.mcs").unlink()
    with pytest.raises(MachineError, match="No such file"):
        list(call.segments())
