"""A page or feed at an address, fetched because a person asked for it, as a web archive (WARC) of what went
and came.

The other side is nobody's friend: it may answer without end, slowly, or by a redirect into this network.
So: http and https alone, a few redirects, limits of size and time, and an address of this machine or network
is refused unless the person says so; the address that was looked at is the one that is connected to.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import ipaddress
import socket
import ssl
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin, urlsplit

from memcon import __version__
from memcon.clock import NS, SystemClock, utc
from memcon.errors import UsageError

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from memcon.clock import Clock

MOST_BYTES = 16 << 20
MOST_SECONDS = 60
SILENCE = 15.0
"""Seconds that the other side may say nothing."""
MOST_HOPS = 5
_CHUNK = 1 << 16
_REDIRECTS = (301, 302, 303, 307, 308)
_SAFE = "/%:@!$&'()*+,;=~-._"


@dataclass(frozen=True, slots=True)
class _Exchange:
    """One request and its answer."""

    address: str
    at: str
    request: str
    sent: list[tuple[str, str]]
    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes


class Fetcher:
    """Fetches sources. `inside`: addresses of this machine and its network may be asked too."""

    def __init__(self, clock: Clock | None = None, *, inside: bool = False) -> None:
        self._clock = clock or SystemClock()
        self._inside = inside

    def fetch(self, address: str) -> bytes:
        """A WARC of the answer at `address` and of the redirects that led to it. UsageError where there is
        none: what was said instead, and nothing is taken in."""
        until = self._clock.monotonic_ns() + MOST_SECONDS * NS
        found: list[_Exchange] = []
        at = "".join(c for c in address.strip() if c not in "\r\n\t")
        try:
            for _ in range(MOST_HOPS + 1):
                found.append(self._ask(at, until))
                where = _redirect(found[-1])
                if where is None:
                    break
                at = urljoin(at, where)
            else:
                raise UsageError(f"{_shown(address)} leads on and on: more than {MOST_HOPS} redirects")
        except (OSError, http.client.HTTPException, ValueError) as error:
            said = str(error) or type(error).__name__
            raise UsageError(f"{_shown(at)} cannot be fetched: {said}") from error
        last = found[-1]
        if last.status != 200:
            raise UsageError(
                f"{_shown(last.address)} answers {last.status} {last.reason}",
                cure="Nothing was taken in. Look at the address, or take a copy from an archive in as a file",
            )
        if not last.body:
            raise UsageError(f"{_shown(last.address)} answers with nothing")
        return _as_warc(found)

    def _ask(self, address: str, until: int) -> _Exchange:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"{_shown(address)} is no http or https address")
        if parts.username is not None:
            raise UsageError(f"{_shown(parts.hostname)}: an address with a name or password is not fetched")
        connection = self._connect(parts)
        try:
            target = quote(parts.path or "/", safe=_SAFE)
            target += f"?{quote(parts.query, safe=_SAFE + '?')}" if parts.query else ""
            headers = [
                ("Host", parts.netloc.rpartition("@")[2].encode("idna").decode("ascii")),
                ("User-Agent", f"memcon/{__version__}"),
                ("Accept-Encoding", "identity"),
                ("Connection", "close"),
            ]
            connection.putrequest("GET", target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders()
            at = utc(self._clock.wall_ns())
            answer = connection.getresponse()
            body = self._read(answer, until) if answer.status == 200 else b""
            line = f"GET {target} HTTP/1.1"
            told = answer.status, answer.reason, answer.getheaders()
            return _Exchange(address, at, line, headers, *told, body)
        finally:
            connection.close()

    def _read(self, answer: http.client.HTTPResponse, until: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        while chunk := answer.read1(_CHUNK):
            parts.append(chunk)
            size += len(chunk)
            if size > MOST_BYTES:
                raise ValueError(f"it is longer than {MOST_BYTES:,} bytes")
            if self._clock.monotonic_ns() > until:
                raise TimeoutError(f"it had not come whole after {MOST_SECONDS} s")
        due = answer.length
        if due:
            raise ValueError(f"it was cut short: {due:,} bytes are missing")
        return b"".join(parts)

    def _connect(self, parts: SplitResult) -> http.client.HTTPConnection:
        """A connection to an address that was looked at before: a name may lead elsewhere the next time."""
        host, secure = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        made = http.client.HTTPConnection(host, port, timeout=SILENCE)
        plain = socket.create_connection((self._place(host, port), port), timeout=SILENCE)
        try:
            made.sock = (
                ssl.create_default_context().wrap_socket(plain, server_hostname=host) if secure else plain
            )
        except BaseException:
            plain.close()
            raise
        return made

    def _place(self, host: str, port: int) -> str:
        found = [str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        if not self._inside:
            for place in found:
                if not ipaddress.ip_address(place.partition("%")[0]).is_global:
                    raise UsageError(
                        f"{_shown(host)} is an address of this machine or its network ({place})",
                        cure="Save the page and take it in as a file",
                    )
        return found[0]


def _redirect(one: _Exchange) -> str | None:
    if one.status not in _REDIRECTS:
        return None
    found = next((value for name, value in one.headers if name.lower() == "location"), None)
    try:  # headers are read as Latin-1; what is sent is often UTF-8
        return found.encode("latin-1").decode("utf-8") if found is not None else None
    except UnicodeError:
        return found


def _shown(address: str) -> str:
    return "".join(c if c.isprintable() else "\ufffd" for c in address[:200])


def _as_warc(found: list[_Exchange]) -> bytes:
    """Request and response records (ISO 28500), in the order in which they went and came.

    The body stands without its transfer coding, with its length; all other headers as they came.
    """
    out = b""
    for one in found:
        kept = [(n, v) for n, v in one.headers if n.lower() not in ("transfer-encoding", "content-length")]
        kept.append(("Content-Length", str(len(one.body))))
        status = f"HTTP/1.1 {one.status} {one.reason}"
        for kind, line, headers, body in (
            ("request", one.request, one.sent, b""),
            ("response", status, kept, one.body),
        ):
            head = "".join(f"{text}\r\n" for text in (line, *(f"{n}: {v}" for n, v in headers)))
            out += _record(kind, one, head.encode("latin-1", "replace") + b"\r\n" + body)
    return out


def _record(kind: str, one: _Exchange, block: bytes) -> bytes:
    digest = hashlib.sha256(block).digest()
    name = uuid.UUID(bytes=hashlib.sha256(f"{kind} {one.address} {one.at}".encode() + digest).digest()[:16])
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <urn:uuid:{name}>\r\nWARC-Date: {one.at}\r\n"
        f"WARC-Target-URI: {one.address}\r\nContent-Type: application/http; msgtype={kind}\r\n"
        f"WARC-Block-Digest: sha256:{base64.b32encode(digest).decode('ascii')}\r\n"
        f"Content-Length: {len(block)}\r\n\r\n"
    )
    return head.encode("utf-8") + block + b"\r\n\r\n"
