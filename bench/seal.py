"""Call-seconds sealed a second on one core, beside plain SHA-256 over the same blocks in the same run.

A call-second is one second of a two-stream G.711 call: 100 RTP packets in ten 200 ms blocks. Work
begins with decrypted journal frames in memory (one sweep every 100 ms, a tick after each) and ends
with segments hashed, encrypted and appended to their call's file; leaves and beats are in it too.
The first slot is shown by itself: in it memory grows to its size, once. What a call costs at its start
(its key wrapped, its directory and files made and synced) comes before and is shown too.

    python bench/seal.py [calls] [seconds] [--period MS]
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

if TYPE_CHECKING:
    from collections.abc import Iterator

T0 = 1_800_000_000 * NS
MONO = 5_000 * NS
INSTANCE = bytes(range(16))
PACKET = 172
WARM = 10
"""Seconds before the measured ones."""
SLOT = 10
"""Seconds sealed between two runs of the peer."""


def media_body(wall: int, mono: int, calls: int, first: int, noise: bytes) -> bytes:
    """One sweep: five packets of each of `2 * calls` streams, in runs."""
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
    arrays = handles.tobytes() + arrivals.tobytes() + np.full(n, PACKET, ">u2").tobytes()
    return journal.media_head(wall, mono, n) + arrays + rows.tobytes()


def records(calls: int, seconds: int) -> Iterator[tuple[int, bytes]]:
    """(wall, plaintext of a frame): the calls' beginnings, then ten sweeps a second."""
    start = b""
    for c in range(calls):
        streams = [
            {"stream": 2 * i, "handle": 2 * c + i, "rtcp_handle": None, "mline": i, "port": 20000}
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
        pieces = journal.encode_record(journal.TYPE_MEDIA, media_body(wall, mono, calls, 5 * n, noise))
        pieces += journal.encode_record(journal.TYPE_TICK, journal.encode_tick(wall, mono, wall))
        yield wall, b"".join(bytes(p) for p in pieces)


def plain_sha256(calls: int, seconds: int) -> float:
    """Seconds for SHA-256 over as many blocks of the same size."""
    block = os.urandom(segment.BLOCK_HEAD + 10 * (10 + PACKET))
    started = time.process_time()
    for _ in range(calls * seconds * 10):
        hashlib.sha256(block).digest()
    return time.process_time() - started


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("calls", type=int, nargs="?", default=1000)
    parser.add_argument("seconds", type=int, nargs="?", default=30)
    parser.add_argument("--period", type=int, default=10_000, help="of a slot, in ms")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MEMCON_RUN"] = f"{folder}/run"
        home = Home(Path(folder) / "home")
        custodian, _ = custody.make_custodian("local", "bench")
        durable.make_dirs(home.custody)
        durable.write_file(home.custodians, custody.encode_custodians([custodian]))
        clock = ManualClock(T0, MONO)
        genesis.create_log(
            home, create_keys(home.keys), "bench.example/log", T0 - 20 * NS, period_ms=args.period
        )
        sealer = Sealer(home, clock)
        calm_collector()
        frames = iter(list(records(args.calls, WARM + args.seconds)))
        starts = feed(sealer, clock, frames, 1)
        first = feed(sealer, clock, frames, 10 * WARM)
        # slot by slot, each beside its own run of the peer: what else the machine does falls on both
        slots = [
            (feed(sealer, clock, frames, 10 * SLOT), plain_sha256(args.calls, SLOT))
            for _ in range(args.seconds // SLOT)
        ]
        cpu, bare = sum(c for c, _ in slots), sum(b for _, b in slots)
        size = sum(p.stat().st_size for p in home.work_open.glob("*/media.mcs"))
        work = args.calls * SLOT * len(slots)
    json.dump(
        {
            "call_seconds": work,
            "cpu_s": round(cpu, 3),
            "call_seconds_per_cpu_s": round(work / cpu),
            "sha256_alone_per_cpu_s": round(work / bare),
            "ratio": round(cpu / bare, 2),
            "ratio_of_slots": [round(c / b, 2) for c, b in sorted(slots, key=lambda s: s[0] / s[1])],
            "best_slot_call_seconds_per_cpu_s": round(args.calls * SLOT / min(c for c, _ in slots)),
            "first_slot_call_seconds_per_cpu_s": round(args.calls * WARM / first),
            "call_start_cpu_ms": round(starts / args.calls * 1000, 3),
            "written_bytes": size,
            "findings": len(sealer.findings),
        },
        sys.stdout,
        indent=1,
    )
    print()


if __name__ == "__main__":
    main()
