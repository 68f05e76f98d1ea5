"""An SRTP sender written straight after RFC 3711 and RFC 7714, packet by packet: the other side of the tests.

It shares nothing with the reader but the AES of OpenSSL, and is itself checked against libsrtp where that
knows the suite.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from memcon.wire.sdes import SUITES


def prf(key: bytes, salt: bytes, label: int, size: int) -> bytes:
    x = bytearray(salt.ljust(14, b"\0"))
    x[7] ^= label
    return Cipher(algorithms.AES(key), modes.CTR(bytes(x) + b"\0\0")).encryptor().update(bytes(size))


class Sender:
    """Protects packets of one master key; `mki` is put into each."""

    def __init__(self, suite: str, material: bytes, mki: bytes = b"") -> None:
        self.suite, self.mki = SUITES[suite], mki
        self.material = material
        key, salt = material[: self.suite.key], material[self.suite.key :]
        self.keys = [prf(key, salt, n, size) for n, size in enumerate((len(key), 20, len(salt)) * 2)]
        self.roc = 0
        self.last = -1
        self.index = 0

    def line(self, tag: int = 1, lifetime: str = "") -> str:
        """The a=crypto value."""
        text = f"{tag} {self.suite.name} inline:{base64.b64encode(self.material).decode()}"
        text += f"|{lifetime}" if lifetime else ""
        return text + (f"|{int.from_bytes(self.mki, 'big')}:{len(self.mki)}" if self.mki else "")

    def rtp(self, packet: bytes) -> bytes:
        """Protect an RTP packet; sequence numbers go up, and the counter with them."""
        (sequence,) = struct.unpack_from(">H", packet, 2)
        self.roc += sequence < self.last - 0x8000
        self.last = sequence
        start = 12 + 4 * (packet[0] & 15)
        if packet[0] & 16:
            start += 4 + 4 * struct.unpack_from(">H", packet, start + 2)[0]
        ssrc, index = packet[8:12], self.roc.to_bytes(4, "big") + packet[2:4]
        head, body = packet[:start], packet[start:]
        if self.suite.aead:
            iv = self._xor(b"\0\0" + ssrc + index, self.keys[2])
            return head + AESGCM(self.keys[0]).encrypt(iv, body, head) + self.mki
        secret = head + self._ctr(self.keys[0], self.keys[2], ssrc, index, body)
        mac = hmac.digest(self.keys[1], secret + index[:4], "sha1")
        return secret + self.mki + mac[: self.suite.tag]

    def rtcp(self, packet: bytes, *, encrypt: bool = True) -> bytes:
        """Protect an RTCP packet, under an index that goes up."""
        self.index += 1
        word = struct.pack(">I", self.index | (1 << 31 if encrypt else 0))
        ssrc, head, body = packet[4:8], packet[:8], packet[8:]
        if self.suite.aead:
            iv = self._xor(b"\0\0" + ssrc + b"\0\0" + struct.pack(">I", self.index), self.keys[5])
            gcm = AESGCM(self.keys[3])
            if encrypt:
                return head + gcm.encrypt(iv, body, head + word) + word + self.mki
            return packet + gcm.encrypt(iv, b"", packet + word) + word + self.mki
        index = b"\0\0" + struct.pack(">I", self.index)
        secret = head + (self._ctr(self.keys[3], self.keys[5], ssrc, index, body) if encrypt else body) + word
        return secret + self.mki + hmac.new(self.keys[4], secret, hashlib.sha1).digest()[:10]

    @staticmethod
    def _ctr(key: bytes, salt: bytes, ssrc: bytes, index: bytes, body: bytes) -> bytes:
        iv = Sender._xor(bytes(4) + ssrc + index + bytes(2), salt + bytes(2))
        return Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor().update(body)

    @staticmethod
    def _xor(a: bytes, b: bytes) -> bytes:
        return bytes(x ^ y for x, y in zip(a, b, strict=True))
