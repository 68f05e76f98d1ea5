"""Who speaks in a call we place, and the RTP and RTCP each sends from sockets of its own."""

from __future__ import annotations

import secrets
import socket
import struct
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from memcon.client.media import MS, SILENCE, MediaSender
from memcon.clock import NS
from memcon.errors import MachineError

if TYPE_CHECKING:
    from memcon.clock import Clock

PTIME_MS: Final = 20
RATE: Final = 8000
SAMPLES: Final = RATE * PTIME_MS // 1000  # bytes of G.711 and ticks of RTP time a packet
NTP_EPOCH: Final = 2_208_988_800  # s from 1900 to 1970 (RFC 3550, section 4)
PAIR_TRIES: Final = 50


@dataclass(frozen=True, slots=True)
class Voice:
    """One party: `audio` is G.711 at 8 kHz, one byte a sample, of `payload_type` 8 (A-law) or 0 (mu-law)."""

    name: str
    aor: str
    audio: bytes
    payload_type: int = 8

    @property
    def seconds(self) -> float:
        """How long the audio is."""
        return len(self.audio) / RATE


def demo_voices() -> tuple[Voice, Voice]:
    """The two parties of the demonstration call, 23.8 s each."""
    folder = files("memcon.client") / "voices"
    return (
        Voice("Ingrid Solheim", "sip:solheim@office.example", (folder / "solheim.alaw").read_bytes()),
        Voice("Tomas Keller", "sip:keller@chancellery.example", (folder / "keller.alaw").read_bytes()),
    )


def sender_report(ssrc: int, wall_ns: int, rtp_timestamp: int, packets: int, octets: int, name: str) -> bytes:
    """A compound of sender report and CNAME, bytes of one RTCP packet (RFC 3550, sections 6.4.1 and 6.5)."""
    seconds, rest = divmod(wall_ns, NS)
    ntp = (seconds + NTP_EPOCH & 0xFFFFFFFF) << 32 | (rest << 32) // NS
    counts = (rtp_timestamp & 0xFFFFFFFF, packets & 0xFFFFFFFF, octets & 0xFFFFFFFF)
    report = struct.pack(">BBHIQIII", 0x80, 200, 6, ssrc, ntp, *counts)
    text = name.encode()[:255]
    chunk = struct.pack(">IBB", ssrc, 1, len(text)) + text
    chunk += bytes(4 - len(chunk) % 4)  # one zero at the least ends the list
    return report + struct.pack(">BBH", 0x81, 202, len(chunk) // 4) + chunk


def bind_pair(host: str) -> tuple[socket.socket, socket.socket]:
    """Sockets on an even port and the odd one above it, for RTP and RTCP. Raises MachineError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    problem = "no free pair of ports"
    for _ in range(PAIR_TRIES):
        rtp, rtcp = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_DGRAM)
        try:
            rtp.bind((host, 0))
            port = rtp.getsockname()[1]
            if port % 2 == 0:
                rtcp.bind((host, port + 1))
                rtcp.setblocking(False)
                return rtp, rtcp
        except OSError as error:
            problem = error.strerror or str(error)
        rtp.close()
        rtcp.close()
    raise MachineError(f"no media port on {host}: {problem}", cure="Close programs that hold many UDP ports")


@dataclass(frozen=True, slots=True)
class StreamReport:
    """What one stream of a call sent, as the kernel took it. `octets` is RTP payload (RFC 3550, 6.4.1)."""

    label: str
    name: str
    aor: str
    ssrc: int
    local: tuple[str, int]
    remote: tuple[str, int]
    sent: int = 0
    octets: int = 0
    refused: int = 0  # packets the kernel did not take
    rtcp_sent: int = 0


class VoiceSender:
    """Sends one voice in its time: `start`, `send_due` again and again, `pause` and `start` again."""

    def __init__(self, clock: Clock, voice: Voice, label: str, host: str) -> None:
        self.voice = voice
        self._clock = clock
        packets = max(1, -(-len(voice.audio) // SAMPLES))
        self._audio = voice.audio.ljust(packets * SAMPLES, SILENCE)
        self._rtp, self._rtcp = bind_pair(host)
        self._sender = MediaSender(clock, self._rtp, ptime_ms=PTIME_MS, slices=1)
        self._handle: int | None = None
        self._first = secrets.randbelow(1 << 15)
        self._sequence = self._first
        self._timestamp = secrets.randbits(32)
        self._stopped_ns = 0
        here = self._rtp.getsockname()[:2]
        ssrc = secrets.randbits(32)
        self._report = StreamReport(label, voice.name, voice.aor, ssrc, (here[0], here[1]), ("", 0))
        self._before = 0  # packets sent before the last start
        self._end_ns = 0

    @property
    def port(self) -> int:
        """Our RTP port; RTCP is the next."""
        return self._report.local[1]

    def answered(self, host: str, port: int) -> None:
        """The address that the recorder's answer names for this stream."""
        self._report = replace(self._report, remote=(host, port))

    def start(self, packets: int) -> None:
        """Let the first of so many packets be due now; after a pause the voice goes on where it was."""
        if self._stopped_ns:
            # RTP time goes on while nothing is sent (RFC 3550, section 5.1); a pause begins with the last
            # packet, whose own time is counted already
            paused = self._clock.monotonic_ns() - self._stopped_ns - PTIME_MS * MS
            self._timestamp += max(0, paused) * RATE // NS
        done = (self._sequence - self._first) * SAMPLES % len(self._audio)
        self._handle = self._sender.add(
            *self._report.remote,
            ssrc=self._report.ssrc,
            audio=self._audio[done:] + self._audio[:done],
            payload_type=self.voice.payload_type,
            sequence=self._sequence,
            timestamp=self._timestamp,
        )
        self._sender.restart()
        self._end_ns = self._sender.next_due_ns() + packets * PTIME_MS * MS

    def next_due_ns(self) -> int | None:
        """When the next packet is due, ns of the monotonic clock; None after the last of this start."""
        due = self._sender.next_due_ns()
        return due if self._handle is not None and due < self._end_ns else None

    def send_due(self) -> None:
        """Send what is due."""
        if self._handle is not None:
            self._sender.send_due(self._end_ns)

    def pause(self) -> None:
        """Send nothing from now on."""
        if self._handle is None:
            return
        count = self._sender.remove(self._handle)
        self._handle = None
        self._before += count.sent
        self._sequence += count.next_sequence - self._sequence & 0xFFFF
        self._timestamp = count.next_timestamp
        self._stopped_ns = self._clock.monotonic_ns()

    def send_report(self) -> None:
        """Send an RTCP sender report."""
        state = self.report()
        timestamp = self._timestamp
        if self._handle is not None:
            timestamp = self._sender.count(self._handle).next_timestamp
        wall = self._clock.wall_ns()
        data = sender_report(state.ssrc, wall, timestamp, state.sent, state.octets, state.aor)
        host, port = state.remote
        try:
            self._rtcp.sendto(data, (host, port + 1))
        except OSError:
            return  # a report may get lost, like any datagram
        self._report = replace(self._report, rtcp_sent=self._report.rtcp_sent + 1)

    def report(self) -> StreamReport:
        """What was sent so far."""
        now = 0 if self._handle is None else self._sender.count(self._handle).sent
        sent = self._before + now
        refused = sum(self._sender.refused.values())
        return replace(self._report, sent=sent, octets=sent * SAMPLES, refused=refused)

    def close(self) -> None:
        """Close the sockets."""
        self._rtp.close()
        self._rtcp.close()
