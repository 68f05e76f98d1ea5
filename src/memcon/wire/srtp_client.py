"""SRTP and SRTCP made, for the calls that we place ourselves (RFC 3711, RFC 6188, RFC 7714).

The recorder sends no media; this is the recording client's side, for load and tests of the whole.
"""

from __future__ import annotations

import base64
import struct
from typing import TYPE_CHECKING

from memcon.errors import LocalError
from memcon.wire.sdes import SUITES
from memcon.wire.srtp import RTCP_LABELS, RTP_LABELS, SessionKeys, payload_start

if TYPE_CHECKING:
    from memcon.wire.sdes import CryptoLine

ENCRYPTED = 1 << 31


def key_bytes(suite: str) -> int:
    """How many random bytes of key and salt a line of this suite takes. Raises LocalError."""
    found = SUITES.get(suite)
    if found is None:
        raise LocalError(f"crypto suite {suite!r}: none of {', '.join(SUITES)}")
    return found.key + found.salt


def crypto_line(suite: str, material: bytes, tag: int = 1) -> str:
    """The value of an a=crypto line with this key and salt (RFC 4568, section 9.1)."""
    return f"{tag} {suite} inline:{base64.b64encode(material).decode('ascii')}"


class Protector:
    """Protects the packets of one stream under the first key of a line."""

    def __init__(self, line: CryptoLine) -> None:
        master = line.keys[0]
        self._suite, self._mki = line.suite, master.mki
        self._rtp = SessionKeys(line.suite, master, RTP_LABELS)
        self._rtcp = SessionKeys(line.suite, master, RTCP_LABELS)
        self._reports = 0

    @property
    def trailer(self) -> int:
        """Bytes that an RTP packet grows by."""
        return self._suite.tag + len(self._mki)

    def rtp(self, packet: bytes, roc: int) -> bytes:
        """An RTP packet protected; `roc` is how often its source's sequence number has wrapped around."""
        start = payload_start(packet, len(packet))
        if start is None:
            raise LocalError("what is to be protected is no RTP packet")
        sequence, ssrc = struct.unpack_from(">2xH4xI", packet)
        index, keys = roc << 16 | sequence, self._rtp
        head, body = packet[:start], packet[start:]
        if keys.aead is not None:
            return head + keys.aead.encrypt(keys.nonce(ssrc, index), body, head) + self._mki
        secret = head + keys.crypt(ssrc, index, body)
        return secret + self._mki + keys.mac(secret, roc.to_bytes(4, "big"))[: self._suite.tag]

    def rtcp(self, packet: bytes) -> bytes:
        """An RTCP packet protected and encrypted, under an index that goes up."""
        self._reports += 1
        (ssrc,) = struct.unpack_from(">I", packet, 4)
        word = struct.pack(">I", ENCRYPTED | self._reports)
        head, body, keys = packet[:8], packet[8:], self._rtcp
        if keys.aead is not None:
            nonce = keys.nonce(ssrc, self._reports)
            return head + keys.aead.encrypt(nonce, body, head + word) + word + self._mki
        secret = head + keys.crypt(ssrc, self._reports, body) + word
        return secret + self._mki + keys.mac(secret, b"")[: self._suite.rtcp_tag]
