"""What a check can find, and the report it ends in.

Every finding has a stable code. `CODES` is the one table of them: severity, what it says in one
sentence, and the clause that it rests on. docs/CODES.md says what to do about each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from memcon import __version__

ERROR, WARNING, NOTE = "error", "warning", "note"
MAX_PER_CODE = 100
"""Findings kept of one code; the rest is counted. A hostile input must not fill the memory."""

EXIT_OK, EXIT_FINDINGS, EXIT_UNREADABLE, EXIT_LIMITED = 0, 1, 2, 3


class Code(NamedTuple):
    """One row of the table."""

    severity: str
    sentence: str
    clause: str


CODES: dict[str, Code] = {
    # the container and its manifest
    "container-form": Code(ERROR, "The zip container differs from its one permitted form.", "FORMATS §14"),
    "container-crc": Code(ERROR, "The content of an entry does not match its CRC-32.", "FORMATS §14"),
    "container-entry": Code(ERROR, "An entry is missing, stands twice or does not belong.", "FORMATS §14"),
    "manifest-form": Code(ERROR, "The manifest cannot be read.", "FORMATS §14"),
    "manifest-file": Code(ERROR, "An entry differs from what the manifest says of it.", "FORMATS §14"),
    "manifest-facts": Code(ERROR, "Two parts name different logs or calls.", "FORMATS §14"),
    "byte-changed": Code(ERROR, "One byte was changed; its place and old value are known.", "FORMATS §14"),
    # the checkpoint
    "checkpoint-form": Code(ERROR, "The checkpoint is missing or cannot be read.", "C2SP tlog-checkpoint"),
    "checkpoint-origin": Code(
        ERROR, "The checkpoint is of another log than it should be.", "C2SP tlog-checkpoint"
    ),
    "checkpoint-signature": Code(ERROR, "A given key's signature does not hold.", "C2SP signed-note"),
    "checkpoint-unsigned": Code(ERROR, "A given key has not signed the checkpoint.", "C2SP signed-note"),
    "checkpoint-stated": Code(
        ERROR,
        "A key that the log states as its own has not signed, or its signature does not hold.",
        "FORMATS §10",
    ),
    "checkpoint-quorum": Code(ERROR, "No quorum of the given witnesses has cosigned.", "C2SP tlog-policy"),
    "checkpoint-root": Code(
        ERROR, "The log's entries lead to another root than was signed.", "RFC 6962 §2.1"
    ),
    "checkpoint-fork": Code(
        ERROR, "A checkpoint kept from before is not of this log's own past.", "RFC 6962 §2.1.2"
    ),
    "policy-form": Code(WARNING, "The operator's statement of keys cannot be read.", "C2SP tlog-policy"),
    "policy-keys": Code(WARNING, "The operator states other keys than the log's beginning.", "FORMATS §14"),
    # the files of a log
    "log-missing": Code(ERROR, "A file of the log is missing.", "C2SP tlog-tiles"),
    "log-bundle": Code(ERROR, "An entry bundle cannot be read.", "C2SP tlog-tiles"),
    "log-entry": Code(ERROR, "An entry differs from its hash in the tree.", "C2SP tlog-tiles"),
    "log-tile": Code(ERROR, "A tile differs from the hashes of what stands below it.", "C2SP tlog-tiles"),
    "log-partial": Code(ERROR, "An older partial file differs from the present one.", "C2SP tlog-tiles"),
    "log-fork": Code(ERROR, "The log has signed two trees that cannot both be its own.", "RFC 9162 §2.1.4"),
    "log-shrunk": Code(ERROR, "Fewer leaves are served than were before.", "C2SP tlog-tiles"),
    "log-stray": Code(NOTE, "A file stands in the log that no checkpoint accounts for.", "C2SP tlog-tiles"),
    # the evidence beside the tiles
    "note-form": Code(WARNING, "A cosigned note cannot be read, or is not what it is named.", "FORMATS §15"),
    "note-missing": Code(WARNING, "A cosigned note is named and not served.", "FORMATS §15"),
    "note-future": Code(WARNING, "A cosignature is dated after the present.", "FORMATS §15"),
    "evidence-large": Code(
        WARNING, "A file of evidence is larger than any may be, and was not read.", "FORMATS §15"
    ),
    "evidence-shrunk": Code(WARNING, "A file that only grows has become shorter.", "FORMATS §15"),
    "drand-form": Code(
        ERROR, "A drand round that a beat names does not hold, or is not served.", "FORMATS §2, §15"
    ),
    "timestamp-form": Code(
        ERROR, "A time stamp does not hold, or is over no note of this log.", "RFC 3161, FORMATS §15"
    ),
    "silence-form": Code(
        ERROR, "A silence certificate or conflict cannot be read, or contradicts itself.", "FORMATS §16, §17"
    ),
    "silence-signature": Code(
        ERROR, "A signature in a silence certificate or conflict does not hold.", "FORMATS §16, §17"
    ),
    "silence-blocking": Code(
        ERROR, "Those who say that the log was silent are too few for your policy.", "FORMATS §16"
    ),
    "log-withheld": Code(ERROR, "The log had grown, and a smaller one was served.", "FORMATS §17"),
    # public leaves and statements
    "beat-form": Code(ERROR, "A public leaf cannot be read.", "FORMATS §2"),
    "beat-index": Code(ERROR, "A leaf's index is not its place in the log.", "FORMATS §2"),
    "beat-slot": Code(ERROR, "Slots do not increase from leaf to leaf.", "FORMATS §2"),
    "beat-period": Code(ERROR, "A leaf has another period than the log's beginning.", "FORMATS §2"),
    "beat-reference": Code(ERROR, "A leaf refers to a note or a round that cannot be.", "FORMATS §2"),
    "beat-instance": Code(ERROR, "A leaf says that it recorded and names no instance.", "FORMATS §2"),
    "beat-end": Code(ERROR, "A leaf stands after the log's end.", "FORMATS §2"),
    "beat-proof": Code(ERROR, "A leaf is not proved to be in the checkpoint's tree.", "RFC 9162 §2.1.3"),
    "beat-replaced": Code(ERROR, "Two instances share a slot that is not degraded.", "FORMATS §2"),
    "beat-order": Code(ERROR, "The beats of a call do not follow one another.", "FORMATS §14"),
    "beats-form": Code(ERROR, "The file of beats cannot be read or is of another tree.", "FORMATS §13"),
    "genesis-missing": Code(ERROR, "The log does not begin with a genesis leaf.", "FORMATS §2"),
    "genesis-again": Code(ERROR, "A second genesis leaf.", "FORMATS §2"),
    "genesis-form": Code(ERROR, "The genesis leaf says what it must not.", "FORMATS §2"),
    "genesis-statement": Code(ERROR, "The genesis statement contradicts the log.", "FORMATS §10"),
    "statement-missing": Code(ERROR, "A statement that a leaf names is not there.", "FORMATS §10"),
    "statement-hash": Code(ERROR, "A statement does not have the hash it is named by.", "FORMATS §10"),
    "statement-form": Code(ERROR, "A statement cannot be read.", "FORMATS §10"),
    "statement-fit": Code(ERROR, "A statement does not fit the leaf that names it.", "FORMATS §10"),
    "off-undeclared": Code(
        WARNING, "The recorder went off, and no statement says by whom and why.", "FORMATS §10"
    ),
    # call leaves
    "call-form": Code(ERROR, "A call leaf, or the file of them, cannot be read.", "FORMATS §4"),
    "call-beats": Code(ERROR, "A beat of the call has no call leaf, or a call leaf no beat.", "FORMATS §4"),
    "call-place": Code(ERROR, "A call leaf stands elsewhere than it says.", "FORMATS §4"),
    "call-path": Code(ERROR, "A call leaf does not lead to the slot root of its beat.", "FORMATS §3"),
    "call-chain": Code(ERROR, "A call leaf does not follow from the one before.", "FORMATS §4"),
    "call-first": Code(ERROR, "The first leaf of the call is missing, or there are two.", "FORMATS §4"),
    "call-last": Code(ERROR, "A leaf stands after the call's last.", "FORMATS §4"),
    "call-cut": Code(ERROR, "The call had not ended, yet leaves of later beats are left out.", "FORMATS §4"),
    "call-open": Code(NOTE, "The call had not ended when this was made.", "FORMATS §4"),
    "call-sequence": Code(
        ERROR, "Seconds or events of the call are not numbered without a gap.", "FORMATS §4"
    ),
    "call-arithmetic": Code(
        ERROR, "The call has not as many seconds as its time demands.", "FORMATS §4, Arithmetic"
    ),
    "call-totals": Code(ERROR, "The last leaf's totals differ from what is there.", "FORMATS §4"),
    "call-step": Code(NOTE, "The clock was stepped during the call, by the operator's word.", "FORMATS §4"),
    "call-time": Code(ERROR, "The call's start or end does not fit the slot it was sealed in.", "FORMATS §4"),
    "call-counters": Code(ERROR, "Counters of a stream go backwards or the stream vanishes.", "FORMATS §4"),
    # media
    "media-form": Code(ERROR, "The media cannot be read from a place on.", "FORMATS §14"),
    "media-number": Code(ERROR, "A second is not numbered as its place demands.", "FORMATS §7"),
    "media-order": Code(ERROR, "Blocks of a second are out of order.", "FORMATS §7"),
    "media-segment": Code(ERROR, "Seconds do not match their seal.", "FORMATS §7"),
    "media-missing": Code(ERROR, "Seconds that are sealed are not there.", "FORMATS §7"),
    "media-extra": Code(ERROR, "Seconds are there that no leaf has sealed.", "FORMATS §7"),
    "media-call-root": Code(ERROR, "All seconds together do not match the call root.", "FORMATS §4"),
    "media-block": Code(ERROR, "A block contradicts itself or its place.", "FORMATS §6"),
    "media-stream": Code(ERROR, "A block belongs to a stream that the leaf does not list.", "FORMATS §4"),
    "media-arrival": Code(ERROR, "A packet arrived after its block's end.", "FORMATS §6"),
    "media-late": Code(NOTE, "Packets were read after their block had closed.", "FORMATS §6"),
    "media-timestamps": Code(
        WARNING, "A block's least or greatest timestamp is not that of its packets.", "FORMATS §6"
    ),
    "media-received": Code(ERROR, "The packets are not as many as the leaf counts.", "FORMATS §4"),
    "media-empty": Code(ERROR, "A leaf's map of empty seconds differs from the blocks.", "FORMATS §4"),
    "media-withheld": Code(NOTE, "Blocks are withheld; their seals were checked.", "FORMATS §14"),
    # events, stream table, openings, configuration
    "events-form": Code(ERROR, "Events cannot be read.", "FORMATS §8"),
    "events-root": Code(ERROR, "Events do not match their seal.", "FORMATS §8"),
    "streams-form": Code(ERROR, "The stream table cannot be read.", "FORMATS §8"),
    "streams-root": Code(ERROR, "The stream table does not match its seal.", "FORMATS §8"),
    "openings-form": Code(ERROR, "An opening cannot be read, is missing or stands twice.", "FORMATS §4"),
    "openings-seal": Code(ERROR, "An opening does not match its commitment.", "FORMATS §4"),
    "invite-differs": Code(ERROR, "The opened INVITE is not the call's first message.", "FORMATS §4"),
    "config-form": Code(ERROR, "The configuration cannot be read.", "FORMATS §9"),
    "config-root": Code(ERROR, "The configuration does not match the root in the beats.", "FORMATS §9"),
    "config-changed": Code(NOTE, "The configuration changed during the call.", "FORMATS §9"),
    "config-keys": Code(
        WARNING, "The configuration states other log keys than the log's beginning.", "FORMATS §9"
    ),
    "custodians-differ": Code(
        WARNING, "The call names other custodians than the configuration.", "FORMATS §11"
    ),
    "withheld": Code(NOTE, "Something else than media is withheld; its seal was checked.", "FORMATS §14"),
    # the bundle of a dossier
    "dossier-entry": Code(ERROR, "An entry of a dossier cannot be read, or there is none.", "FORMATS §18"),
    "dossier-chain": Code(ERROR, "An entry does not follow from the one before it.", "FORMATS §18"),
    "dossier-note": Code(ERROR, "A NOTE of a dossier cannot be read or does not fit.", "FORMATS §5, §18"),
    "dossier-path": Code(ERROR, "A NOTE does not lead to the slot root of its beat.", "FORMATS §3"),
    "dossier-unsealed": Code(WARNING, "An entry is not sealed in the log.", "FORMATS §18"),
    "dossier-file": Code(ERROR, "A source is not what its entry sealed.", "FORMATS §18"),
    "dossier-withheld": Code(NOTE, "A source is withheld; its entry was checked.", "FORMATS §18"),
    # objects of the vault
    "ocfl-form": Code(ERROR, "The object does not follow OCFL.", "OCFL 1.1 §3"),
    "ocfl-digest": Code(ERROR, "A file differs from its digest.", "OCFL 1.1 §3.5"),
    "ocfl-missing": Code(ERROR, "A file of the object is missing.", "OCFL 1.1 §3.5"),
    "ocfl-stray": Code(WARNING, "A file stands in the object that no inventory names.", "OCFL 1.1 §3.3"),
    "object-file": Code(ERROR, "A file that a call's object must have is missing.", "ARCHITECTURE"),
    "object-id": Code(ERROR, "An object's id or place names another call than it holds.", "OCFL 1.1 §3.5"),
    "object-missing": Code(ERROR, "A call that was sealed has no object in the vault.", "ARCHITECTURE"),
    "object-wraps": Code(
        ERROR, "The wrapped keys or the custodians are not those the call names.", "FORMATS §11"
    ),
    "sealed-form": Code(ERROR, "A file of ciphertexts cannot be read from a place on.", "FORMATS §7, §8"),
    # calls taken in from files
    "intake-form": Code(ERROR, "The statement of a call taken in cannot be read.", "FORMATS §21"),
    "intake-file": Code(ERROR, "A file is missing, or not what was taken in.", "FORMATS §21"),
    "intake-chain": Code(
        ERROR, "Calls taken in are not numbered without a gap, or do not name one another.", "FORMATS §21"
    ),
    "intake-missing": Code(ERROR, "A call was taken in and sealed, and is not kept.", "FORMATS §21"),
    "intake-note": Code(ERROR, "The NOTE of a call taken in cannot be read or does not fit.", "FORMATS §21"),
    "intake-path": Code(ERROR, "The NOTE of a call taken in does not lead to its beat.", "FORMATS §3"),
    "intake-unsealed": Code(NOTE, "A call taken in is not sealed in the log yet.", "FORMATS §21"),
    # an overseer's structure feed, and slot records
    "structure-form": Code(
        ERROR, "A file of a structure feed cannot be read from a place on.", "FORMATS §19"
    ),
    "structure-origin": Code(ERROR, "A file of a structure feed is of another log.", "FORMATS §19"),
    "structure-beat": Code(
        ERROR, "A structure feed tells of a beat that the log does not have.", "FORMATS §19"
    ),
    "slots-form": Code(ERROR, "A file of slot records cannot be read.", "FORMATS §13"),
    "slots-root": Code(ERROR, "A slot's leaves do not lead to the root in its beat.", "FORMATS §3"),
    "slots-leaf": Code(ERROR, "A leaf of a slot contradicts its place or its slot.", "FORMATS §3 to §5"),
    "slots-missing": Code(ERROR, "A beat has no slot record.", "FORMATS §13"),
    "slots-stray": Code(NOTE, "A slot record that no beat of the log came of.", "FORMATS §13"),
    "slots-number": Code(ERROR, "Calls or NOTEs are not numbered without a gap.", "FORMATS §3"),
    "slots-count": Code(ERROR, "A slot counts more or fewer calls or NOTEs than stand in it.", "FORMATS §3"),
    "slots-lane": Code(ERROR, "A lane is used twice, or one call stands in two.", "FORMATS §3"),
    "slots-twin": Code(ERROR, "Two calls carry one handle.", "FORMATS §4"),
    "slots-cut": Code(
        ERROR, "An open call has no leaf in a slot, or not the one that follows.", "FORMATS §4"
    ),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be, or that the reader must know.

    `second` is the second of the call it concerns; `through` the last one, where a seal covers
    several and cannot tell which; `stream` the stream's number.
    """

    code: str
    where: str
    text: str
    second: int | None = None
    through: int | None = None
    stream: int | None = None

    @property
    def severity(self) -> str:
        """`error`, `warning` or `note`."""
        return CODES[self.code].severity

    def to_json(self) -> dict[str, Any]:
        """The finding as docs/VERIFYING.md describes it."""
        return {
            "code": self.code,
            "severity": self.severity,
            "where": self.where,
            "text": self.text,
            "clause": CODES[self.code].clause,
            "second": self.second,
            "through": self.through,
            "stream": self.stream,
        }


@dataclass(slots=True)
class Report:
    """What was checked, what was found, and what was not checked.

    `limits` are the reasons why a check without findings still falls short (no key was given);
    `seconds` are spans of a call's seconds with the beat that sealed them.
    """

    target: str
    kind: str
    headline: str = ""
    findings: list[Finding] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    seconds: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def add(
        self,
        code: str,
        where: str,
        text: str,
        *,
        second: int | None = None,
        through: int | None = None,
        stream: int | None = None,
    ) -> None:
        """Note a finding; past `MAX_PER_CODE` of one code it is only counted."""
        count = self.counts.get(code, 0)
        self.counts[code] = count + 1
        if count < MAX_PER_CODE:
            through = None if through == second else through
            self.findings.append(Finding(code, where, text, second, through, stream))

    def forget(self) -> None:
        """Drop the findings: what they were about is read again from its beginning."""
        self.findings.clear()
        self.counts.clear()

    @property
    def ok(self) -> bool:
        """No error and no warning. Notes do not count."""
        return all(CODES[code].severity == NOTE for code in self.counts)

    @property
    def exit_code(self) -> int:
        """0 nothing found, 1 errors or warnings, 3 nothing found but with a limit."""
        if not self.ok:
            return EXIT_FINDINGS
        return EXIT_LIMITED if self.limits else EXIT_OK

    @property
    def more(self) -> dict[str, int]:
        """How many findings of a code were counted beyond those kept."""
        return {code: n - MAX_PER_CODE for code, n in self.counts.items() if n > MAX_PER_CODE}

    def to_json(self) -> dict[str, Any]:
        """The report as docs/VERIFYING.md describes it."""
        return {
            "memcon_verify": 1,
            "version": __version__,
            "target": self.target,
            "kind": self.kind,
            "ok": self.ok,
            "exit": self.exit_code,
            "headline": self.headline,
            "findings": [finding.to_json() for finding in self.findings],
            "more": self.more,
            "checked": self.checked,
            "limits": self.limits,
            "not_checked": self.not_checked,
            "facts": self.facts,
            "seconds": self.seconds,
        }
