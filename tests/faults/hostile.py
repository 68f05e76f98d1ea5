"""What an attacker on the network sends: floods and storms, bounded, on loopback."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections import Counter
from typing import TYPE_CHECKING

from memcon.store.journal_reader import JournalReader

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from tests.faults.rig import Rig

MALFORMED = (
    b"",
    b"\r\n\r\n",
    b"\x00" * 400,
    b"INVITE",
    b"INVITE sip:a@b SIP/2.0\r\n\r\n",
    b"INVITE sip:a@b SIP/2.0\r\nContent-Length: 99999999\r\n\r\n",
    b"SIP/2.0 999999 What\r\nVia: ;;;\r\n\r\n",
    b"BYE sip:a@b SIP/2.0\r\nCall-ID: x\r\nCSeq: 4294967296 BYE\r\nVia: SIP/2.0/UDP x\r\n\r\n",
    b"OPTIONS " + b"a" * 60_000 + b" SIP/2.0\r\n\r\n",
    b"INVITE sip:a@b SIP/2.0\r\n" + b"Via: SIP/2.0/UDP h;branch=z9hG4bK\r\n" * 900 + b"\r\n",
)


def _invite(n: int, port: int, media: bytes = b"") -> bytes:
    """A call that never comes to anything: without `media` its offer has no line that could be received."""
    body = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n" + media
    lines = [
        b"INVITE sip:flood@127.0.0.1 SIP/2.0",
        b"Via: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bKflood%d" % (port, n),
        b"From: <sip:flood@x>;tag=%d" % n,
        b"To: <sip:flood@x>",
        b"Call-ID: flood-%d" % n,
        b"CSeq: 1 INVITE",
        b"Contact: <sip:flood@127.0.0.1:%d>" % port,
        b"Content-Type: application/sdp",
        b"Content-Length: %d" % len(body),
        b"",
        body,
    ]
    return b"\r\n".join(lines)


def sip_storm(address: tuple[str, int], stop: threading.Event) -> int:
    """Malformed datagrams, some 2,000 a second, and a few calls that come to nothing; returns how many."""
    count = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        port = sock.getsockname()[1]
        while not stop.wait(0.01):
            for n in range(20):
                data = MALFORMED[n % len(MALFORMED)] if count % 200 else _invite(count, port)
                try:
                    sock.sendto(data, address)
                except BlockingIOError:
                    continue
                count += 1
    return count


MEDIA = b"c=IN IP4 127.0.0.1\r\nm=audio 40000 RTP/AVP 8\r\na=sendonly\r\n"


def invite_storm(address: tuple[str, int], stop: threading.Event) -> dict[int, int]:
    """Good INVITEs, some 300 a second from eight addresses of loopback, and never an ACK; returns how often
    each final status came for the first time."""
    found: dict[str, int] = {}
    socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(8)]
    for n, sock in enumerate(socks):
        sock.bind((f"127.0.1.{n + 1}", 0))
        sock.setblocking(False)
    count = 0
    while not stop.wait(0.025):
        for sock in socks:
            count += 1
            with contextlib.suppress(BlockingIOError):
                sock.sendto(_invite(count, sock.getsockname()[1], MEDIA), address)
        for sock in socks:
            with contextlib.suppress(BlockingIOError):
                while True:
                    answer = sock.recv(65_535)
                    status = int(answer.split()[1])
                    if status >= 200 and answer.startswith(b"SIP/2.0"):
                        call = answer.split(b"Call-ID: ")[1].split(b"\r")[0].decode()
                        found.setdefault(call, status)
    for sock in socks:
        sock.close()
    return dict(Counter(found.values()))


def tcp_storm(address: tuple[str, int], stop: threading.Event) -> int:
    """Connections that say nothing, half a message, or rubbish, and go; returns how many."""
    count = 0
    open_: list[socket.socket] = []
    while not stop.wait(0.02):
        try:
            sock = socket.create_connection(address, 1)
            sock.sendall(MALFORMED[count % len(MALFORMED)][:2000])
        except OSError:
            continue
        open_.append(sock)
        count += 1
        if len(open_) > 50:
            open_.pop(0).close()
    for sock in open_:
        sock.close()
    return count


def rtp_storm(ports: list[int], stop: threading.Event) -> dict[int, int]:
    """Rubbish from strange sources to media ports; returns how many went to each port."""
    sent = dict.fromkeys(ports, 0)
    source_report = struct.pack(">BBHIQIII", 0x80, 200, 6, 7, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF)
    rubbish: list[Callable[[], bytes]] = [
        lambda: b"",
        lambda: os.urandom(200),
        lambda: bytes(9000),
        lambda: struct.pack(">BBHII", 0x80, 99, 7, 7, 7) + bytes(160),  # a payload type nobody agreed on
        lambda: source_report,
        lambda: struct.pack(">BBHI", 0x81, 203, 1, 7),  # BYE of a stranger
    ]
    round_ = 0
    while not stop.wait(0.01):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:  # another source each time
            for port in ports:
                sock.sendto(rubbish[round_ % len(rubbish)](), ("127.0.0.1", port))
                sent[port] += 1
        round_ += 1
    return sent


def media_ports(recorder: Rig) -> Iterator[int]:
    """The RTP ports of the calls that are open, as the journal names them."""
    from memcon.record import journal

    reader = JournalReader(recorder.home)
    reader.scan()
    while frame := reader.read():
        for record in journal.decode_records(frame.plaintext):
            if isinstance(record, journal.Control) and record.facts["type"] == "call":
                for stream in record.facts["streams"]:
                    yield int(stream["port"])
    reader.close()
