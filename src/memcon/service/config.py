"""The one configuration file, `memcon.toml`: its schema, reading it, and refusing what is wrong.

The whole schema is the table SETTINGS; docs/OPERATIONS.md repeats it and a test compares the two.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from memcon.errors import FormatError, UsageError
from memcon.intake.limits import Limits
from memcon.witness.settings import Notify

if TYPE_CHECKING:
    from collections.abc import Callable

WHAT = "memcon.toml"
_LISTEN = re.compile(r"^(udp|tcp|tls)://(.+):(\d{1,5})$")
_ORIGIN = re.compile(r"^[A-Za-z0-9][A-Za-z0-9.-]*(/[A-Za-z0-9._~-]+)*$")

_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*|[0-9a-f:]*:[0-9a-f:.]*")


class _Wrong(ValueError):
    """A value that is not what its setting expects."""


@dataclass(frozen=True, slots=True)
class SipListen:
    """One place where SIP is heard: `transport` udp, tcp or tls."""

    transport: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Line:
    """A line under recording: the first whose `match` fits the called or calling SIP URI takes the call.

    `match` is a pattern with `*` for any text; without any line there is one, `all`, that takes everything.
    """

    name: str
    match: str = "*"


@dataclass(frozen=True, slots=True)
class IntakeConfig:
    """[intake]: the watched folder (None: none), what may be fetched, and how much a file may ask for."""

    watch: Path | None = None
    fetch: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Speech:
    """How calls are transcribed. `languages`: (pattern, language) for lines, names and addresses."""

    live: bool = True
    model: str = "tiny.en"
    digest: str | None = None
    beam: int = 1
    threads: int = 1
    languages: tuple[tuple[str, str], ...] = ()
    translate: bool = False
    hot_words: tuple[str, ...] = ()


def with_model(speech: Speech, model: str | None) -> Speech:
    """The same with another model; a digest that was set is that of the configured one."""
    return speech if model is None or model == speech.model else replace(speech, model=model, digest=None)


@dataclass(frozen=True, slots=True)
class Config:
    """What memcon.toml says, defaults filled in. `period` in seconds."""

    origin: str
    sip_listen: tuple[SipListen, ...]
    media_address: str
    media_ports: tuple[int, int]
    period: int
    lines: tuple[Line, ...]
    vault_path: Path
    vault_fallback: Path | None
    console_host: str
    console_port: int
    journal_fallback: Path | None = None
    sip_certificate: Path | None = None
    sip_key: Path | None = None
    witness_policy: Path | None = None
    console_url: str | None = None
    console_names: tuple[str, ...] = ()
    console_fetch: bool = True
    metrics_listen: tuple[str, int] | None = None
    overseers: tuple[Path, ...] = ()
    structure_slots: int = 360
    intake: IntakeConfig = field(default_factory=IntakeConfig)
    stamp_authorities: tuple[str, ...] = ()
    stamp_roots: Path | None = None
    drand_source: str | None = None
    speech: Speech = Speech()
    alerts: Notify = field(default_factory=lambda: Notify(sender="memcon@localhost"))

    @property
    def console_address(self) -> str:
        """What people type to reach the console, without a path."""
        host = f"[{self.console_host}]" if ":" in self.console_host else self.console_host
        return self.console_url or f"http://{host}:{self.console_port}"


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _Wrong
    return value


def _host_port(value: str) -> tuple[str, int]:
    host, colon, port = value.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
        raise _Wrong
    return _address(host.removeprefix("[").removesuffix("]")), int(port)


def _address(value: object) -> str:
    try:
        return str(ipaddress.ip_address(_text(value)))
    except ValueError as error:
        raise _Wrong from error


def _authorities(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _Wrong
    found = tuple(_text(item) for item in value)
    if not all(url.startswith(("http://", "https://")) for url in found):
        raise _Wrong
    return found


def _origin(value: object) -> str:
    text = _text(value)
    if not _ORIGIN.match(text) or len(text) > 128:
        raise _Wrong
    return text


def _listen(value: object) -> tuple[SipListen, ...]:
    if not isinstance(value, list):
        raise _Wrong
    found = []
    for item in value:
        match = _LISTEN.match(_text(item))
        if not match:
            raise _Wrong
        host, port = _host_port(f"{match[2]}:{match[3]}")
        found.append(SipListen(match[1], host, port))
    if len(set(found)) != len(found):
        raise _Wrong
    return tuple(found)


def _ports(value: object) -> tuple[int, int]:
    low, dash, high = _text(value).partition("-")
    if not dash or not (low + high).isascii() or not low.isdigit() or not high.isdigit():
        raise _Wrong
    first, last = int(low), int(high)
    if not 1024 <= first < last <= 65535 or last - first < 3:
        raise _Wrong
    return first, last


def _console(value: object) -> tuple[str, int]:
    return _host_port(_text(value))


def _url(value: object) -> str:
    """A place that login links can begin with: no path of its own, no user, a name or address."""
    try:
        parts = urlsplit(_text(value))
        named = bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError as error:
        raise _Wrong from error
    if parts.scheme not in ("http", "https") or not named or parts.path.strip("/") or parts.query:
        raise _Wrong
    return f"{parts.scheme}://{parts.netloc}"


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _Wrong
    found = tuple(_text(item).lower() for item in value)
    if not all(_NAME.fullmatch(name) for name in found):
        raise _Wrong
    return found


def _path(value: object) -> Path:
    return Path(_text(value))


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise _Wrong
    return value


def _paths(value: object) -> tuple[Path, ...]:
    if not isinstance(value, list):
        raise _Wrong
    return tuple(_path(item) for item in value)


def _line_text(value: object) -> str:
    """A text without control characters: it goes into a header or a socket's address."""
    if not isinstance(value, str) or not value.isprintable():
        raise _Wrong
    return value.strip()


def _webhook(value: object) -> str:
    text = _line_text(value)
    if text and not text.startswith(("http://", "https://")):
        raise _Wrong
    return text


def _addresses(value: object) -> tuple[str, ...]:
    """Beginnings of addresses that may be fetched: https, a host, and a slash after it."""
    if not isinstance(value, list):
        raise _Wrong
    found = tuple(_text(item) for item in value)
    for one in found:
        parts = urlsplit(one)
        plain = parts.username is None and not parts.query and not parts.fragment
        if parts.scheme != "https" or not parts.hostname or not parts.path.endswith("/") or not plain:
            raise _Wrong
    return found


def _whole(low: int, high: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise _Wrong
        return value

    return read


def _digest(value: object) -> str:
    text = _text(value).lower()
    if not re.fullmatch("[0-9a-f]{64}", text):
        raise _Wrong
    return text


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _Wrong
    return tuple(_text(item).strip() for item in value)


def _languages(value: object) -> tuple[tuple[str, str], ...]:
    found = []
    for text in _texts(value):
        pattern, equals, language = text.rpartition("=")
        if not equals or not pattern.strip() or not re.fullmatch("[a-z]{2,3}", language.strip()):
            raise _Wrong
        found.append((pattern.strip(), language.strip()))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the schema: where it stands, what it expects in words, its default, how it is read."""

    table: str
    key: str
    expected: str
    default: Any
    read: Callable[[Any], Any] = field(repr=False)
    required: bool = False


SETTINGS: tuple[Setting, ...] = (
    Setting("recorder", "origin",
            "the log's name: a host name you own, and a path if you like", None, _origin, True),
    Setting("sip", "listen",
            'an array of "udp://ADDRESS:PORT", "tcp://ADDRESS:PORT" and "tls://ADDRESS:PORT", none twice',
            ["udp://127.0.0.1:5060", "tcp://127.0.0.1:5060"], _listen),
    Setting("sip", "certificate",
            "a PEM file: the certificate of tls:// and its chain, from the home directory unless absolute",
            None, _path),
    Setting("sip", "key", "a PEM file: the certificate's private key, without a password", None, _path),
    Setting("media", "address", "the IP address that media is sent to", "127.0.0.1", _address),
    Setting("media", "ports", '"FIRST-LAST", at least 4 ports from 1024 to 65535', "20000-29999", _ports),
    Setting("beat", "period",
            "a whole number of seconds from 1 to 60, fixed for the life of the log", 10, _whole(1, 60)),
    Setting("line", "name", "a name, different for each line", None, _text, True),
    Setting("line", "match", "a SIP URI pattern, * for any text", "*", _text),
    Setting("journal", "fallback", "a directory used while the journal cannot be written", None, _path),
    Setting("vault", "path", "a directory, from the home directory unless absolute", "vault", _path),
    Setting("vault", "fallback", "a directory used while the vault cannot be written", None, _path),
    Setting("witness", "policy",
            "a tlog-policy file with the witnesses, their addresses and the quorum, from the home directory "
            "unless absolute", None, _path),
    Setting("timestamps", "authorities",
            "an array of http or https addresses of RFC 3161 authorities, each asked once a day", [],
            _authorities),
    Setting("timestamps", "roots",
            "a PEM file with the authorities' root certificates, from the home directory unless absolute",
            None, _path),
    Setting("drand", "source",
            "the address of quicknet's public/latest, or a file with the same JSON, from the home directory "
            "unless absolute", None, _text),
    Setting("structure", "overseers",
            "an array of overseers' public key files, from the home directory unless absolute", [], _paths),
    Setting("structure", "slots", "beats to a file of their feeds, from 1 to 8640", 360, _whole(1, 8640)),
    Setting("alerts", "webhook", "an http or https address that is told of what kept searches find", "",
            _webhook),
    Setting("alerts", "email", "an address that is written to", "", _line_text),
    Setting("alerts", "smtp", '"HOST" or "HOST:PORT" of the mail server', "localhost:25", _line_text),
    Setting("alerts", "sender", "the address that mail comes from", "memcon@localhost", _line_text),
    Setting("alerts", "syslog", '"/dev/log" or "ADDRESS:PORT"', "", _line_text),
    Setting("intake", "watch",
            "a folder whose files are taken in, from the home directory unless absolute", None, _path),
    Setting("intake", "fetch",
            'an array of "https://HOST/PATH/" below which recordings that a vCon names may be fetched', [],
            _addresses),
    Setting("intake", "size", "the MiB that a file may have, from 1 to 4194304", 65536, _whole(1, 1 << 22)),
    Setting("intake", "hours", "the hours that a file may last, from 1 to 744", 24, _whole(1, 744)),
    Setting("intake", "channels", "the channels that a file may have, from 1 to 256", 64, _whole(1, 256)),
    Setting("intake", "memory",
            "the MiB of memory that reading a file may take, from 512 to 1048576", 2048,
            _whole(512, 1 << 20)),
    Setting("speech", "live", "true or false: transcribe calls while they go on, and after", True, _flag),
    Setting("speech", "model", "a name that faster-whisper knows, or a model's directory", "tiny.en", _text),
    Setting("speech", "digest", "the SHA-256 of the model's model.bin in hex: no other is loaded",
            None, _digest),
    Setting("speech", "beam", "how many readings are weighed, from 1 to 10", 1, _whole(1, 10)),
    Setting("speech", "threads", "how many cores one decode may use, from 1 to 64", 1, _whole(1, 64)),
    Setting("speech", "languages",
            'an array of "PATTERN = LANGUAGE" for lines, names and addresses, * for any text; the first that '
            "fits, else it is found by the model", [], _languages),
    Setting("speech", "translate", "true or false: a translation into English beside the words",
            False, _flag),
    Setting("speech", "hot_words", "an array of names that are likely to be said", [], _texts),
    Setting("metrics", "listen",
            '"ADDRESS:PORT", where /metrics and /healthz are served without a login', None, _console),
    Setting("console", "listen", '"ADDRESS:PORT"', "127.0.0.1:8080", _console),
    Setting("console", "url", '"https://NAME", as people reach the console, through a proxy or not',
            None, _url),
    Setting("console", "names", "an array of further host names that the console answers to", [], _names),
    Setting("console", "fetch",
            "true or false: whether a dossier's page may fetch an address that a person gives", True, _flag),
)  # fmt: skip
ARRAYS = ("line",)


def _line_of(text: str, table: str, key: str | None, nth: int = 0) -> int | None:
    """The line (from 1) of `key` in the nth `table`, or of the table's head."""
    here, seen = "", -1
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        head = re.match(r"^\[\[?\s*([\w.\"-]+)\s*\]\]?", line)
        if head:
            here = head[1].strip('"')
            seen += here == table
            if here == table and key is None and seen == nth:
                return number
        elif key is None:
            if not here and re.match(rf"^\"?{re.escape(table)}\"?\s*[.=]", line):
                return number
        elif here == table and seen == nth and re.match(rf"^\"?{re.escape(key)}\"?\s*=", line):
            return number
    return None


def _refuse(text: str, table: str, key: str | None, problem: str, nth: int = 0) -> FormatError:
    line = _line_of(text, table, key, nth)
    name = f"[{table}]" if key is None else f"[{table}] {key}"
    return FormatError(
        WHAT, f"{name}: {problem}", where=None if line is None else f"line {line}", code="CONFIG"
    )


def _read_table(text: str, table: str, value: object, nth: int = 0) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _refuse(text, table, None, "expected a table")
    rows = {s.key: s for s in SETTINGS if s.table == table}
    for key in value:
        if key not in rows:
            raise _refuse(text, table, key, f"unknown; expected {' or '.join(rows)}", nth)
    found = {}
    for key, setting in rows.items():
        if key not in value and setting.required:
            raise _refuse(text, table, None, f"{key} is missing; expected {setting.expected}", nth)
        given = value.get(key, setting.default)
        try:
            found[key] = None if given is None else setting.read(given)
        except _Wrong:
            raise _refuse(text, table, key, f"is {given!r}; expected {setting.expected}", nth) from None
    return found


def _drand_source(value: str | None, home: Path) -> str | None:
    if value is None or value.startswith(("http://", "https://")):
        return value
    return str(home / value)


def parse(text: str, home: Path) -> Config:
    """Read the text of memcon.toml; raises FormatError with the line and what was expected."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FormatError(WHAT, f"not TOML: {error}", code="CONFIG") from error
    tables = {s.table for s in SETTINGS}
    for table in raw:
        if table not in tables:
            names = ", ".join(f"[{t}]" for t in dict.fromkeys(s.table for s in SETTINGS))
            raise _refuse(text, table, None, f"unknown; expected one of {names}")
    got = {table: _read_table(text, table, raw.get(table, {})) for table in tables - set(ARRAYS)}
    if not isinstance(raw.get("line", []), list):
        raise _refuse(text, "line", None, "expected [[line]]")
    lines = [Line(**_read_table(text, "line", entry, nth)) for nth, entry in enumerate(raw.get("line", []))]
    for nth, line in enumerate(lines):
        if line.name in [other.name for other in lines[:nth]]:
            raise _refuse(text, "line", "name", f"{line.name!r} stands twice", nth)
    certificate, key = got["sip"]["certificate"], got["sip"]["key"]
    if any(end.transport == "tls" for end in got["sip"]["listen"]):
        for name in ("certificate", "key"):
            if got["sip"][name] is None:
                raise _refuse(text, "sip", "listen", f"has tls://, for which [sip] {name} is missing")
    host, port = got["console"]["listen"]
    fallback, journal = got["vault"]["fallback"], got["journal"]["fallback"]
    policy, roots = got["witness"]["policy"], got["timestamps"]["roots"]
    if got["timestamps"]["authorities"] and policy is None:
        raise _refuse(text, "timestamps", "authorities", "stamps cosigned notes: [witness] policy is missing")
    if got["drand"]["source"] is not None and policy is None:
        raise _refuse(text, "drand", "source", "is taken by the witness process: [witness] policy is missing")
    return Config(
        got["recorder"]["origin"],
        got["sip"]["listen"],
        got["media"]["address"],
        got["media"]["ports"],
        got["beat"]["period"],
        tuple(lines) or (Line("all"),),
        home / got["vault"]["path"],
        None if fallback is None else home / fallback,
        host,
        port,
        None if journal is None else home / journal,
        None if certificate is None else home / certificate,
        None if key is None else home / key,
        None if policy is None else home / policy,
        console_url=got["console"]["url"],
        console_names=got["console"]["names"],
        console_fetch=got["console"]["fetch"],
        metrics_listen=got["metrics"]["listen"],
        overseers=tuple(home / path for path in got["structure"]["overseers"]),
        structure_slots=got["structure"]["slots"],
        intake=_intake(got["intake"], home),
        stamp_authorities=got["timestamps"]["authorities"],
        stamp_roots=None if roots is None else home / roots,
        drand_source=_drand_source(got["drand"]["source"], home),
        speech=Speech(**got["speech"]),
        alerts=Notify(**got["alerts"]),
    )


def _intake(got: dict[str, Any], home: Path) -> IntakeConfig:
    watch = got["watch"]
    limits = Limits(got["size"] << 20, got["hours"], got["channels"], got["memory"])
    return IntakeConfig(None if watch is None else home / watch, got["fetch"], limits)


def load(path: Path) -> Config:
    """Read `memcon.toml`. Raises UsageError where there is none, FormatError where it is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UsageError(f"there is no {path}", cure="Make a recorder with: memcon init") from error
    except UnicodeDecodeError as error:
        raise FormatError(WHAT, "not UTF-8", where=error.start, code="CONFIG") from error
    return parse(text, path.parent)


def template(origin: str, *, period: int = 10, sip_port: int | None = 5060, console_port: int = 8080,
             ports: str = "20000-29999") -> str:  # fmt: skip
    """The memcon.toml that `memcon init` writes; without a `sip_port` nothing is recorded, only sealed."""
    ends = "" if sip_port is None else f'"udp://127.0.0.1:{sip_port}", "tcp://127.0.0.1:{sip_port}"'
    return f"""# memcon. Each setting is described in docs/OPERATIONS.md.

[recorder]
origin = "{origin}"

[sip]
listen = [{ends}]

[media]
address = "127.0.0.1"
ports = "{ports}"

[beat]
period = {period}

[vault]
path = "vault"

[console]
listen = "127.0.0.1:{console_port}"
"""
