"""Trust policies: which logs and witnesses count, and how many (C2SP tlog-policy, June 2026).

    log <vkey> [<url>]
    witness <name> <vkey> [<url>]
    group <name> all|any|<k> <member>...
    quorum <name>|none

Names are opaque; a name is a member of at most one group; a key appears once; a group and the
quorum refer to names defined above them. Space and tab divide; `#` starts a comment line.

memcon adds one rule: **quorums must overlap.** Where two quorums can be disjoint, two witnesses'
worlds can each see a log of their own, so such a policy is refused with the two quorums that show
it. An `any` group of witnesses inside another group is one operator with several keys and counts
as one; at the top it would be several operators of whom one suffices, which never overlaps. Keys of one name
that would count more than once are refused: a witness has one name, whatever keys it signs with.

Timestamps are POSIX seconds; 0 makes no statement and counts for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.cosignature import Cosignature, verifier
from memcon.tlog.note import (
    COSIGNATURE_ED25519,
    COSIGNATURE_MLDSA44,
    ED25519,
    Note,
    SignatureError,
    Verifier,
    VerifierKey,
    verify,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

MAX_POLICY_SIZE = 1 << 24
MAX_LOGS = 4096
MAX_LINES = 256
"""Witnesses, and names in all; the specification asks for 32 of each, and a witness may serve many logs."""

_LOG_KINDS = (ED25519, COSIGNATURE_MLDSA44)
_WITNESS_KINDS = (COSIGNATURE_ED25519, COSIGNATURE_MLDSA44)

Stamp = tuple[str, int]
"""A witness's name in the policy, and the timestamp of a cosignature of its."""


class PolicyError(FormatError):
    """A policy that does not follow its format, or whose quorums can be disjoint."""


@dataclass(frozen=True, slots=True)
class Log:
    """A log whose checkpoints count; its origin is the key's name."""

    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness by its name in the policy."""

    name: str
    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """At least `threshold` of the members, each a witness or a group."""

    name: str
    threshold: int
    members: tuple[Witness | Group, ...]

    def is_operator(self) -> bool:
        """Whether, inside another group, this is one operator with several keys."""
        return self.threshold == 1 and all(isinstance(member, Witness) for member in self.members)


Node = Witness | Group


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a policy says of a note whose known signatures all verify.

    `log_keys` are the log's keys that signed it; `stamps` the cosignatures by the policy's
    witnesses; `quorum_time` the earliest time at which they made a quorum, None if they do not.
    """

    checkpoint: Checkpoint
    log_keys: tuple[VerifierKey, ...]
    stamps: tuple[Stamp, ...]
    quorum_time: int | None


@dataclass(frozen=True, slots=True)
class Policy:
    """A parsed policy; `quorum` is None where the policy says `none`."""

    logs: tuple[Log, ...]
    witnesses: tuple[Witness, ...]
    quorum: Node | None
    _verifiers: dict[VerifierKey, Verifier] = field(repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        keys = [log.key for log in self.logs] + [witness.key for witness in self.witnesses]
        self._verifiers.update((key, verifier(key)) for key in keys)

    @classmethod
    def parse(cls, data: bytes, *, overlap: bool = True) -> Policy:
        """Read a policy file; raises `PolicyError` or, for a vkey, `PublicKeyError`.

        `overlap=False` lets pass what only the log's own signature is asked of (`quorum none`) and
        policies whose quorums can be disjoint.
        """
        policy = _Reader().read(data)
        if overlap:
            policy.check_overlap()
        return policy

    def check_overlap(self) -> None:
        """Raise `PolicyError` if two disjoint sets of witnesses could each make a quorum."""
        if self.quorum is None:
            raise PolicyError("policy", "asks no witness", where="quorum", cure="Name a quorum of witnesses")
        pair = _disjoint(self.quorum, top=True)
        if pair is not None:
            one, other = (", ".join(sorted(names)) for names in pair)
            problem = f"quorums can be disjoint: {one!r} and {other!r}"
            cure = "Ask for more than half; put one operator's keys into one 'any' group inside a group"
            raise PolicyError("policy", problem, where="quorum", cure=cure)
        _check_operators(self.quorum)

    def quorum_time(self, stamps: Iterable[Stamp]) -> int | None:
        """The earliest T at which the cosignatures dated up to T make a quorum; None if all do not."""
        if self.quorum is None:
            return None
        earliest: dict[str, int] = {}
        for name, timestamp in stamps:
            if timestamp:
                earliest[name] = min(timestamp, earliest.get(name, timestamp))
        return _time(self.quorum, earliest)

    def satisfied(self, names: Collection[str]) -> bool:
        """Whether cosignatures by these witnesses, all with a timestamp, make a quorum (`none`: always)."""
        return self.quorum is None or _time(self.quorum, dict.fromkeys(names, 1)) is not None

    def age_time(self, stamps: Iterable[Stamp]) -> int | None:
        """The time up to which a note is surely fresh: in each k-of-n group the (f + 1)-th latest stamp.

        f = 2k - n - 1 members (none if that is negative) may lie without two honest quorums parting;
        an operator's stamp is the latest of its keys. None if fewer than f + 1 members of a group
        have one.
        """
        if self.quorum is None:
            return None
        latest: dict[str, int] = {}
        for name, timestamp in stamps:
            if timestamp:
                latest[name] = max(timestamp, latest.get(name, timestamp))
        return _age(self.quorum, latest)

    def blocking(self, names: Collection[str]) -> bool:
        """Whether no quorum can be made without one of these witnesses, each operator counted once."""
        return self.quorum is not None and _blocks(self.quorum, names, top=True)

    def blocking_time(self, stamps: Iterable[Stamp]) -> int | None:
        """The latest T such that the cosignatures dated T or later are by a blocking set; None if none are.

        This is the T of a silence certificate.
        """
        names: set[str] = set()
        for timestamp, name in sorted(((time, name) for name, time in stamps if time), reverse=True):
            names.add(name)
            if self.blocking(names):
                return timestamp
        return None

    def evaluate(self, note: Note) -> Verdict:
        """Check a log's note: its own signature and its cosignatures.

        Raises `SignatureError` if a known key's signature fails or no listed log with the
        checkpoint's origin signed it, `CheckpointError` if the text is no checkpoint. A missing
        quorum raises nothing: `quorum_time` is None then.
        """
        checkpoint = Checkpoint.parse(note.text)
        logs = {log.key: log for log in self.logs if log.key.name == checkpoint.origin}
        witnesses = {witness.key: witness.name for witness in self.witnesses}
        keys = {self._verifiers[key]: key for key in (*logs, *witnesses)}
        log_keys, stamps = [], []
        for signature, checker in verify(note, keys):
            key = keys[checker]
            if key in logs:
                log_keys.append(key)
            else:
                stamps.append((witnesses[key], Cosignature.parse(signature.blob).timestamp))
        if not log_keys:
            raise SignatureError("note", "not signed by a log of the policy", where=checkpoint.origin)
        return Verdict(checkpoint, tuple(log_keys), tuple(stamps), self.quorum_time(stamps))


def _check_operators(quorum: Node) -> None:
    """Raise `PolicyError` where keys of one witness's name would count as two operators."""
    counted: dict[str, tuple[str, str]] = {}
    for witness, operator in _operators(quorum, top=True):
        other, named = counted.setdefault(witness.key.name, (operator, witness.name))
        if other != operator:
            problem = f"{named!r} and {witness.name!r} are keys of one witness, {witness.key.name!r}"
            cure = "Put one operator's keys into one 'any' group inside a group: they count once"
            raise PolicyError("policy", problem, where="quorum", cure=cure)


def _operators(node: Node, *, top: bool = False) -> Iterator[tuple[Witness, str]]:
    """Each witness that a quorum may count, and the name under which it is counted."""
    if isinstance(node, Witness):
        yield node, node.name
    else:
        for member in node.members:
            for witness, name in _operators(member):
                yield witness, node.name if node.is_operator() and not top else name


def _time(node: Node, earliest: dict[str, int]) -> int | None:
    if isinstance(node, Witness):
        return earliest.get(node.name)
    times = [time for member in node.members if (time := _time(member, earliest)) is not None]
    return sorted(times)[node.threshold - 1] if len(times) >= node.threshold else None


def _age(node: Node, latest: dict[str, int]) -> int | None:
    if isinstance(node, Witness):
        return latest.get(node.name)
    times = [time for member in node.members if (time := _age(member, latest)) is not None]
    liars = max(0, 2 * node.threshold - len(node.members) - 1)
    return sorted(times, reverse=True)[liars] if len(times) > liars else None


def _blocks(node: Node, names: Collection[str], *, top: bool = False) -> bool:
    if isinstance(node, Witness):
        return node.name in names
    blocked = sum(_blocks(member, names) for member in node.members)
    # For an operator inside a group, one key speaks for all of them.
    needed = 1 if node.is_operator() and not top else len(node.members) - node.threshold + 1
    return blocked >= needed


def _some_quorum(node: Node) -> frozenset[str]:
    if isinstance(node, Witness):
        return frozenset((node.name,))
    return frozenset[str]().union(*map(_some_quorum, node.members[: node.threshold]))


def _disjoint(node: Node, *, top: bool = False) -> tuple[frozenset[str], frozenset[str]] | None:
    """Two disjoint sets of witnesses that both satisfy the node, None if there are none.

    Members share no witness, so the question falls apart: a member that can be satisfied twice
    serves both sides, any other only one. k of n with d such members: both sides find k if and
    only if 2k <= n + d.
    """
    if isinstance(node, Witness) or (node.is_operator() and not top):
        return None
    pairs = {member: _disjoint(member) for member in node.members}
    doubles = [pair for pair in pairs.values() if pair is not None][: node.threshold]
    singles = [_some_quorum(member) for member, pair in pairs.items() if pair is None]
    missing = node.threshold - len(doubles)
    if len(singles) < 2 * missing:
        return None
    return (
        frozenset[str]().union(*(one for one, _ in doubles), *singles[:missing]),
        frozenset[str]().union(*(other for _, other in doubles), *singles[missing : 2 * missing]),
    )


class _Reader:
    """Reads the lines of one policy file."""

    def __init__(self) -> None:
        self._logs: list[Log] = []
        self._witnesses: list[Witness] = []
        self._nodes: dict[str, Node] = {}
        self._members: set[str] = set()
        self._keys: set[tuple[str, bytes]] = set()
        self._quorums: list[Node | None] = []
        self._where = "line 0"

    def read(self, data: bytes) -> Policy:
        if len(data) > MAX_POLICY_SIZE:
            raise PolicyError("policy", f"longer than {MAX_POLICY_SIZE} bytes", where="length")
        handlers = {"log": self._log, "witness": self._witness, "group": self._group, "quorum": self._quorum}
        for number, line in enumerate(data.split(b"\n"), 1):
            self._where = f"line {number}"
            if any((byte < 0x20 and byte != 0x09) or byte == 0x7F for byte in line):
                raise self._error("control character")
            # Opaque octets: bytes above ASCII that are no UTF-8 survive as lone surrogates.
            text = line.decode("utf-8", "surrogateescape").replace("\t", " ")
            words = [word for word in text.split(" ") if word]
            if not words or words[0].startswith("#"):
                continue
            handler = handlers.get(words[0])
            if handler is None:
                raise self._error(f"unknown keyword {words[0]!r}")
            handler(words[1:])
        if len(self._quorums) != 1:
            raise PolicyError("policy", f"{len(self._quorums)} quorum lines, not one", where="quorum")
        return Policy(tuple(self._logs), tuple(self._witnesses), self._quorums[0])

    def _error(self, problem: str) -> PolicyError:
        return PolicyError("policy", problem, where=self._where)

    def _log(self, items: list[str]) -> None:
        if len(items) not in (1, 2):
            raise self._error("a log line has a vkey and perhaps a URL")
        key = self._key("log", items[0], _LOG_KINDS)
        self._logs.append(Log(key, items[1] if len(items) == 2 else None))
        self._limit(self._logs, MAX_LOGS)

    def _witness(self, items: list[str]) -> None:
        if len(items) not in (2, 3):
            raise self._error("a witness line has a name, a vkey and perhaps a URL")
        key = self._key("witness", items[1], _WITNESS_KINDS)
        witness = Witness(items[0], key, items[2] if len(items) == 3 else None)
        self._define(witness)
        self._witnesses.append(witness)
        self._limit(self._witnesses)

    def _key(self, role: str, text: str, kinds: tuple[int, ...]) -> VerifierKey:
        key = VerifierKey.parse(text)
        if key.kind not in kinds:
            raise self._error(f"a key of type {key.kind:02x} is no {role}'s")
        if (role, key.public_key) in self._keys:
            raise self._error(f"this {role}'s key stands in an earlier line")
        self._keys.add((role, key.public_key))
        return key

    def _group(self, items: list[str]) -> None:
        if len(items) < 3:
            raise self._error("a group line has a name, a threshold and members")
        name, threshold, *members = items
        count = len(members)
        needed = {"all": count, "any": 1}.get(threshold) or self._number(threshold)
        if not 1 <= needed <= count:
            raise self._error(f"{needed} of {count} members cannot be asked")
        self._define(Group(name, needed, tuple(self._member(member) for member in members)))
        self._limit(self._nodes)

    def _number(self, text: str) -> int:
        if not (text.isascii() and text.isdecimal()) or text.startswith("0") or len(text) > 4:
            raise self._error(f"threshold {text!r} is not all, any or a number")
        return int(text)

    def _member(self, name: str) -> Node:
        if name not in self._nodes:
            raise self._error(f"unknown member {name!r}")
        if name in self._members:
            raise self._error(f"{name!r} is already a member of a group")
        self._members.add(name)
        return self._nodes[name]

    def _quorum(self, items: list[str]) -> None:
        if len(items) != 1:
            raise self._error("a quorum line has one name")
        if items[0] != "none" and items[0] not in self._nodes:
            raise self._error(f"unknown quorum {items[0]!r}")
        self._quorums.append(self._nodes.get(items[0]))

    def _define(self, node: Node) -> None:
        if node.name == "none" or node.name in self._nodes:
            raise self._error(f"the name {node.name!r} is taken")
        self._nodes[node.name] = node

    def _limit(self, held: Collection[object], most: int = MAX_LINES) -> None:
        if len(held) > most:
            raise self._error(f"more than {most} logs, witnesses or names")
