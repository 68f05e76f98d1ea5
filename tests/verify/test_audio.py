"""Audio from verified blocks: what a stranger hears is what was sealed."""

from __future__ import annotations

import struct
import wave
from typing import TYPE_CHECKING, Any

import pytest
from tests.verify import builder as b

from memcon.record import canonical
from memcon.verify import Report, audio, trust, verify_bundle
from memcon.verify.audio import parse_rtp, samples_of
from memcon.verify.container import read
from memcon.verify.media import scan

if TYPE_CHECKING:
    from pathlib import Path

NS = b.NS


def recorded(
    packets: list[b.Packet], *, codecs: Any = None, seconds: int = 3, streams: Any = ((0, 1),)
) -> b.Bundle:
    """A bundle of a call with these packets."""
    world = b.begun()
    call = b.Call(world, duration=seconds * NS, packets=packets, streams=list(streams))
    if codecs is not None:
        call.table[0] = canonical.dumps({"entry": 0, "stream": 0, "codecs": codecs})
    while not call.done:
        world.beat([call])
    return b.bundle(world, call)


def hear(
    made: b.Bundle, folder: Path, name: str = "stream-0.wav"
) -> tuple[tuple[int, int, int], list[int], Report]:
    """(channels, bytes a sample, rate), samples, report."""
    report = verify_bundle(made.pack(), trust(made.world.vkeys()), audio_to=folder)
    with wave.open(str(folder / name)) as sound:
        form = sound.getnchannels(), sound.getsampwidth(), sound.getframerate()
        data = sound.readframes(sound.getnframes())
    return form, list(struct.unpack(f"<{len(data) // 2}h", data)), report


def g711(n: int, *, since_ms: int | None = None, code: int = 0x80, **other: Any) -> b.Packet:
    """The n-th packet of 20 ms of mu-law, all of one code."""
    since = (20 * n if since_ms is None else since_ms) * 1_000_000
    return b.Packet(since, 0, 1, b.rtp(n, 5000 + 160 * n, bytes([code]) * 160, **other))


def test_g711_is_what_the_recommendation_says() -> None:
    """ITU-T G.711 tables 1a and 2a: the ends and the middle of both laws."""
    ulaw = struct.unpack("<6h", samples_of("PCMU", bytes([0x00, 0x80, 0x7F, 0xFF, 0x8F, 0xE3])))
    assert ulaw == (-32124, 32124, 0, 0, 16764, 324)
    alaw = struct.unpack("<4h", samples_of("PCMA", bytes([0xD5, 0x55, 0xAA, 0x2A])))
    assert alaw == (8, -8, 32256, -32256)
    assert struct.unpack("<2h", samples_of("L16", b"\x12\x34\xff\xfe\x00")) == (0x1234, -2)


def test_every_code_agrees_with_ffmpeg() -> None:
    av = pytest.importorskip("av")
    for name, codec in (("pcm_mulaw", "PCMU"), ("pcm_alaw", "PCMA")):
        decoder = av.CodecContext.create(name, "r")
        decoder.sample_rate, decoder.layout, decoder.format = 8000, "mono", "s16"
        frames = decoder.decode(av.Packet(bytes(range(256))))
        assert bytes(frames[0].planes[0])[:512] == samples_of(codec, bytes(range(256)))


def test_samples_gaps_doubles_and_order(tmp_path: Path) -> None:
    packets = [g711(n, code=n) for n in range(10)]
    packets[4], packets[5] = g711(5, since_ms=80, code=5), g711(4, since_ms=100, code=4)  # overtaken
    packets.insert(7, g711(6, since_ms=121, code=99))  # doubled, other bytes: the first stays
    del packets[3]  # lost
    form, samples, report = hear(recorded(packets), tmp_path)
    assert form == (1, 2, 8000)
    expected = [list(struct.unpack("<h", samples_of("PCMU", bytes([n])))) * 160 for n in range(10)]
    expected[3] = [0] * 160
    assert samples == [sample for part in expected for sample in part]
    assert any("stream-0.wav was made of 9 packets (PCMU, 8000 Hz)" in line for line in report.checked)
    assert any("1 doubled left out" in line for line in report.checked)


def test_the_first_packet_stands_at_its_arrival_and_silence_is_kept(tmp_path: Path) -> None:
    packets = [g711(0, since_ms=500), g711(50, since_ms=1500)]
    _, samples, _ = hear(recorded(packets), tmp_path)
    assert len(samples) == 8000 // 2 + 51 * 160
    assert not any(samples[: 8000 // 2])
    assert all(s == 32124 for s in samples[4000:4160])
    assert not any(samples[4160:12000])


def test_a_new_source_and_a_jump_of_timestamps_are_placed_by_arrival(tmp_path: Path) -> None:
    packets = [g711(0), g711(1, since_ms=1000, ssrc=99)]
    packets.append(b.Packet(2 * NS, 0, 1, b.rtp(2, 0x90000000, b"\x80" * 160)))
    _, samples, report = hear(recorded(packets), tmp_path)
    loud = [n for n, s in enumerate(samples) if s]
    assert loud == [*range(160), *range(8000, 8160), *range(16000, 16160)]
    assert any("1 placed anew after a jump" in line for line in report.checked)


def test_overlapping_packets_are_cut(tmp_path: Path) -> None:
    packets = [g711(0), b.Packet(20_000_000, 0, 1, b.rtp(1, 5000 + 80, b"\x00" * 160))]
    _, samples, _ = hear(recorded(packets), tmp_path)
    assert samples == [32124] * 160 + [-32124] * 80


def test_headers_of_all_kinds_are_read(tmp_path: Path) -> None:
    payload = b"\x80" * 4
    listed = b.rtp(0, 0, bytes(8) + payload, head=0x82)
    extended = b.rtp(1, 4, b"\xbe\xde\x00\x01" + bytes(4) + payload, head=0x90)
    padded = b.rtp(2, 8, payload + b"\x00\x00\x03", head=0xA0)
    broken = b.rtp(3, 12, b"\xff", head=0xA0)
    for data in (listed, extended, padded):
        packet = parse_rtp(0, memoryview(data))
        assert packet is not None
        assert packet.payload == payload
    packet = parse_rtp(0, memoryview(broken))
    assert packet is not None
    assert packet.payload == b""
    for data in (b"\x80" * 11, b"\x00" * 20, b"\x80\xc8" + bytes(20)):
        assert parse_rtp(0, memoryview(data)) is None
    _, samples, _ = hear(
        recorded([b.Packet(n, 0, 1, d) for n, d in enumerate((listed, extended, padded))]), tmp_path
    )
    assert samples == [32124] * 12


def test_other_codecs_are_left_out_and_said(tmp_path: Path) -> None:
    packets = [g711(0), g711(1, pt=101), g711(2, pt=8), b.Packet(60_000_000, 0, 1, b"no RTP at all")]
    made = recorded(
        packets, codecs=[{"pt": 0, "name": "pcmu", "rate": 8000}, {"pt": 101, "name": "telephone-event"}]
    )
    _, samples, report = hear(made, tmp_path)
    assert len(samples) == 160
    assert "Stream 0: 3 packets of another codec, or no RTP, left out" in report.not_checked


def test_l16_of_two_channels(tmp_path: Path) -> None:
    data = struct.pack(">6h", 1, -1, 2, -2, 3, -3)
    made = recorded(
        [b.Packet(0, 0, 1, b.rtp(0, 0, data, pt=96)), b.Packet(NS, 0, 1, b.rtp(1, 3, data + b"\0", pt=96))],
        codecs=[{"pt": 96, "name": "L16", "rate": 48000, "channels": 2}],
    )
    form, samples, _ = hear(made, tmp_path)
    assert form == (2, 2, 48000)
    assert samples[:6] == [1, -1, 2, -2, 3, -3]


@pytest.mark.parametrize(
    "codecs",
    ["none", [5], [{"pt": "x", "name": "PCMU"}], [{"pt": 96, "name": "L16", "rate": 0}], [{"pt": 9}]],
)
def test_a_stream_table_of_any_shape(tmp_path: Path, codecs: Any) -> None:
    made = recorded([b.Packet(0, 0, 1, b.rtp(0, 0, b"\0" * 8, pt=96))], codecs=codecs)
    report = verify_bundle(made.pack(), trust(made.world.vkeys()), audio_to=tmp_path)
    assert "No stream in PCMU, PCMA or L16 is shown: no audio was written" in report.not_checked
    assert not list(tmp_path.iterdir())


def test_seconds_that_do_not_match_and_blocks_withheld_stay_silent(tmp_path: Path) -> None:
    packets = [g711(n) for n in range(150)]
    packets += [b.Packet(p.since, 1, 2, b"\x80\xc8" + bytes(26)) for p in packets[::50]]
    made = recorded(packets, streams=[(0, 1), (1, 2)])
    world, call = made.world, made.call
    made = b.bundle(world, call, withhold=[(0, 0)])
    data = bytearray(made.pack())
    contents = read(Report("", ""), data)
    assert contents is not None
    media = contents.entries["media.mcb"].content
    place = bytes(data).index(bytes(media)) + scan(media).offsets[3] - 100
    del contents, media
    data[place] ^= 0xFF
    report = verify_bundle(data, trust(world.vkeys()), audio_to=tmp_path)
    assert "byte-changed" in report.counts
    with wave.open(str(tmp_path / "stream-0.wav")) as sound:
        heard = sound.readframes(sound.getnframes())
    samples = struct.unpack(f"<{len(heard) // 2}h", heard)
    assert {n // 8000 for n, s in enumerate(samples) if s} == {1}


def test_blocks_sealed_wrongly_make_no_sound_and_no_crash(tmp_path: Path) -> None:
    class Forger(b.Call):
        def cut(self, second: int) -> list[tuple[int, int, int, bytes]]:
            blocks = super().cut(second)
            if second == 1:
                return blocks[::-1]
            return [(*blocks[0][:3], b"no block at all" * 4), *blocks[1:]]

    world = b.begun()
    call = Forger(world, duration=2 * NS, packets=[g711(n) for n in range(100)], streams=[(0, 1)])
    while not call.done:
        world.beat([call])
    report = verify_bundle(b.bundle(world, call).pack(), trust(world.vkeys()), audio_to=tmp_path)
    assert {"media-block", "media-order"} <= set(report.counts)
    with wave.open(str(tmp_path / "stream-0.wav")) as sound:
        assert sound.getnframes() == 8000


def test_a_table_of_impossible_rates_is_left_out(tmp_path: Path) -> None:
    for n, codec in enumerate(
        (
            {"pt": 96, "name": "L16", "rate": 1 << 40, "channels": 1},
            {"pt": 96, "name": "L16", "rate": 8000, "channels": 1 << 20},
            {"pt": 96, "name": "L16", "rate": -8000},
        )
    ):
        packets = [b.Packet(1_000_000, 0, 1, b.rtp(1, 1, bytes(160), pt=96))]
        made = recorded(packets, codecs=[codec])
        report = verify_bundle(made.pack(), trust(made.world.vkeys()), audio_to=tmp_path / str(n))
        assert not report.counts
        assert "No stream in PCMU, PCMA or L16 is shown: no audio was written" in report.not_checked


def test_a_packet_that_says_it_came_in_a_thousand_years_makes_no_silence(tmp_path: Path) -> None:
    """The operator seals such a block: its second matches its seal, and is read for audio."""

    class Forger(b.Call):
        def cut(self, second: int) -> list[tuple[int, int, int, bytes]]:
            stream, position, kind, data = super().cut(second)[0]
            return [(stream, position, kind, data[:32] + (1 << 63).to_bytes(8, "big") + data[40:])]

    world = b.begun()
    call = Forger(world, duration=NS, packets=[g711(0), g711(1)], streams=[(0, 1)])
    world.beat([call])
    _, samples, report = hear(b.bundle(world, call), tmp_path)
    assert len(samples) == 2 * 160
    assert "media-arrival" in report.counts
    assert any("1 packet of another codec, or no RTP, left out" in line for line in report.not_checked)


def test_a_wav_ends_where_the_format_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "MAX_WAV", 1000)
    _, samples, report = hear(recorded([g711(n) for n in range(10)]), tmp_path)
    assert len(samples) == 480
    assert "stream-0.wav ends early: a WAV holds no more" in report.not_checked
