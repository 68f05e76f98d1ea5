"""Call-seconds sealed a second on one core, beside plain SHA-256 over the same blocks in the same run.

A call-second is one second of a two-stream G.711 call: 100 RTP packets in ten 200 ms blocks. Work
begins with decrypted journal frames in memory (one sweep every 100 ms, a tick after each) and ends
with segments hashed, encrypted and appended to their call's file; leaves and beats are in it too.
The first slot is shown by itself: in it memory grows to its size, once. What a call costs at its start
(its key wrapped, its directory and files made and synced) comes before and is shown too.

Slot by slot beside them, in the same run, a fifth as many calls whose streams are SRTP: what opening the
packets and keeping the hash of each as it came costs, as a ratio to plain RTP. Its own peer is libsrtp,
which opens such packets one after another (pylibsrtp, of requirements-test.lock), where it knows the suite.

    python bench/seal.py [calls] [seconds] [--period MS] [--srtp SUITE]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from memcon.clock import NS, ManualClock
from memcon.record import journal, segment
from memcon.record.hashing import sha256
from memcon.seal import custody, genesis
from memcon.seal.keys import create_keys
from memcon.seal.process import calm_collector
from memcon.seal.sealer import Sealer
from memcon.store import durable
from memcon.store.journal_reader import Frame
from memcon.store.paths import Home
from memcon.wire import sdes
from memcon.wire.srtp_client import Protector, crypto_line, key_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

T0 = 1_800_000_000 * NS
MONO = 5_000 * NS
INSTANCE = bytes(range(16))
PACKET = 172
WARM = 10
"""Seconds before the measured ones."""
SLOT = 10
"""Seconds sealed between two runs of the peer."""


def media_body(
    wall: int, mono: int, calls: int, first: int, noise: bytes, protectors: Sequence[Protector] = ()
) -> bytes:
    """One sweep: five packets of each of `2 * calls` streams, in runs; SRTP where there are protectors."""
    streams = 2 * calls
    n = 5 * streams
    rows = np.frombuffer(noise, np.uint8, n * PACKET).reshape(n, PACKET).copy()
    handles = np.repeat(np.arange(streams, dtype=">u4"), 5)
    sequence = first + np.tile(np.arange(5), streams)
    rows[:, 0], rows[:, 1] = 0x80, 0
    rows[:, 2:4] = sequence.astype(">u2")[:, None].view(np.uint8)
    rows[:, 4:8] = (sequence * 160).astype(">u4")[:, None].view(np.uint8)
    rows[:, 8:12] = handles[:, None].view(np.uint8)
    offsets = np.tile(np.arange(-100, 0, 20), streams) * 1_000_000
    arrivals = (wall + offsets + handles.astype(np.int64) * 7919 % 20_000_000).astype(">u8")
    packets = [row.tobytes() for row in rows] if protectors else []
    packets = [protectors[i // 5].rtp(packet, 0) for i, packet in enumerate(packets)]
    size = len(packets[0]) if packets else PACKET
    arrays = handles.tobytes() + arrivals.tobytes() + np.full(n, size, ">u2").tobytes()
    return journal.media_head(wall, mono, n) + arrays + (b"".join(packets) or rows.tobytes())


def records(calls: int, seconds: int, suite: str = "") -> Iterator[tuple[int, bytes]]:
    """(wall, plaintext of a frame): the calls' beginnings, then ten sweeps a second."""
    start, lines = b"", []
    if suite:
        lines = [crypto_line(suite, os.urandom(key_bytes(suite))) for _ in range(2 * calls)]
    protectors = [Protector(sdes.parse(line)) for line in lines]
    for c in range(calls):
        streams = [
            {"stream": 2 * i, "handle": 2 * c + i, "rtcp_handle": None, "mline": i, "port": 20000}
            | ({"key_line": lines[2 * c + i]} if lines else {})
            for i in range(2)
        ]
        facts = {"type": "call", "key": str(c), "handle": sha256(b"%d" % c).hex(), "streams": streams,
                 "wall": str(T0 - c * 997_000), "mono": str(MONO - c * 997_000)}  # fmt: skip
        body = journal.encode_control(facts, [b"INVITE"])
        start += b"".join(bytes(p) for p in journal.encode_record(journal.TYPE_CONTROL, body))
    yield T0, start
    noise = os.urandom(10 * calls * PACKET)
    for n in range(seconds * 10):
        wall, mono = T0 + (n + 1) * NS // 10, MONO + (n + 1) * NS // 10
        pieces = journal.encode_record(
            journal.TYPE_MEDIA, media_body(wall, mono, calls, 5 * n, noise, protectors)
        )
        pieces += journal.encode_record(journal.TYPE_TICK, journal.encode_tick(wall, mono, wall))
        yield wall, b"".join(bytes(p) for p in pieces)


def plain_sha256(calls: int, seconds: int) -> float:
    """Seconds for SHA-256 over as many blocks of the same size."""
    block = os.urandom(segment.BLOCK_HEAD + 10 * (10 + PACKET))
    started = time.process_time()
    for _ in range(calls * seconds * 10):
        hashlib.sha256(block).digest()
    return time.process_time() - started


def libsrtp(suite: str, packets: int = 20_000) -> float:
    """µs a packet that libsrtp takes to open RTP of this suite; 0 where there is none that knows it."""
    profile = "SRTP_PROFILE_" + suite.replace("AES_CM_128_HMAC", "AES128_CM")
    try:
        import pylibsrtp as srtp
    except ImportError:
        return 0.0
    if not hasattr(srtp.Policy, profile):
        return 0.0
    material = os.urandom(key_bytes(suite))
    by = Protector(sdes.parse(crypto_line(suite, material)))
    heads = (b"\x80\0" + n.to_bytes(2, "big") + bytes(7) + b"\1" for n in range(packets))
    came = [by.rtp(head + bytes(PACKET - 12), 0) for head in heads]
    policy = srtp.Policy(
        key=material, ssrc_type=srtp.Policy.SSRC_ANY_INBOUND, srtp_profile=getattr(srtp.Policy, profile)
    )
    session = srtp.Session(policy)
    started = time.process_time()
    for packet in came:
        session.unprotect(packet)
    return (time.process_time() - started) / packets * 1e6


def feed(sealer: Sealer, clock: ManualClock, frames: Iterator[tuple[int, bytes]], count: int) -> float:
    """Seal so many frames; the CPU seconds it took."""
    spent = 0.0
    for number, (now, plaintext) in enumerate(islice(frames, count)):
        clock.advance(now - clock.wall_ns())
        started = time.process_time()
        sealer.feed_frame(Frame(INSTANCE, 0, number, memoryview(plaintext)))
        sealer.feed.flush()
        spent += time.process_time() - started
    return spent


class Side:
    """A sealer with a home of its own, and the frames that it is fed."""

    def __init__(
        self, folder: Path, name: str, args: argparse.Namespace, calls: int, suite: str = ""
    ) -> None:
        os.environ["MEMCON_RUN"] = f"{folder}/run-{name}"
        self.home, self.calls = Home(folder / name), calls
        self._run = os.environ["MEMCON_RUN"]
        custodian, _ = custody.make_custodian("local", "bench")
        durable.make_dirs(self.home.custody)
        durable.write_file(self.home.custodians, custody.encode_custodians([custodian]))
        self._clock = ManualClock(T0, MONO)
        genesis.create_log(
            self.home, create_keys(self.home.keys), "bench.example/log", T0 - 20 * NS, period_ms=args.period
        )
        self.sealer = Sealer(self.home, self._clock)
        self._frames = iter(list(records(calls, WARM + args.seconds, suite)))
        self.starts = self.feed(1)
        self.first = self.feed(10 * WARM)

    def feed(self, count: int) -> float:
        """Seal so many frames; the CPU seconds it took."""
        os.environ["MEMCON_RUN"] = self._run
        return feed(self.sealer, self._clock, self._frames, count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("calls", type=int, nargs="?", default=1000)
    parser.add_argument("seconds", type=int, nargs="?", default=30)
    parser.add_argument("--period", type=int, default=10_000, help="of a slot, in ms")
    parser.add_argument("--srtp", default="AES_CM_128_HMAC_SHA1_80", choices=list(sdes.SUITES))
    args = parser.parse_args()
    calm_collector()
    with tempfile.TemporaryDirectory() as folder:
        plain = Side(Path(folder), "plain", args, args.calls)
        secure = Side(Path(folder), "srtp", args, max(1, args.calls // 5), args.srtp)
        # slot by slot, each beside its own run of the peer: what else the machine does falls on all
        slots = [
            (
                plain.feed(10 * SLOT),
                plain_sha256(args.calls, SLOT),
                secure.feed(10 * SLOT),
                libsrtp(args.srtp),
            )
            for _ in range(args.seconds // SLOT)
        ]
        cpu, bare, opened, peer = (sum(slot[i] for slot in slots) for i in range(4))
        size = sum(p.stat().st_size for p in plain.home.work_open.glob("*/media.mcs"))
        work, secure_work = plain.calls * SLOT * len(slots), secure.calls * SLOT * len(slots)
        findings = [*plain.sealer.findings, *secure.sealer.findings]
        refused = sum(g.refused for c in secure.sealer._desk.open.values() for g in c.guards.values())
    json.dump(
        {
            "call_seconds": work,
            "cpu_s": round(cpu, 3),
            "call_seconds_per_cpu_s": round(work / cpu),
            "sha256_alone_per_cpu_s": round(work / bare),
            "ratio": round(cpu / bare, 2),
            "ratio_of_slots": [round(c / b, 2) for c, b, *_ in sorted(slots, key=lambda s: s[0] / s[1])],
            "best_slot_call_seconds_per_cpu_s": round(args.calls * SLOT / min(slot[0] for slot in slots)),
            "first_slot_call_seconds_per_cpu_s": round(args.calls * WARM / plain.first),
            "call_start_cpu_ms": round(plain.starts / args.calls * 1000, 3),
            "written_bytes": size,
            "srtp": {
                "suite": args.srtp,
                "call_seconds": secure_work,
                "call_seconds_per_cpu_s": round(secure_work / opened),
                "us_a_packet": round(opened / secure_work / 100 * 1e6, 2),
                "us_a_packet_plain": round(cpu / work / 100 * 1e6, 2),
                "ratio_to_plain": round((opened / secure_work) / (cpu / work), 2),
                "us_a_packet_libsrtp": round(peer / len(slots), 2),
                "packets_refused": refused,
            },
            "findings": len(findings),
        },
        sys.stdout,
        indent=1,
    )
    print()


if __name__ == "__main__":
    main()
