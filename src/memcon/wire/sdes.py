"""SRTP keys in session descriptions: read, chosen, answered, and taken out of what is shown (RFC 4568).

The keys of a call open what anyone on the way may have taken down of it. They are therefore kept apart
from the messages they came in: `conceal` blanks them, `reveal` puts them back, byte for byte.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcon.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_KEYS = 16
MAX_MKI = 128


@dataclass(frozen=True, slots=True)
class Suite:
    """A crypto suite: sizes in bytes of master key, master salt, and of the tags of RTP and RTCP packets."""

    name: str
    key: int
    salt: int
    tag: int
    rtcp_tag: int
    aead: bool = False


# RFC 4568 §6.2, RFC 6188 §4, RFC 7714 §14; the short tag is of RTP packets alone (RFC 4568 §6.2.2).
SUITES = {
    suite.name: suite
    for suite in (
        Suite("AEAD_AES_256_GCM", 32, 12, 16, 16, aead=True),
        Suite("AEAD_AES_128_GCM", 16, 12, 16, 16, aead=True),
        Suite("AES_256_CM_HMAC_SHA1_80", 32, 14, 10, 10),
        Suite("AES_256_CM_HMAC_SHA1_32", 32, 14, 4, 10),
        Suite("AES_CM_128_HMAC_SHA1_80", 16, 14, 10, 10),
        Suite("AES_CM_128_HMAC_SHA1_32", 16, 14, 4, 10),
    )
}
# What changes nothing for a receiver: a replay window is not kept, and each SRTCP packet says itself
# whether it is encrypted.
_HARMLESS = re.compile(r"WSH=\d{1,5}|KDR=0|UNENCRYPTED_SRTCP", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MasterKey:
    """One master key; `mki` names it in each packet, b"" where packets carry none."""

    key: bytes
    salt: bytes
    mki: bytes = b""


@dataclass(frozen=True, slots=True)
class CryptoLine:
    """The value of an a=crypto line that can be used. `tag` is echoed in the answer."""

    tag: str
    suite: Suite
    keys: tuple[MasterKey, ...]


def parse(text: str) -> CryptoLine:
    """Read a line's value. Raises FormatError for a suite, key or session parameter we cannot work with."""
    # crypto-attribute = tag 1*WSP crypto-suite 1*WSP key-params *(1*WSP session-param)
    # key-params = key-param *(";" key-param);  key-param = "inline:" key-info
    words = text.split()
    if len(words) < 3 or not (words[0].isascii() and words[0].isdigit() and len(words[0]) <= 9):
        raise FormatError("a=crypto", "no tag, suite and key")
    suite = SUITES.get(words[1].upper())
    if suite is None:
        raise FormatError("a=crypto", f"suite {words[1][:40]!r} is unknown")
    unknown = [word for word in words[3:] if not _HARMLESS.fullmatch(word)]
    if unknown:
        raise FormatError("a=crypto", f"session parameter {unknown[0][:40]!r} is not kept")
    keys = tuple(_key(part, suite) for part in words[2].split(";") if part)
    if not 1 <= len(keys) <= MAX_KEYS:
        raise FormatError("a=crypto", f"{len(keys)} keys")
    names = {key.mki for key in keys}
    if len(names) != len(keys) or len({len(name) for name in names}) != 1:
        raise FormatError("a=crypto", "keys without a name each, of one length")
    return CryptoLine(words[0], suite, keys)


def _key(text: str, suite: Suite) -> MasterKey:
    # key-info = key-salt ["|" lifetime] ["|" mki];  mki = mki-value ":" mki-length
    method, colon, info = text.partition(":")
    if method.lower() != "inline" or not colon:
        raise FormatError("a=crypto", f"key method {method[:20]!r}")
    encoded, *rest = info.split("|")
    try:
        material = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise FormatError("a=crypto", "the key is not base64") from error
    if len(material) != suite.key + suite.salt:
        wanted = suite.key + suite.salt
        raise FormatError("a=crypto", f"{len(material)} bytes of key and salt, {suite.name} has {wanted}")
    mki = b""
    for part in rest:
        value, is_mki, length = part.partition(":")
        if is_mki:  # without a colon it is the key's lifetime, which the sender minds
            mki = _mki(value, length)
    return MasterKey(material[: suite.key], material[suite.key :], mki)


def _mki(value: str, length: str) -> bytes:
    digits = value.isascii() and value.isdigit() and length.isascii() and length.isdigit()
    if not digits or len(value) > 300 or not 1 <= int(length[:4]) <= MAX_MKI:
        raise FormatError("a=crypto", f"MKI {value[:20]!r}:{length[:5]!r}")
    size = int(length)
    if int(value) >> 8 * size:
        raise FormatError("a=crypto", f"an MKI that does not fit {size} bytes")
    return int(value).to_bytes(size, "big")


def choose(lines: Iterable[str]) -> tuple[str, CryptoLine] | None:
    """The first line, by the offerer's order, that can be used; None where none can."""
    for text in lines:
        try:
            return text, parse(text)
        except FormatError:
            continue
    return None


def answer(offered: CryptoLine, material: bytes) -> str:
    """Our own line: the offered tag and suite, and a key for what we would send (we never do)."""
    encoded = base64.b64encode(material).decode("ascii")
    return f"{offered.tag} {offered.suite.name} inline:{encoded}"


# A key line wherever our reader of descriptions would see one: it takes blanks before, lone CR as a line
# end, and either case. k= is the older way to name a key (RFC 4566 §5.12).
_LINE = re.compile(rb"(?:\A|(?<=[\r\n]))[ \t\0]*(?:[aA]=[ \t\0]*crypto[ \t\0]*:|k=)[^\r\n]*", re.IGNORECASE)
_SECRET = re.compile(rb"((?:inline|clear|base64)[ \t]*:)([^|;\s]+)", re.IGNORECASE)
_BEFORE_SECRET = (b"inline", b"clear", b"base64")


def conceal(message: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """The message with each key blanked, of the same length, and the key lines as they stood, in order."""
    lowered = message.lower()
    if not any(word in lowered for word in _BEFORE_SECRET):  # most: looking at each line takes long
        return message, ()
    lines: list[bytes] = []

    def blank(found: re.Match[bytes]) -> bytes:
        line = found.group(0)
        blanked = _SECRET.sub(lambda m: m.group(1) + b"*" * len(m.group(2)), line)
        if blanked != line:
            lines.append(line)
        return blanked

    return _LINE.sub(blank, message), tuple(lines)


def reveal(concealed: bytes, lines: Sequence[bytes]) -> bytes:
    """The message as it was, from both parts of `conceal`. Raises FormatError where they do not fit."""
    left = list(reversed(lines))

    def restore(found: re.Match[bytes]) -> bytes:
        line = found.group(0)
        if _SECRET.search(line) is None:
            return line
        if not left or conceal(left[-1])[0] != line:
            raise FormatError("key lines", "do not belong to this message")
        return left.pop()

    whole = _LINE.sub(restore, concealed)
    if left:
        raise FormatError("key lines", "do not belong to this message")
    return whole
