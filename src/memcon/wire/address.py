"""SIP addresses and header parameters: URIs, name-addr, Via, parameter lists (RFC 3261 §19.1, §20, §25.1).

Everything here is text that a peer wrote. A reader raises `FormatError` only where nothing useful
could be kept; a user part that is no user part, or a port that is no number, is kept as text.
"""

from __future__ import annotations

from dataclasses import dataclass

from memcon.errors import FormatError

Params = tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class Uri:
    """One URI. `host` is lower case, without IPv6 brackets; for `tel:` it is empty and `user` the number."""

    raw: str
    scheme: str
    user: str | None
    host: str
    port: int | None
    params: Params

    def param(self, name: str) -> str | None:
        """The value of a parameter; "" if it stands without a value; None if it is not there."""
        return param(self.params, name)


@dataclass(frozen=True, slots=True)
class Address:
    """A From, To, Contact or Record-Route value: display name, URI and header parameters."""

    raw: str
    display: str
    uri_text: str
    uri: Uri | None
    params: Params

    @property
    def tag(self) -> str | None:
        """The dialog tag, None when there is none (an empty tag counts as none)."""
        return param(self.params, "tag") or None

    def has(self, name: str) -> bool:
        """Whether the header parameter is there, with or without a value."""
        return param(self.params, name) is not None


@dataclass(frozen=True, slots=True)
class Via:
    """One Via value: `protocol` is the transport in upper case, `port` None when not stated."""

    raw: str
    protocol: str
    host: str
    port: int | None
    params: Params

    @property
    def branch(self) -> str | None:
        """The transaction's branch parameter."""
        return param(self.params, "branch") or None

    @property
    def wants_rport(self) -> bool:
        """Whether the sender asks for symmetric response routing (RFC 3581)."""
        return param(self.params, "rport") is not None


def param(params: Params, name: str) -> str | None:
    """The first parameter of that name (any case): its value, "" without one, None if absent."""
    name = name.lower()
    for key, value in params:
        if key == name:
            return "" if value is None else value
    return None


def split_outside(text: str, separator: str) -> list[str]:
    """Split at a separator that stands neither in "quotes" nor in <angles>.

    A quote that is never closed is an ordinary character: real display names hold lone quotes.
    """
    parts: list[str] = []
    start, i, depth = 0, 0, 0
    while i < len(text):
        c = text[i]
        if c == '"':
            closing = _closing_quote(text, i)
            i = closing if closing is not None else i
        elif c == "<":
            depth = 1 if ">" in text[i:] else 0
        elif c == ">":
            depth = 0
        elif c == separator and not depth:
            parts.append(text[start:i])
            start = i + 1
        i += 1
    parts.append(text[start:])
    return parts


def _closing_quote(text: str, opening: int) -> int | None:
    i = opening + 1
    while i < len(text):
        if text[i] == "\\":
            i += 1
        elif text[i] == '"':
            return i
        i += 1
    return None


def split_list(text: str) -> list[str]:
    """The members of a comma-separated header value, stripped, empty ones left out."""
    return [part.strip() for part in split_outside(text, ",") if part.strip()]


def parse_params(text: str) -> Params:
    """Read `;name=value;flag` (generic-param): names in lower case, quotes taken off values."""
    # generic-param = token [ EQUAL gen-value ];  EQUAL = SWS "=" SWS
    found: list[tuple[str, str | None]] = []
    for piece in split_outside(text, ";"):
        name, equals, value = piece.partition("=")
        if name.strip():
            found.append((name.strip().lower(), unquote(value.strip()) if equals else None))
    return tuple(found)


def unquote(text: str) -> str:
    """Take the quotes off a quoted-string and resolve its backslashes; other text stays as it is."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    out: list[str] = []
    i = 1
    while i < len(text) - 1:
        if text[i] == "\\" and i + 1 < len(text) - 1:
            i += 1
        out.append(text[i])
        i += 1
    return "".join(out)


def parse_host_port(text: str) -> tuple[str, int | None]:
    """`host[:port]`, `[v6]:port`. Raises FormatError for an empty host or a port that is none."""
    text = text.strip()
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or not host:
            raise FormatError("SIP address", f"IPv6 reference without end: {text[:60]!r}", where="host")
        rest = rest.strip()
        colon, port = rest[:1], rest[1:]
        if colon not in ("", ":"):
            raise FormatError("SIP address", f"text after the IPv6 reference: {text[:60]!r}", where="host")
    else:
        # hostport = host [ ":" port ]; some senders put blanks around the colon (allowed in Via only)
        host, colon, port = text.partition(":")
        host = host.strip()
    if not host:
        raise FormatError("SIP address", "the host is empty", where="host")
    if not colon:
        return host.lower(), None
    port = port.strip()
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) < 65536):
        raise FormatError("SIP address", f"{port[:20]!r} is no port", where="port")
    return host.lower(), int(port)


def parse_uri(text: str) -> Uri:
    """Read a sip:, sips: or tel: URI, or any other scheme without looking inside.

    Raises FormatError when there is no scheme, host or number.
    """
    # SIP-URI = "sip:" [ userinfo ] hostport uri-parameters [ headers ]
    text = text.strip()
    scheme, colon, rest = text.partition(":")
    scheme = scheme.lower()
    if not colon or not scheme or not rest or not scheme.replace("+", "a").replace("-", "a").isalnum():
        raise FormatError("SIP URI", f"no scheme in {text[:60]!r}", where="scheme")
    if scheme not in ("sip", "sips"):
        user, _, params = rest.partition(";")
        return Uri(text, scheme, user, "", None, parse_params(params))
    # Senders leave "@" and ";" unescaped in the user part: the last "@" before the host counts.
    userinfo, at, hostpart = rest.rpartition("@")
    hostpart, _, _headers = hostpart.partition("?")
    hostport, _, params = hostpart.partition(";")
    host, port = parse_host_port(hostport)
    name = userinfo.partition(":")[0] if at else None
    return Uri(text, scheme, name, host, port, parse_params(params))


def parse_address(text: str) -> Address:
    """Read `"Name" <uri>;params` or `uri;params`.

    Raises FormatError when an angle never closes or no address is left.
    """
    # name-addr = [ display-name ] LAQUOT addr-spec RAQUOT
    # Without angles the parameters belong to the header, not to the URI (§20.10).
    text = text.strip()
    opening = _opening_angle(text)
    if opening is not None:
        closing = text.find(">", opening)
        if closing < 0:
            raise FormatError("SIP address", f"'<' without '>' in {text[:60]!r}", where="address")
        display = unquote(text[:opening].strip())
        uri_text, rest = text[opening + 1 : closing].strip(), text[closing + 1 :]
        rest = rest.partition(";")[2]
    else:
        display = ""
        uri_text, _, rest = text.partition(";")
        uri_text = uri_text.strip()
    if not uri_text:
        raise FormatError("SIP address", "the address is empty", where="address")
    try:
        uri: Uri | None = parse_uri(uri_text)
    except FormatError:
        uri = None  # kept as text: SEMS and others put plain names here
    return Address(text, display, uri_text, uri, parse_params(rest))


def _opening_angle(text: str) -> int | None:
    i = 0
    while i < len(text):
        if text[i] == '"':
            closing = _closing_quote(text, i)
            i = closing if closing is not None else i
        elif text[i] == "<":
            return i
        i += 1
    return None


def parse_via(text: str) -> Via:
    """Read one Via value. Raises FormatError when protocol or host cannot be read."""
    # via-parm = sent-protocol LWS sent-by *( SEMI via-params )
    # sent-protocol = "SIP" SLASH "2.0" SLASH transport;  SLASH = SWS "/" SWS
    head, _, params = text.strip().partition(";")
    pieces = [piece.strip() for piece in head.split("/", 2)]
    if len(pieces) != 3 or pieces[0].upper() != "SIP" or pieces[1] != "2.0":
        raise FormatError("SIP Via", f"no SIP/2.0 protocol in {text[:60]!r}", where="Via")
    transport_and_host = pieces[2].split(None, 1)
    if len(transport_and_host) != 2:
        raise FormatError("SIP Via", f"no sent-by in {text[:60]!r}", where="Via")
    host, port = parse_host_port(transport_and_host[1])
    return Via(text.strip(), transport_and_host[0].upper(), host, port, parse_params(params))
