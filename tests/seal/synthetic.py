"""A home with a log, and a journal as capture writes it: frames made in memory, put on the disk at will."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from memcon.clock import NS, ManualClock
from memcon.record import beat, canonical, journal
from memcon.seal import custody, genesis
from memcon.seal.keys import create_keys
from memcon.seal.sealer import Sealer
from memcon.store import durable
from memcon.store.paths import Home
from memcon.store.tiles import LogStore

if TYPE_CHECKING:
    from pathlib import Path

ORIGIN = "recorder.example/log"
PERIOD_MS = 2000
T0 = 1_800_000_000 * NS
MONO = 5_000 * NS
CONFIG = {
    name: canonical.dumps({"part": name}).decode() for name in ("fleet", "lines", "recorder", "software")
}
INVITE = b"INVITE sip:r@x SIP/2.0\r\nCall-ID: 1\r\n\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc\r\n"
BYE = b"BYE sip:r@x SIP/2.0\r\n\r\n"


def rtp(sequence: int, *, ssrc: int = 0xABCD, payload: bytes = b"", timestamp: int | None = None) -> bytes:
    """An RTP packet of 20 ms of G.711."""
    stamp = (160 * sequence if timestamp is None else timestamp) & 0xFFFFFFFF
    data = payload or hashlib.sha256(struct.pack(">II", ssrc, sequence)).digest() * 5
    return struct.pack(">BBHII", 0x80, 0, sequence & 0xFFFF, stamp, ssrc) + data


def sender_report(count: int, ssrc: int = 0xABCD) -> bytes:
    return struct.pack(">BBHIQIII", 0x80, 200, 6, ssrc, 0, 0, count, count * 160)


@dataclass
class Written:
    """A frame on its way to the disk: wall time, file, bytes."""

    wall: int
    path: Path
    data: bytes


@dataclass
class Capture:
    """One instance of the capturing process."""

    home: Home
    instance: bytes
    wall: int = T0
    mono: int = MONO
    key: bytes = b""
    frames: list[Written] = field(default_factory=list)
    file: int = 0
    number: int = 0
    pending: bytes = b""
    sent: dict[int, list[tuple[int, bytes]]] = field(default_factory=dict)
    begun: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.key = self.key or hashlib.sha256(self.instance).digest()
        durable.make_dirs(self.home.run)
        durable.write_file(self.home.journal_key(self.instance), self.key)
        durable.make_dirs(self.home.journal)
        self._head()

    def _head(self) -> None:
        key_id = hashlib.sha256(self.key).digest()[:8]
        head = journal.JournalHeader(self.instance, self.file, self.number, self.wall, key_id)
        self.frames.append(Written(self.wall, self.path, head.encode()))

    @property
    def path(self) -> Path:
        return self.home.journal_file(self.instance, self.file)

    def rotate(self) -> None:
        self.file += 1
        self._head()

    def record(self, type_: int, *body: bytes) -> None:
        self.pending += b"".join(bytes(p) for p in journal.encode_record(type_, *body))

    def commit(self) -> None:
        head = journal.frame_head(len(self.pending) + 16, self.number)
        sealed = AESGCM(self.key).encrypt(
            journal.frame_nonce(self.number), self.pending, self.instance + head
        )
        self.frames.append(Written(self.wall, self.path, head + sealed))
        self.number += 1
        self.pending = b""

    def advance(self, ns: int) -> None:
        self.wall += ns
        self.mono += ns

    def control(self, type_: str, *attachments: bytes, **facts: Any) -> None:
        stamped = {"type": type_, "wall": str(self.wall), "mono": str(self.mono), **facts}
        self.record(journal.TYPE_CONTROL, journal.encode_control(stamped, attachments))
        self.commit()

    def start(self, config: dict[str, str] | None = None, follows: Capture | None = None) -> None:
        facts = {"follows": follows.instance.hex()} if follows else {}
        self.control(
            "start", instance=self.instance.hex(), pid=1, listen=[], config=config or CONFIG, **facts
        )

    def carry(self, of: Capture, key: str, handles: tuple[int, ...], **facts: Any) -> bytes:
        """Go on with a call of another instance, under the same key and other media handles."""
        wall, mono = of.begun[key]
        handle = hashlib.sha256(of.instance + key.encode()).hexdigest()
        self.begun[key] = wall, mono
        words = {"handle": handle, "wall": str(wall), "mono": str(mono), "sockets": "kept", "messages": []}
        return self.call(key, handles, type_="carry", **{**words, **facts})

    def call(self, key: str, handles: tuple[int, ...], *, type_: str = "call", **facts: Any) -> bytes:
        """A call with a stream for each RTP handle; its RTCP handle is the next number."""
        handle = hashlib.sha256(self.instance + key.encode()).digest()
        self.begun.setdefault(key, (self.wall, self.mono))
        streams = [
            {
                "stream": 2 * i,
                "handle": h,
                "rtcp_handle": h + 1,
                "mline": i,
                "label": str(i),
                "port": 20000 + 2 * i,
                "codecs": [{"pt": 0, "name": "PCMU", "rate": 8000, "channels": 1}],
                "direction": "recvonly",
                "participant": f"p{i}",
            }
            for i, h in enumerate(handles)
        ]
        words = {
            "key": key,
            "handle": handle.hex(),
            "mode": "siprec",
            "line": "all",
            "transport": "udp",
            "local": "127.0.0.1:5060",
            "remote": "127.0.0.1:5070",
            "source_ids": {"call_id": key},
            "parties": [{"id": "p0", "name": "A", "aor": "sip:a@x", "label": "0", "role": ""}],
            "streams": streams,
            "oddities": [],
        }
        self.control(type_, INVITE, **{**words, **facts})
        return handle

    def sweep(self, packets: list[tuple[int, int, bytes]]) -> None:
        """Packets (media handle, arrival in wall ns, bytes), sorted by handle as the receiver does."""
        ordered = sorted(packets, key=lambda p: p[0])
        for handle, arrival, data in ordered:
            self.sent.setdefault(handle, []).append((arrival - self.wall + self.mono, data))
        body = journal.media_head(self.wall, self.mono, len(ordered))
        body += b"".join(struct.pack(">I", h) for h, _, _ in ordered)
        body += b"".join(struct.pack(">Q", a) for _, a, _ in ordered)
        body += b"".join(struct.pack(">H", len(d)) for _, _, d in ordered)
        self.record(journal.TYPE_MEDIA, body + b"".join(d for _, _, d in ordered))

    def tick(self, behind: int = 0) -> None:
        self.record(journal.TYPE_TICK, journal.encode_tick(self.wall, self.mono, self.wall - behind))
        self.commit()

    def end(self, key: str, cause: int = 1, who: int = 1, drops: dict[str, int] | None = None) -> None:
        self.control("end", BYE, key=key, cause=cause, who=who, drops=drops or {})

    def stop(self) -> None:
        said = {"by": "operator", "how": "memcon stop", "reason": "maintenance", "wall": str(self.wall)}
        self.record(journal.TYPE_STOP, canonical.dumps({**said, "mono": str(self.mono)}))
        self.commit()

    def talk(self, handles: tuple[int, ...], seconds: float, first: int = 0) -> int:
        """Sweeps every 100 ms with five packets a stream, a tick after each; the next sequence number."""
        sequence = first
        for _ in range(round(seconds * 10)):
            self.advance(NS // 10)
            packets = [
                (h, self.wall - (5 - i) * 20_000_000 + 1000 * n, rtp(sequence + i, ssrc=h))
                for n, h in enumerate(handles)
                for i in range(5)
            ]
            sequence += 5
            self.sweep(packets)
            self.tick()
        return sequence


class World:
    """A fresh home with keys, a custodian and a log that begins at `T0`."""

    def __init__(self, root: Path) -> None:
        self.home = Home(root)
        self.clock = ManualClock(T0, MONO)
        self.custodian, self.seed = custody.make_custodian("local", "Local custodian")
        durable.make_dirs(self.home.custody)
        durable.write_file(self.home.custodians, custody.encode_custodians([self.custodian]))
        durable.write_file(self.home.local_custodian, self.seed)
        self.keys = create_keys(self.home.keys)
        genesis.create_log(self.home, self.keys, ORIGIN, T0 - 2 * PERIOD_MS * 1_000_000, period_ms=PERIOD_MS)

    def capture(self, name: int = 1, wall: int = T0, mono: int = MONO) -> Capture:
        return Capture(self.home, bytes([name]) * 16, wall, mono)

    def now(self, wall: int) -> None:
        """Move the clock forward to `wall`."""
        self.clock.advance(max(0, wall - self.clock.wall_ns()))

    def put(self, frame: Written) -> None:
        self.now(frame.wall)
        durable.append(frame.path, frame.data)

    def settle(self, sealer: Sealer) -> None:
        while sealer.step():
            pass

    def run(self, frames: list[Written], sealer: Sealer | None = None) -> Sealer:
        """Write frame after frame, sealing after each."""
        sealer = sealer or Sealer(self.home, self.clock)
        for frame in frames:
            self.put(frame)
            self.settle(sealer)
        return sealer

    def beats(self) -> list[beat.Beat]:
        store = LogStore(self.home.log)
        return [beat.decode(e) for e in store.entries(0, store.checkpoint().size)]


def begun(world: World, *handles: int) -> Capture:
    """A capture that has a call `a` going on."""
    capture = world.capture()
    capture.start()
    capture.call("a", handles or (10,))
    return capture


def finished(world: World, capture: Capture) -> Sealer:
    """End the call `a`, and seal all of it."""
    capture.end("a")
    capture.talk((), 2.2)
    return world.run(capture.frames)
