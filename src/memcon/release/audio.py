"""A call as sound: one channel per participant, every packet at its true place, gaps at true length.

Derived, never the record: the record is the packets. Nothing is concealed, smoothed or levelled; where
nothing arrived there is digital silence, and `heard` says which it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from memcon.record.segment import KIND_RTP
from memcon.release.decode import make_decoder, resample
from memcon.release.timeline import NS, PacketStore, lost_spans, place, read_headers
from memcon.wire.codec import Codec, codec_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from memcon.record.canonical import Json
    from memcon.release.decode import Decoder, Samples
    from memcon.release.media import OpenCall
    from memcon.release.timeline import Headers, Run

CELL_NS = 20_000_000
"""`Channel.heard` has one cell per 20 ms."""
DEFAULT_RATE = 8_000


@dataclass(frozen=True, slots=True)
class Channel:
    """One participant's sound. `samples` is int16 mono; `heard[i]` says that audio stands in cell i.

    `lost`: (from, to) in ns where packets of its streams never came, by their numbers.
    """

    name: str
    participant: str | None
    streams: tuple[int, ...]
    samples: Samples
    heard: NDArray[np.bool_]
    lost: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Audio:
    """All channels of a call, equally long: `duration` ns at `rate` Hz. `notes` say what is not in them."""

    rate: int
    duration: int
    channels: tuple[Channel, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who a channel is for, and the streams mixed into it."""

    name: str
    participant: str | None
    streams: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Layer:
    """Samples of one run at their own rate, from sample `start` of the call on; `spans` hold audio."""

    start: int
    rate: int
    samples: Samples
    spans: tuple[tuple[int, int], ...]


def speakers(record: Mapping[str, Json]) -> tuple[Speaker, ...]:
    """The channels of a call, parties in order of appearance, then streams that belong to nobody named.

    A stream that changed hands belongs to the last who had it.
    """
    entries = [e for e in record["streams"] if e.get("kind", KIND_RTP) == KIND_RTP and e["stream"] % 2 == 0]
    parties = list(record.get("parties") or [])
    by_label = {label: ids[0] for label, ids in _by_label(parties).items() if len(ids) == 1}
    owner: dict[int, str | None] = {}
    for entry in entries:
        owner[entry["stream"]] = entry.get("participant") or by_label.get(entry.get("label"))
    out = []
    for party in parties:
        streams = tuple(sorted(s for s, who in owner.items() if who == party["id"]))
        if streams:
            out.append(Speaker(party.get("name") or party.get("aor") or party["id"], party["id"], streams))
    named = {s for speaker in out for s in speaker.streams}
    for stream in sorted(set(owner) - named):
        label = next((e.get("label") for e in entries if e["stream"] == stream and e.get("label")), None)
        mixed = [
            p.get("name") or p.get("aor") or p["id"] for p in parties if label and p.get("label") == label
        ]
        out.append(Speaker(" + ".join(mixed) or f"stream {label or stream}", None, (stream,)))
    return tuple(out)


def _by_label(parties: Iterable[Mapping[str, Json]]) -> dict[str, list[str]]:
    """The parties that send each label: several where the sender mixes them, and then it is nobody's own."""
    found: dict[str, list[str]] = {}
    for party in parties:
        if party.get("label"):
            found.setdefault(party["label"], []).append(party["id"])
    return found


def codecs_of(record: Mapping[str, Json], stream: int) -> dict[int, Codec]:
    """Payload type to codec, over all entries of a stream; a later entry overrules an earlier one."""
    out: dict[int, Codec] = {}
    for entry in record["streams"]:
        if entry["stream"] == stream:
            for c in entry.get("codecs") or []:
                out[c["pt"]] = codec_for(c["pt"], f"{c['name']}/{c['rate']}/{c.get('channels') or 1}")
    return out


def collect(call: OpenCall, streams: Iterable[int] | None = None) -> dict[int, PacketStore]:
    """The RTP packets of a call by stream, in order of arrival."""
    wanted = None if streams is None else set(streams)
    stores: dict[int, PacketStore] = {}
    for block in call.blocks():
        if block.kind == KIND_RTP and (wanted is None or block.stream in wanted):
            store = stores.setdefault(block.stream, PacketStore())
            for since, packet in zip(block.arrivals, block.packets, strict=True):
                store.add(since, packet)
    return stores


def render(call: OpenCall) -> Audio:
    """Decode a whole call. Raises FormatError, naming the second, where its files do not hold."""
    record = call.record()
    duration = call.last().duration
    return render_stores(speakers(record), collect(call), lambda n: codecs_of(record, n), duration)


def render_stores(
    who: Sequence[Speaker],
    stores: Mapping[int, PacketStore],
    codecs: Callable[[int], Mapping[int, Codec]],
    duration: int,
) -> Audio:
    """Decode streams of packets, each by its payload types; streams that `who` does not name come last."""
    who = tuple(who)
    known = {stream for speaker in who for stream in speaker.streams}
    who += tuple(Speaker(f"stream {s}", None, (s,)) for s in sorted(set(stores) - known))
    notes: list[str] = []
    channels, rate = mixed(who, {s: (store, codecs(s)) for s, store in stores.items()}, duration, notes)
    return Audio(rate, duration, channels, tuple(notes))


def mixed(
    who: Iterable[Speaker],
    streams: Mapping[int, tuple[PacketStore, Mapping[int, Codec]]],
    duration: int,
    notes: list[str],
) -> tuple[tuple[Channel, ...], int]:
    """The channels of these speakers from the packets and codecs of their streams, and their rate in Hz."""
    decoded = {s: _stream_layers(s, *streams[s], duration, notes) for s in sorted(streams)}
    rate = max((layer.rate for layers, _ in decoded.values() for layer in layers), default=DEFAULT_RATE)
    channels = []
    for speaker in who:
        mine = [decoded[s] for s in speaker.streams if s in decoded]
        lost = sorted(span for _, spans in mine for span in spans)
        channels.append(_channel(speaker, [la for layers, _ in mine for la in layers], rate, duration, lost))
    return tuple(channels), rate


def _stream_layers(
    stream: int, store: PacketStore, codecs: Mapping[int, Codec], duration: int, notes: list[str]
) -> tuple[list[_Layer], list[tuple[int, int]]]:
    headers, strangers = read_headers(store)
    formats = {int(pt): codecs.get(int(pt)) or codec_for(int(pt)) for pt in np.unique(headers.payload_type)}
    sounding = {pt: c.clock_rate for pt, c in formats.items() if c.kind in ("audio", "noise")}
    placed = place(headers, sounding.get)
    missed: dict[str, int] = {}
    for pt, codec in formats.items():
        if codec.kind not in ("audio", "noise", "events"):
            missed[codec.name or f"payload type {pt}"] = int((headers.payload_type == pt).sum())
    data = memoryview(store.data)
    layers = [
        layer for run in placed.runs for layer in _run_layers(run, headers, data, formats, duration, missed)
    ]
    counts = {
        "packets that are no RTP": strangers,
        "duplicates left out": placed.duplicates,
        "packets put back in order": placed.reordered,
        "packets whose time fits nowhere left out": placed.stray,
        **{f"packets of {name} not decoded": count for name, count in missed.items()},
    }
    notes += [f"stream {stream}: {count} {what}" for what, count in counts.items() if count]
    lost = [span for run in placed.runs for span in lost_spans(run, headers) if span[0] < duration]
    return layers, [(max(0, a), min(b, duration)) for a, b in lost if b > 0]


def _run_layers(
    run: Run,
    headers: Headers,
    data: memoryview,
    formats: Mapping[int, Codec],
    duration: int,
    missed: dict[str, int],
) -> list[_Layer]:
    """Decode one run: a layer per sample rate in it. What cannot be decoded is counted in `missed`."""
    decoders: dict[int, Decoder | None] = {}
    pieces: dict[int, list[tuple[int, Samples]]] = {}
    for ticks, index in zip(run.ticks.tolist(), run.packets.tolist(), strict=True):
        pt = int(headers.payload_type[index])
        if formats[pt].kind == "noise":
            continue
        if pt not in decoders:
            decoders[pt] = make_decoder(formats[pt])
        decoder = decoders[pt]
        try:
            if decoder is None:
                raise ValueError("no decoder")
            samples = decoder.decode(bytes(data[headers.start[index] : headers.end[index]]))
        except ValueError:
            missed[formats[pt].name] = missed.get(formats[pt].name, 0) + 1
            continue
        at = _sample(run.anchor, decoder.rate) + ticks * decoder.rate // run.clock_rate
        pieces.setdefault(decoder.rate, []).append((at, samples))
    layers = (_layer(rate, some, _sample(duration, rate)) for rate, some in pieces.items())
    return [layer for layer in layers if layer is not None]


def _sample(ns: int, rate: int) -> int:
    """The sample nearest to a time since the call's start."""
    return (ns * rate + NS // 2) // NS


def _layer(rate: int, pieces: Sequence[tuple[int, Samples]], length: int) -> _Layer | None:
    """Pieces in playing order joined; what lies outside the call's `length` samples is cut."""
    cut = []
    for at, samples in pieces:
        low, high = max(0, -at), min(len(samples), length - at)
        if low < high:
            cut.append((at + low, samples[low:high]))
    if not cut:
        return None
    start = min(at for at, _ in cut)
    joined = np.zeros(max(at + len(samples) for at, samples in cut) - start, dtype=np.int16)
    for at, samples in cut:
        joined[at - start : at - start + len(samples)] = samples
    return _Layer(start, rate, joined, tuple((at, at + len(samples)) for at, samples in cut))


def _channel(
    speaker: Speaker,
    layers: Iterable[_Layer],
    rate: int,
    duration: int,
    lost: Iterable[tuple[int, int]],
) -> Channel:
    """Layers mixed by saturating addition."""
    length = _sample(duration, rate)
    mixed = np.zeros(length, dtype=np.int16)
    heard = np.zeros(-(-duration // CELL_NS), dtype=np.bool_)
    for layer in layers:
        start = layer.start * rate // layer.rate
        samples = resample(layer.samples, layer.rate, rate)[: length - start]
        target = mixed[start : start + len(samples)]
        np.clip(target.astype(np.int32) + samples, -32768, 32767, out=target, casting="unsafe")
        for low, high in layer.spans:
            first = low * NS // layer.rate // CELL_NS
            heard[first : -(-high * NS // layer.rate // CELL_NS)] = True
    return Channel(speaker.name, speaker.participant, speaker.streams, mixed, heard, tuple(lost))
