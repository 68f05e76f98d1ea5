"""SRTP and SRTCP opened: authenticated and decrypted (RFC 3711, RFC 6188, RFC 7714).

For a recorder that only receives. Two things differ from a telephone's: a packet that comes twice is
opened twice, since a duplicate is part of what arrived; and there is no replay window, since nothing
is played. The rollover counter of each source is learned from its packets in their order, so that
whoever reads the same packets again stands where we stood.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.hmac import HMAC

from memcon.wire.rtp import FIXED, is_rtcp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memcon.wire.sdes import CryptoLine, MasterKey, Suite

MAX_SOURCES = 64
"""Sources whose counters are kept; whoever invents SSRCs has to authenticate them first."""
MAX_LINES = 4
"""Key lines of one stream that are tried: a new one at each re-keying, the latest first."""
SEARCH = 16
"""Rollover counters tried for a source that is new: a sender may begin in the middle (RFC 4568 §6.4)."""
SEARCHES = 256
"""Packets for which that is done while none was opened: it costs 16 times as much."""
LOST = 25
"""Packets of a source refused in a row after which its counter is searched for again."""
_BLOCK = 16
_E = 1 << 31
RTP_LABELS, RTCP_LABELS = (0, 1, 2), (3, 4, 5)


def derive(master: MasterKey, label: int, size: int) -> bytes:
    """A session key or salt: AES in counter mode over the label (RFC 3711 §4.3, key derivation rate 0)."""
    # the salt of the AEAD suites has 12 bytes, and stands for the first 12 of 14 (RFC 7714 §11)
    salt = int.from_bytes(master.salt.ljust(14, b"\0"), "big")
    counter = ((salt ^ label << 48) << 16).to_bytes(16, "big")
    stream = Cipher(algorithms.AES(master.key), modes.CTR(counter)).encryptor()
    return stream.update(bytes(size))


class SessionKeys:
    """The session keys of one master key, for RTP or for RTCP."""

    def __init__(self, suite: Suite, master: MasterKey, labels: tuple[int, int, int]) -> None:
        key = derive(master, labels[0], suite.key)
        salt = derive(master, labels[2], suite.salt)
        self.salt_bytes = salt
        self.salt = int.from_bytes(salt, "big")
        self.aead = AESGCM(key) if suite.aead else None
        # one context for all packets of the key: it is set to each packet's counter
        self._cipher = Cipher(algorithms.AES(key), modes.CTR(bytes(_BLOCK))).encryptor()
        self.blocks = Cipher(algorithms.AES(key), modes.ECB()).encryptor().update  # noqa: S305
        """AES of whole blocks: the key stream of counters that somebody has laid out."""
        self._base = self.salt << 16
        auth = b"" if suite.aead else derive(master, labels[1], 20)
        self.hmac = HMAC(auth, SHA1())  # noqa: S303 - the suites' own

    def mac(self, data: bytes | memoryview, rest: bytes) -> bytes:
        """HMAC-SHA1, 20 bytes, by a copy of what is the same for all packets."""
        copy = self.hmac.copy()
        copy.update(data)
        copy.update(rest)
        return copy.finalize()

    def nonce(self, ssrc: int, index: int) -> bytes:
        """The GCM nonce (RFC 7714 §8.1, §9.1): 16 zero bits, SSRC, index of 48 bits, with the salt."""
        return (self.salt ^ (ssrc << 48 | index)).to_bytes(12, "big")

    def crypt(self, ssrc: int, index: int, payload: bytes) -> bytes:
        """A payload in counter mode, either way (§4.1.1): its counter begins as salt + SSRC + index."""
        self._cipher.reset_nonce((self._base ^ ssrc << 64 ^ index << 16).to_bytes(_BLOCK, "big"))
        return self._cipher.update(payload)


@dataclass(slots=True)
class _Source:
    """One SSRC: the highest index (rollover counter, sequence number) that was authenticated."""

    highest: int
    refused: int = 0

    def guess(self, sequence: int) -> int:
        """The index a sequence number most likely has (RFC 3711 §3.3.1, appendix A)."""
        roc, last = self.highest >> 16, self.highest & 0xFFFF
        if last < 0x8000:
            roc -= sequence - last > 0x8000
        else:
            roc += last - 0x8000 > sequence
        return max(roc, 0) << 16 | sequence


class Line:
    """One key line: a session per master key, found by MKI, and the sources heard under it."""

    def __init__(self, line: CryptoLine) -> None:
        self.suite = line.suite
        self.mki_size = len(line.keys[0].mki)
        self.rtp = {key.mki: SessionKeys(line.suite, key, RTP_LABELS) for key in line.keys}
        self.rtcp = {key.mki: SessionKeys(line.suite, key, RTCP_LABELS) for key in line.keys}
        self.sources: dict[int, _Source] = {}
        self.searches = SEARCHES

    # --- RTP ---

    def open_counted(self, packet: bytes) -> bytes | None:
        """Open an RTP packet in counter mode; None if it does not authenticate."""
        size, tag = self.mki_size, self.suite.tag
        end = len(packet) - tag - size
        start = payload_start(packet, end)
        if start is None:
            return None
        keys = self.rtp.get(packet[end : end + size])
        if keys is None:
            return None
        sequence, ssrc = struct.unpack_from(">2xH4xI", packet)
        body, said = packet[:end], packet[end + size :]
        for index in self._candidates(ssrc, sequence):
            if _same(keys.mac(body, (index >> 16).to_bytes(4, "big"))[:tag], said):
                self.heard(ssrc, index)
                return body[:start] + keys.crypt(ssrc, index, body[start:])
        self._refused(ssrc)
        return None

    def open_aead(self, packet: bytes) -> bytes | None:
        """Open an RTP packet of an AEAD suite; None if it does not authenticate."""
        end = len(packet) - self.mki_size  # the MKI stands last (RFC 7714 §8.3)
        start = payload_start(packet, end - self.suite.tag)
        keys = self.rtp.get(packet[end:]) if start is not None else None
        if start is None or keys is None or keys.aead is None:
            return None
        sequence, ssrc = struct.unpack_from(">2xH4xI", packet)
        head, body = packet[:start], packet[start:end]
        for index in self._candidates(ssrc, sequence):
            try:
                plain = keys.aead.decrypt(keys.nonce(ssrc, index), body, head)
            except InvalidTag:
                continue
            self.heard(ssrc, index)
            return head + plain
        self._refused(ssrc)
        return None

    def _candidates(self, ssrc: int, sequence: int) -> list[int]:
        """The indexes to try, most likely first."""
        source = self.sources.get(ssrc)
        if source is not None:
            first = source.guess(sequence)
            if source.refused < LOST or source.refused % LOST:
                return [first]
            roc = first >> 16
            return [first, *((roc + step) << 16 | sequence for step in range(1, SEARCH))]
        if self.searches <= 0:
            return [sequence]
        self.searches -= 1
        return [roc << 16 | sequence for roc in range(SEARCH)]

    def heard(self, ssrc: int, index: int) -> None:
        """A packet of this source and index has authenticated."""
        source = self.sources.get(ssrc)
        if source is None:
            if len(self.sources) >= MAX_SOURCES:
                del self.sources[next(iter(self.sources))]
            self.sources[ssrc] = _Source(index)
            self.searches = SEARCHES
        else:
            source.highest = max(source.highest, index)
            source.refused = 0

    def _refused(self, ssrc: int) -> None:
        source = self.sources.get(ssrc)
        if source is not None:
            source.refused += 1

    # --- RTCP ---

    def open_rtcp(self, packet: bytes) -> bytes | None:
        """Open an SRTCP packet, which names its own index; None if it does not authenticate."""
        # header | encrypted | E and index of 31 bits | MKI | tag (RFC 3711 §3.4);
        # AEAD: header | encrypted, tag within | E and index | MKI (RFC 7714 §9.2)
        tag = 0 if self.suite.aead else self.suite.rtcp_tag
        end = len(packet) - tag - self.mki_size
        if end < 12:
            return None
        keys = self.rtcp.get(packet[end : end + self.mki_size])
        if keys is None:
            return None
        (word,) = struct.unpack_from(">I", packet, end - 4)
        (ssrc,) = struct.unpack_from(">I", packet, 4)
        index, encrypted = word & ~_E, bool(word & _E)
        if keys.aead is not None:
            return self._open_rtcp_aead(keys, packet[:end], ssrc, index, encrypted=encrypted)
        if not _same(keys.mac(packet[:end], b"")[:tag], packet[len(packet) - tag :]):
            return None
        body = packet[8 : end - 4]
        return packet[:8] + (keys.crypt(ssrc, index, body) if encrypted else body)

    @staticmethod
    def _open_rtcp_aead(
        keys: SessionKeys, packet: bytes, ssrc: int, index: int, *, encrypted: bool
    ) -> bytes | None:
        body, word = packet[:-4], packet[-4:]
        if len(body) < 8 + 16 or keys.aead is None:
            return None
        nonce = keys.nonce(ssrc, index)
        try:
            if encrypted:
                return body[:8] + keys.aead.decrypt(nonce, body[8:], body[:8] + word)
            keys.aead.decrypt(nonce, body[-16:], body[:-16] + word)
        except InvalidTag:
            return None
        return body[:-16]


def _same(a: bytes, b: bytes) -> bool:
    # not in constant time: who can measure us here has the packets in hand
    return a == b


def payload_start(packet: bytes, end: int) -> int | None:
    """Where an RTP packet's payload begins if all before it lies within `end`; None for what is no RTP."""
    if end < FIXED or packet[0] >> 6 != 2:
        return None
    start = FIXED + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10:
        if start + 4 > end:
            return None
        start += 4 + 4 * struct.unpack_from(">H", packet, start + 2)[0]
    return start if start <= end else None


class Guard:
    """Opens what comes to one socket of an SRTP stream: RTP, and RTCP where it shares the port."""

    def __init__(self, line: CryptoLine) -> None:
        self._lines = [Line(line)]
        self.opened = 0
        self.refused = 0
        """Packets that no key opens."""

    def rekey(self, line: CryptoLine) -> None:
        """Take up a new key line; packets under the one before may still be on their way."""
        self._lines = [Line(line), *self._lines][:MAX_LINES]

    @property
    def newest(self) -> Line:
        """The key line that is tried first."""
        return self._lines[0]

    def opened_together(self, ssrc: int, highest: int, count: int) -> None:
        """So many packets of a source that has been heard were opened under the newest line."""
        self.newest.heard(ssrc, highest)
        self.opened += count

    def open(self, packets: Sequence[bytes]) -> list[bytes | None]:
        """The packets opened, in their order; None for each that no key authenticates."""
        found: list[bytes | None] = [None] * len(packets)
        left = list(range(len(packets)))
        for line in self._lines:
            if left:
                self._open_by(line, packets, left, found)
                left = [i for i in left if found[i] is None]
        self.opened += len(packets) - len(left)
        self.refused += len(left)
        return found

    @staticmethod
    def _open_by(
        line: Line, packets: Sequence[bytes], which: Sequence[int], found: list[bytes | None]
    ) -> None:
        opening = line.open_aead if line.suite.aead else line.open_counted
        for i in which:
            packet = packets[i]
            found[i] = line.open_rtcp(packet) if is_rtcp(packet) else opening(packet)
