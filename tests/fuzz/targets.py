"""What is fuzzed: every reader of bytes that others made, its seeds, and what must hold whatever it is fed.

A target takes bytes. FormatError (RefusedError, of a file) is how it refuses them; any other error is a
finding, and so is a law that does not hold. Seeds are vectors, the messages of the tests, and real clients'
bodies where they are.
"""

from __future__ import annotations

import base64
import json
import struct
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
from tests.intake.test_packets import A, B, fragments, pcap, udp
from tests.intake.test_sip_streams import connection
from tests.intake.test_vcon import a_vcon
from tests.record.conftest import ROUNDTRIPS, VECTORS
from tests.wire.conftest import BODIES, METADATA, OFFER, SIPREC, TCP, UDP, Bench, invite, request
from tests.wire.srtp_sender import Sender

from memcon.errors import FormatError
from memcon.intake import packets, vcon_file
from memcon.intake.limits import Limits
from memcon.intake.sniff import HEAD, sniff
from memcon.service import config
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.cosignature import Cosignature
from memcon.tlog.note import Note, VerifierKey
from memcon.tlog.policy import Policy
from memcon.tlog.proof import InclusionProof
from memcon.tlog.tiles import decode_bundle, encode_bundle
from memcon.tlog.witness import AddCheckpoint, read_answer, read_size
from memcon.verify import verify_bundle
from memcon.verify.dossier import verify_dossier
from memcon.wire import events as ev
from memcon.wire import multipart, rtcp, rtp, sdes, sdp, session_timer, sip, siprec, vendors
from memcon.wire.address import parse_address, parse_uri, parse_via
from memcon.wire.framing import StreamParser
from memcon.wire.srtp import Guard

if TYPE_CHECKING:
    from collections.abc import Callable


class LawBrokenError(Exception):
    """Something that must hold for every input did not."""


@dataclass(frozen=True)
class Target:
    """A reader: its seeds, and the run of one input."""

    name: str
    seeds: tuple[bytes, ...]
    run: Callable[[bytes], object]


def holds(condition: bool, law: str) -> None:
    if not condition:
        raise LawBrokenError(law)


# --- SIP and what it carries ---

REAL = tuple(path.read_bytes() for path in sorted(BODIES.iterdir())) if BODIES.is_dir() else ()
KEY = base64.b64encode(bytes(30)).decode()
SECURE = OFFER.replace(b"RTP/AVP", b"RTP/SAVP").replace(
    b"a=label:1", f"a=label:1\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^31|1:4".encode()
)
CUBE = 'X-Cisco-Recording-Participant: "A" <sip:1@192.0.2.1>;media-index="0 1"'
TIMED = ["Require: siprec", "Session-Expires: 90;refresher=uas", "Allow: UPDATE", "Supported: timer"]
MESSAGES = (
    invite(),
    invite(content="application/sdp", body=SECURE),
    invite(more=TIMED),
    invite(content="application/sdp", body=OFFER, more=[CUBE]),
    request("ACK", to_tag="id1"),
    request("BYE", cseq=9, to_tag="id1"),
    request("OPTIONS"),
    request("CANCEL"),
    request("UPDATE", cseq=2, to_tag="id1", content="application/rs-metadata+xml", body=METADATA),
    request("PRACK", cseq=3, to_tag="id1"),
    request("INFO", cseq=4, to_tag="id1", content=SIPREC[0], body=SIPREC[1]),
    b"SIP/2.0 200 OK\r\n" + request().split(b"\r\n", 1)[1],
)


VENDORS = (
    CUBE.encode(),
    b'X-Cisco-Recording-Participant: sip:1708@192.0.2.1;media-index="0 2"',
    b"X-Cisco-Recording-Participant: <sip:1@[::1]>;media-index=1\r\nCisco-Guid: 1-2-3-4",
    b"Session-ID: ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000",
)


def _sip(data: bytes) -> None:
    message = sip.parse(data)
    holds(message.raw in data, "a message is a part of what was read")
    session_timer.negotiate(message)
    vendors.links(vendors.links_of(message), vendors.recording_of(message))


def _stream(data: bytes) -> None:
    """Where a stream is cut never changes what comes out."""
    whole = [_shown(item) for item in StreamParser().feed(data)]
    parser, found = StreamParser(), list[str]()
    cuts = sorted({0, len(data), *(crc32(data, n) % (len(data) + 1) for n in range(5))})
    for a, b in pairwise(cuts):
        found += [_shown(item) for item in parser.feed(data[a:b])]
    holds(found == whole, "cutting a stream changed its messages")


def _shown(item: object) -> str:
    return item.raw.hex() if isinstance(item, sip.Message) else repr(item)


def _server(data: bytes) -> None:
    """A server in the middle of a call takes anything, by datagram and by stream, then lets time pass."""
    bench = Bench()
    bench.server = type(bench.server)(bench, bench._new_id, new_key=bytes)
    bench.feed(invite())
    for transport in (UDP, TCP):
        for output in bench.feed(data, transport):
            if isinstance(output, ev.Send):
                holds(
                    output.data.endswith(b"\r\n") or b"\r\n\r\n" in output.data,
                    "an answer that is no message",
                )
    bench.wait(200_000_000_000)
    bench.feed(request("OPTIONS", branch="z9hG4bKlast"))
    holds(bench.statuses() == [200], "the server does not answer any more")


def _multipart(data: bytes) -> None:
    for kind in ("multipart/mixed;boundary=b1", "multipart/mixed", "application/sdp", ""):
        for part in multipart.parse(kind, data).parts:
            part.content()


def _sdp(data: bytes) -> None:
    read = sdp.parse(data)
    lines = [sdp.Accept(4000 + 2 * m.index) for m in read.media]
    ours = sdp.answer(read, lines, address="192.0.2.1", session_id=1, version=1)
    again = sdp.parse(ours)
    holds(len(again.media) == len(read.media), "an answer has not as many lines as its offer")


def _address(data: bytes) -> None:
    text = data.decode("utf-8", "backslashreplace")
    for read in (parse_address, parse_uri, parse_via):
        try:
            read(text)
        except FormatError:
            continue


def _sdes(data: bytes) -> None:
    blanked, lines = sdes.conceal(data)
    holds(len(blanked) == len(data), "a blanked message has another length")
    holds(not sdes.conceal(blanked)[1] or b"*" in data, "a blanked message still has keys")
    if b"*" not in data:
        holds(sdes.reveal(blanked, lines) == data, "keys put back do not make the message again")
    sdes.parse(data.decode("utf-8", "backslashreplace"))


# --- media ---

PACKETS = tuple(rtp.packetise(bytes(800), 0, ssrc=7))
REPORT = bytes.fromhex("80c80006") + bytes(24) + bytes.fromhex("81ca0003") + b"\0\0\0\1\1\3abc\0\0\0"
SENDER = Sender("AES_CM_128_HMAC_SHA1_80", bytes(range(30)), b"\0\1")


def _rtp(data: bytes) -> None:
    """One packet and many at once are read alike."""
    buffer = np.frombuffer(data + bytes(12), np.uint8)
    rows = rtp.parse_headers(buffer, np.array([0]), np.array([min(len(data), 65_535)], np.uint16))
    try:
        one = rtp.parse(data[:65_535])
    except FormatError:
        holds(not rows["valid"][0], "a packet that is none was taken in a batch")
        raise
    holds(bool(rows["valid"][0]) and int(rows["ssrc"][0]) == one.ssrc, "batch and single reading differ")


def _srtp(data: bytes) -> None:
    guard = Guard(sdes.parse(SENDER.line()))
    holds(guard.open([data])[0] is None or data in SRTP, "a forged packet was opened")


SRTP = (*(SENDER.rtp(packet) for packet in PACKETS), SENDER.rtcp(REPORT))

# --- files taken in ---

CALL = [
    *((0.1 * n, udp(A, 5060, B, 5060, message)) for n, message in enumerate(MESSAGES[:5])),
    *((1 + 0.02 * n, udp(A, 4000, B, 4002, packet)) for n, packet in enumerate(PACKETS * 2)),
    *((2.0, part) for part in fragments(udp(A, 4000, B, 4002, bytes(3000)))),
    (2.1, udp("fd00::1", 4000, "fd00::2", 4002, PACKETS[0])),
    *((2.2, one) for one in connection(A, B, MESSAGES[0] + MESSAGES[1], sizes=(40, 700, 1))),
    *((2.3, one) for one in connection("fd00::1", "fd00::2", MESSAGES[2])),
]


def _ng(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + size + body + size


PCAPNG = (
    _ng(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    + _ng(1, struct.pack("<HHIHHIHH", 101, 0, 0, 9, 1, 9, 0, 0))
    + b"".join(
        _ng(6, struct.pack("<IIIII", 0, 0, n * 20_000_000, len(one), len(one)) + one + bytes(-len(one) % 4))
        for n, (_at, one) in enumerate(CALL)
    )
)
CAPTURES = (
    pcap(CALL),
    pcap(CALL, order=">", nano=True),
    PCAPNG,
    pcap([(0, b"\0" * 12 + b"\x81\0\0\1\x08\0" + CALL[0][1])], link=1),
)
VCONS = tuple(
    json.dumps(one).encode()
    for one in (
        a_vcon(b"RIFF"),
        a_vcon(b"x", mimetype="audio/wav", content_hash="sha512-abcd", url="https://h/x"),
        {"payload": base64.urlsafe_b64encode(json.dumps(a_vcon(b"x")).encode()).decode(), "signatures": []},
    )
)


def _file(read: Callable[[Path], object]) -> Callable[[bytes], None]:
    """A reader of a file, fed by one file that is written again and again (in memory where that is)."""
    memory = Path("/dev/shm")
    held = tempfile.NamedTemporaryFile(dir=memory if memory.is_dir() else None)  # noqa: SIM115 - kept open

    def run(data: bytes) -> None:
        held.seek(0)
        held.truncate()
        held.write(data)
        held.flush()
        read(Path(held.name))

    return run


def _packets(path: Path) -> None:
    head = path.read_bytes()
    packets.analyse(path, sniff(head[:HEAD], len(head)), Limits(), damaged=True)


# --- what is sealed, logged and configured ---


def _negative() -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for row in json.loads((VECTORS / "negative.json").read_text("ascii")):
        found.setdefault(row["reader"], []).append(bytes.fromhex(row["bytes"]))
    return found


def _roundtrip(again: Callable[[bytes], bytes]) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        holds(again(data) == data, "read and written again it is not the same")

    return run


def _vector(name: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((VECTORS / f"{name}.json").read_text("ascii"))
    return found


NOTE = b"log.example\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\xe2\x80\x94 log.example AAAAAAAA\n"
PROOF = b"c2sp.org/tlog-proof@v1\nindex 1\nAAAA\n\n" + NOTE
POLICY = b"log log.example+00000000+AAAA\nwitness w1 w+00000000+AAAA\ngroup g all w1\nquorum g\n"
TOML = b'[recorder]\norigin = "a.example"\n[sip]\nlisten = ["tls://[::1]:5061"]\n[[line]]\nname = "x"\n'


def _note(data: bytes) -> None:
    note = Note.parse(data)
    Checkpoint.parse(note.text)


REQUEST = (
    b"old 5\n"
    + (base64.b64encode(bytes(32)) + b"\n") * 2
    + b"\nlog.example\n7\n"
    + base64.b64encode(bytes(32))
    + b"\n\n\xe2\x80\x94 log.example AAAAAAAA\n"
)


def _request(data: bytes) -> None:
    asked = AddCheckpoint.parse(data)
    holds(asked.to_bytes() == data, "read and written again it is not the same")
    Checkpoint.parse(asked.note.text)


def _answer(data: bytes) -> None:
    try:
        read_size(data)
    except FormatError:
        read_answer(data)


def _entries(data: bytes) -> None:
    holds(encode_bundle(decode_bundle(data, 3)) == data, "read and written again it is not the same")


def _vendors(data: bytes) -> None:
    """Headers of exchanges, put where they stand."""
    message = sip.parse(
        MESSAGES[0].replace(b"Max-Forwards", data[:8000].replace(b"\r\n\r\n", b"") + b"\r\nMax-Forwards", 1)
    )
    vendors.links(vendors.links_of(message), vendors.recording_of(message))


def _config(home: Path) -> Callable[[bytes], object]:
    return lambda data: config.parse(data.decode("utf-8", "backslashreplace"), home)


def targets(home: Path) -> tuple[Target, ...]:
    """All of them; `home` stands in for a home directory and is not touched."""
    bundle = bytes.fromhex(_vector("bundle")["container"])
    negative = _negative()
    return (
        Target("sip", MESSAGES, _sip),
        Target("sip-stream", tuple(a + b for a in MESSAGES for b in MESSAGES), _stream),
        Target("sip-server", MESSAGES, _server),
        Target("multipart", (SIPREC[1], *REAL), _multipart),
        Target("sdp", (OFFER, SECURE), _sdp),
        Target("metadata", (METADATA, *REAL), siprec.parse),
        Target("address", (b'"A" <sip:a@[::1]:5060;lr?x=y>;tag=1', b"SIP/2.0/UDP h:1;branch=z"), _address),
        Target("sdes", (SECURE, b"1 AES_CM_128_HMAC_SHA1_80 inline:" + KEY.encode() + b"|2^31|1:4"), _sdes),
        Target("rtp", PACKETS, _rtp),
        Target("rtcp", (REPORT,), rtcp.parse),
        Target("srtp", SRTP, _srtp),
        Target("vendors", VENDORS, _vendors),
        Target("pcap", CAPTURES, _file(_packets)),
        Target("vcon", VCONS, _file(vcon_file.read)),
        Target("add-checkpoint", (REQUEST,), _request),
        Target("witness-answer", (b"12\n", NOTE.split(b"\n\n")[1]), _answer),
        Target("entry-bundle", (encode_bundle([bytes(256), b"", b"abc"]),), _entries),
        Target("note", (NOTE,), _note),
        Target("verifier-key", (b"log.example+00000000+AAAA",), lambda d: VerifierKey.parse(_ascii(d))),
        Target("policy", (POLICY,), Policy.parse),
        Target("cosignature", (bytes(72),), Cosignature.parse),
        Target(
            "inclusion-proof", (b"c2sp.org/tlog-proof@v1\nindex 1\nAAAA\n\n" + NOTE,), InclusionProof.parse
        ),
        Target("verify-bundle", (bundle,), verify_bundle),
        Target("verify-dossier", (bytes.fromhex(_vector("dossier_bundle")["small"]),), verify_dossier),
        Target("configuration", (TOML,), _config(home)),
        *(
            Target(name, tuple(negative.get(name, [b""])), _roundtrip(again))
            for name, again in ROUNDTRIPS.items()
        ),
    )


def _ascii(data: bytes) -> str:
    return data.decode("latin-1")
