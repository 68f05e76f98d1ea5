"""rtpengine's NG control protocol: a bencoded dictionary behind a cookie, one UDP datagram each way."""

from __future__ import annotations

import itertools
import re
import socket
from collections.abc import Mapping
from typing import Any

Value = int | str | bytes | list["Value"] | Mapping[str, "Value"]
TRIES = 5
WAIT_S = 0.5  # for an answer, before the same cookie is sent again: the daemon answers it once only
LARGEST = 65_536
_MEDIA_PORT = re.compile(rb"^m=audio (\d+) ", re.MULTILINE)


def bencode(value: Value) -> bytes:
    """Numbers, texts, lists and dictionaries with text keys, in order of their keys."""
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, str):
        return bencode(value.encode())
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, list):
        return b"l" + b"".join(map(bencode, value)) + b"e"
    pairs = sorted((key.encode(), item) for key, item in value.items())
    return b"d" + b"".join(bencode(key) + bencode(item) for key, item in pairs) + b"e"


def bdecode(data: bytes) -> Any:  # noqa: ANN401  what it holds is for the caller to know
    """Texts come back as bytes, keys as str. Raises ValueError."""
    value, end = _read(data, 0)
    if end != len(data):
        raise ValueError(f"{len(data) - end} bytes behind a bencoded value")
    return value


def _read(data: bytes, at: int) -> tuple[Any, int]:
    head = data[at : at + 1]
    if head == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1 : end]), end + 1
    if head in (b"l", b"d"):
        items, at = [], at + 1
        while data[at : at + 1] != b"e":
            item, at = _read(data, at)
            items.append(item)
        if head == b"l":
            return items, at + 1
        return {key.decode(): item for key, item in zip(items[::2], items[1::2], strict=True)}, at + 1
    colon = data.index(b":", at)
    end = colon + 1 + int(data[at:colon])
    if end > len(data):
        raise ValueError("a bencoded text is cut off")
    return data[colon + 1 : end], end


class Refused(Exception):
    """The daemon said no, or nothing."""


class NgClient:
    """One blocking client of a daemon that listens on loopback."""

    def __init__(self, port: int) -> None:
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.connect(("127.0.0.1", port))
        self._sock.settimeout(WAIT_S)
        self._cookies = itertools.count(1)

    def ask(self, command: str, **facts: Value) -> Mapping[str, Any]:
        """Raises Refused with the daemon's reason."""
        cookie = b"bench%d " % next(self._cookies)
        asked: dict[str, Value] = {key.replace("_", "-"): value for key, value in facts.items()}
        message = cookie + bencode(asked | {"command": command})
        for _ in range(TRIES):
            self._sock.send(message)
            try:
                said = self._sock.recv(LARGEST)
                while not said.startswith(cookie):  # the answer to an earlier one that was asked twice
                    said = self._sock.recv(LARGEST)
            except (TimeoutError, ConnectionRefusedError):
                continue
            answer: dict[str, Any] = bdecode(said[len(cookie) :])
            if answer["result"] in (b"ok", b"pong"):
                return answer
            raise Refused(f"{command}: {answer.get('error-reason', b'').decode()}")
        raise Refused(f"{command}: no answer")

    def close(self) -> None:
        self._sock.close()


def offer_sdp(port: int) -> bytes:
    """One G.711 A-law stream that is received at `port` of this machine."""
    return (
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=sendrecv\r\n"
    ).encode()


def media_port(sdp: bytes) -> int:
    """The port of the first audio stream."""
    found = _MEDIA_PORT.search(sdp)
    if found is None:
        raise Refused(f"no audio stream in {sdp!r}")
    return int(found[1])
