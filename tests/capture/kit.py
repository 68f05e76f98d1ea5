"""What the tests of capture share: reading a journal back, a client on loopback, a running server."""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from memcon.capture.calls import ReceiptKey, Settings
from memcon.capture.log import Log
from memcon.capture.process import Capture, CaptureSettings
from memcon.capture.receiver import Sweep
from memcon.capture.server import Endpoint
from memcon.clock import SystemClock
from memcon.record import journal as frames
from memcon.record.hashing import sha256
from memcon.wire.events import Send, Transport
from memcon.wire.framing import StreamParser
from memcon.wire.sip import Message
from memcon.wire.src_client import Answered, ClientConfig, Ended, Party, RecordingClient, Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from memcon.store.paths import Home
    from memcon.wire.src_client import ClientOutput

RECEIPT = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PORTS = "42000-43999"
HOST = "127.0.0.1"
Record = frames.Media | frames.Control | frames.Tick | frames.Stop


# --- the journal ---


def frame_heads(path: Path) -> list[int]:
    """The numbers of the whole frames of a file."""
    return [number for number, _, _ in _frames(path.read_bytes())]


def _frames(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    at = frames.HEADER_SIZE
    while len(data) - at >= frames.FRAME_HEAD:
        head = data[at : at + frames.FRAME_HEAD]
        length, number = frames.decode_frame_head(head)
        ciphertext = data[at + frames.FRAME_HEAD : at + frames.FRAME_HEAD + length]
        if len(ciphertext) < length:
            return
        yield number, head, ciphertext
        at += frames.FRAME_HEAD + length


def read_journal(home: Home, instance: bytes | None = None) -> list[Record]:
    """All records of the one instance there is, after a check that its files and frames are dense."""
    if instance is None:
        (name,) = {path.name[:32] for path in home.journal.iterdir()}
        instance = bytes.fromhex(name)
    key = home.journal_key(instance).read_bytes()
    due, result = 0, list[Record]()
    for number, path in enumerate(sorted(home.journal.glob(f"{instance.hex()}-*.mcj"))):
        assert path == home.journal_file(instance, number)
        data = path.read_bytes()
        header = frames.decode_header(data[: frames.HEADER_SIZE])
        assert (header.instance, header.file_number) == (instance, number)
        assert header.key_id == sha256(key)[:8]
        assert header.first_frame <= due, "a hole between files"
        first = None
        for frame, head, ciphertext in _frames(data):
            assert first is None or frame == first, "a hole in a file"
            assert header.first_frame <= frame <= due, "a hole between files"
            first = frame + 1
            plaintext = AESGCM(key).decrypt(frames.frame_nonce(frame), ciphertext, instance + head)
            if frame == due:  # one met before stands in a file that was given up: it is the same frame
                result += frames.decode_records(plaintext)
                due += 1
    return result


def controls(records: Iterable[Record], *types: str) -> list[frames.Control]:
    """The control records, of these types if any are named."""
    found = [r for r in records if isinstance(r, frames.Control)]
    return [r for r in found if not types or r.facts["type"] in types]


def events(records: Iterable[Record], key: str | None = None) -> list[dict[str, Any]]:
    """The facts of all events, in order."""
    return [c.facts["facts"] for c in controls(records, "event") if key is None or c.facts["key"] == key]


@dataclass(frozen=True)
class Packet:
    """One packet as it stands in the journal; `order` is the place of its record."""

    order: int
    handle: int
    arrival: int
    data: bytes


def packets(records: Sequence[Record]) -> list[Packet]:
    """All packets in the journal's order."""
    found = []
    for order, record in enumerate(records):
        if not isinstance(record, frames.Media):
            continue
        handles = np.frombuffer(record.streams, ">u4").tolist()
        arrivals = np.frombuffer(record.arrivals, ">u8").tolist()
        ends = itertools.accumulate(np.frombuffer(record.lengths, ">u2").tolist(), initial=0)
        for handle, arrival, (at, end) in zip(handles, arrivals, itertools.pairwise(ends), strict=True):
            found.append(Packet(order, handle, arrival, bytes(record.packets[at:end])))
    return found


def late_packets(records: Sequence[Record]) -> list[Packet]:
    """Packets that stand behind a tick which said that all of their time were in the journal."""
    late = []
    watermark = 0
    by_order: dict[int, list[Packet]] = {}
    for packet in packets(records):
        by_order.setdefault(packet.order, []).append(packet)
    for order, record in enumerate(records):
        if isinstance(record, frames.Tick):
            watermark = max(watermark, record.watermark)
        late += [p for p in by_order.get(order, ()) if p.arrival < watermark]
    return late


def sweep_of(packets_of: dict[int, list[bytes]], wall: int = 1_000, mono: int = 500) -> Sweep:
    """A sweep with these packets, arriving 1 ns apart."""
    rows = [(handle, data) for handle, many in packets_of.items() for data in many]
    data = np.frombuffer(b"".join(d for _, d in rows), np.uint8)
    arrival = wall + np.arange(len(rows), dtype=np.int64)
    lengths = np.array([len(d) for _, d in rows], np.uint16)
    return Sweep(wall, mono, wall, np.array([h for h, _ in rows], np.uint32), arrival, lengths, data, [])


# --- the log ---


class Lines(io.StringIO):
    """A log's lines, as objects."""

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.getvalue().splitlines()]
        return [line for line in lines if name is None or line["event"] == name]


# --- a server on loopback ---


def settings(*listen: Endpoint, period_ms: int = 1000, ports: str = PORTS) -> CaptureSettings:
    recorder = Settings("example.org/log", period_ms, HOST, (("desk", "*desk*"), ("all", "*")))
    key = ReceiptKey(RECEIPT.public_key().public_bytes_raw(), RECEIPT.sign)
    where = listen or (Endpoint("udp", HOST, 0), Endpoint("tcp", HOST, 0))
    return CaptureSettings(recorder, where, ports, {"recorder": '{"period_ms":1000}'}, key)


@dataclass
class Running:
    """A capture instance in this process."""

    capture: Capture
    lines: Lines
    stop: asyncio.Event
    home: Home

    def port(self, protocol: str) -> int:
        return next(end.port for end in self.capture.listening if end.protocol == protocol)

    async def journal(self) -> list[Record]:
        """What stands in it, once all that was journalled so far is written: media are by another thread."""
        writer = self.capture._journal

        def written() -> bool:
            with writer._lock:  # while a frame is made of it, it stands in neither
                return not writer._pending.size and not writer._backlog

        await until(written)
        return await asyncio.to_thread(read_journal, self.home, self.capture.instance)


@contextlib.asynccontextmanager
async def running(home: Home, chosen: CaptureSettings | None = None) -> AsyncIterator[Running]:
    """Run capture; it is stopped at the end of the block."""
    clock, lines = SystemClock(), Lines()
    capture = Capture(home, chosen or settings(), clock, Log(clock, lines))
    stop = asyncio.Event()
    task = asyncio.create_task(capture.run(stop))
    try:
        await until(lambda: bool(lines.events("listening")) or task.done())
        yield Running(capture, lines, stop, home)
    finally:
        stop.set()
        await task


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for something to become true."""
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("did not happen in time")


# --- a recording client ---


def parties(*ports: int) -> tuple[Party, ...]:
    names = ("Ada", "Ben", "Cleo", "Dan")
    return tuple(
        Party(f"sip:{name.lower()}@example.org", name, port, str(n + 1), f"p{n + 1}", f"s{n + 1}")
        for n, (name, port) in enumerate(zip(names, ports, strict=False))
    )


class Peer:
    """A recording client on a real socket, TCP or UDP."""

    def __init__(self, protocol: str, server_port: int, *media_ports: int) -> None:
        udp = protocol == "udp"
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
        self.sock.setblocking(False)
        self.udp = udp
        self.server = (HOST, server_port)
        self.media_ports = media_ports or (7000, 7002)
        self.parser = StreamParser()
        self.outputs: list[ClientOutput] = []

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        if self.udp:
            self.sock.bind((HOST, 0))
        else:
            await loop.sock_connect(self.sock, self.server)
        local = self.sock.getsockname()
        transport = Transport("udp" if self.udp else "tcp", local, self.server, "" if self.udp else "c")
        ids = itertools.count(1)
        config = ClientConfig(f"sip:desk@{HOST}", transport, HOST, parties(*self.media_ports))
        self.client = RecordingClient(config, lambda: f"{id(self):x}{next(ids)}x")

    async def put(self, outputs: Iterable[ClientOutput]) -> None:
        loop = asyncio.get_running_loop()
        for output in outputs:
            self.outputs.append(output)
            if isinstance(output, Send):
                if self.udp:
                    await loop.sock_sendto(self.sock, output.data, self.server)
                else:
                    await loop.sock_sendall(self.sock, output.data)

    async def take(self) -> None:
        """Take what comes next from the server; say again what it is late to answer."""
        loop = asyncio.get_running_loop()
        try:
            data = await asyncio.wait_for(loop.sock_recv(self.sock, 65_535), 0.2)
        except TimeoutError:
            await self.put(self.client.timer(SystemClock().monotonic_ns()))
            return
        items = [data] if self.udp else [i for i in self.parser.feed(data) if isinstance(i, Message)]
        for item in items:
            await self.put(self.client.receive(item, SystemClock().monotonic_ns()))

    async def result(self, seconds: float = 60.0) -> Answered | Refused | Ended:
        """Go on until something is settled; that is taken off the list."""
        async with asyncio.timeout(seconds):
            while True:
                for output in self.outputs:
                    if not isinstance(output, Send):
                        self.outputs.remove(output)
                        return output
                await self.take()

    async def answered(self, outputs: Iterable[ClientOutput]) -> Answered:
        await self.put(outputs)
        result = await self.result()
        assert isinstance(result, Answered), result
        return result

    async def call(self) -> Answered:
        return await self.answered(self.client.invite(SystemClock().monotonic_ns()))

    async def bye(self) -> None:
        await self.put(self.client.bye(SystemClock().monotonic_ns()))
        assert isinstance(await self.result(), Ended)


@contextlib.asynccontextmanager
async def peer(protocol: str, server_port: int, *media_ports: int) -> AsyncIterator[Peer]:
    made = Peer(protocol, server_port, *media_ports)
    try:
        await made.open()
        yield made
    finally:
        made.sock.close()


def sip(
    method: str = "INVITE",
    *,
    to: str = "<sip:desk@example.org>",
    call_id: str = "one",
    cseq: int = 1,
    branch: str = "z9hG4bK1",
    extra: Sequence[str] = (),
    body: str = "",
    kind: str = "application/sdp",
) -> bytes:
    """A request as a plain telephone sends it."""
    lines = [
        f"{method} sip:desk@127.0.0.1 SIP/2.0",
        f"Via: SIP/2.0/UDP 127.0.0.1:5555;branch={branch};rport",
        "From: Caller <sip:caller@example.org>;tag=a1",
        f"To: {to}",
        f"Call-ID: {call_id}",
        f"CSeq: {cseq} {method}",
        "Contact: <sip:caller@127.0.0.1:5555>",
        *extra,
        *([f"Content-Type: {kind}"] if body else []),
        f"Content-Length: {len(body)}",
        "",
        body,
    ]
    return "\r\n".join(lines).encode()


def sdp(*media: str, direction: str = "sendrecv") -> str:
    """An offer with one G.711 line per label."""
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0"]
    for n, label in enumerate(media):
        lines += [f"m=audio {6000 + 2 * n} RTP/AVP 8", f"a=label:{label}", f"a={direction}"]
    return "\r\n".join(lines) + "\r\n"
