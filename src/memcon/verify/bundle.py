"""A bundle: one call that a stranger can check (FORMATS §14).

The order is that of trust: the checkpoint's signature, the beats in its tree, the call leaves under
the beats, and everything else under the leaves. A finding never ends the check.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.record import dating
from memcon.record.bundle import STATEMENT_PREFIX
from memcon.record.call import CAUSES
from memcon.record.segment import KIND_RTP
from memcon.tlog.policy import Policy
from memcon.verify import audio, container, openings
from memcon.verify.calls import Call, read_beats, read_leaves
from memcon.verify.dating import date_seconds
from memcon.verify.findings import Report
from memcon.verify.keys import Trust, check_stated, read_checkpoint
from memcon.verify.seconds import MATCH, check_media, report_states, seal_states
from memcon.verify.words import count

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from memcon.record.statement import Genesis
    from memcon.verify.calls import ProvenBeats
    from memcon.verify.container import Buffer, Contents
    from memcon.verify.keys import SignedCheckpoint


CUT_SHORT = frozenset({3, 6, 7})
"""Causes of an end that the recorder made while the parties may have gone on talking."""


def verify_bundle(
    data: Buffer,
    trusted: Trust | None = None,
    *,
    target: str = "bundle",
    audio_to: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Check a bundle (bytes or a memoryview over a map of the file) and write its audio if asked to.

    Whatever the bundle holds, the answer is a report; only `audio_to` can raise OSError.
    """
    trusted = trusted or Trust()
    report = Report(target, "call")
    contents = container.read(report, data)
    if contents is None:
        report.headline = "This cannot be read as a bundle."
        return report
    note, notes = contents.get("checkpoint"), contents.get(dating.NAME)
    signed = read_checkpoint(report, None if note is None else bytes(note), trusted, quorum=notes is None)
    beats, genesis = check_log(report, contents, signed, trusted)
    stated = None if genesis is None else genesis.keys
    size = None if signed is None else signed.checkpoint.size
    call = read_leaves(report, contents.get("leaves.mcl"), beats, contents.call, size)
    _check_contents(report, contents, call, stated, audio_to, progress)
    date_seconds(
        report,
        None if notes is None else bytes(notes),
        beats,
        genesis,
        None if signed is None else signed.checkpoint,
        trusted.policy,
    )
    _say_not_checked(report)
    report.headline = headline(report, call)
    return report


def check_log(
    report: Report,
    contents: Contents,
    signed: SignedCheckpoint | None,
    trusted: Trust,
    *,
    leaps: bool = False,
) -> tuple[ProvenBeats, Genesis | None]:
    """The beats of a bundle under its checkpoint, its statements, and the keys that the operator states."""
    if signed is not None and contents.origin not in (None, signed.checkpoint.origin):
        text = f"names the log {contents.origin!r}, the checkpoint {signed.checkpoint.origin!r}"
        report.add("manifest-facts", "manifest.json", text)
    raw = contents.get("beats.mcb")
    checkpoint = None if signed is None else signed.checkpoint
    beats = read_beats(report, None if raw is None else bytes(raw), checkpoint, leaps=leaps)
    if not leaps:  # gaps and restarts are told of what is consecutive
        beats.check.facts()

    def fetch(name: str) -> bytes | None:
        view = contents.get(name)
        return None if view is None else bytes(view)

    genesis = beats.check.check_statements(fetch)
    named = {STATEMENT_PREFIX + digest.hex() for digest in beats.check.named}
    for name in contents.entries:
        if name.startswith(STATEMENT_PREFIX) and name not in named:
            report.add("container-entry", name, "no beat here names this statement")
    stated = None if genesis is None else genesis.keys
    if signed is not None and stated is not None:
        check_stated(report, signed, stated, trusted)
    _check_policy(report, fetch("policy"), stated)
    return beats, genesis


def _check_policy(report: Report, data: bytes | None, stated: Sequence[str] | None) -> None:
    """The bundle's own policy informs; it decides nothing."""
    if data is None:
        return
    try:
        keys = [str(log.key) for log in Policy.parse(data, overlap=False).logs]
    except FormatError as error:
        report.add("policy-form", "policy", str(error))
        return
    report.facts["keys, as the bundle's own policy states them"] = keys
    if stated is not None and sorted(keys) != sorted(stated):
        report.add("policy-keys", "policy", "states other log keys than the genesis statement")


def _check_contents(
    report: Report,
    contents: Contents,
    call: Call,
    stated: Sequence[str] | None,
    audio_to: Path | None,
    progress: Callable[[int, int], None] | None,
) -> None:
    shown = openings.Shown()
    parts = {name: contents.get(name) for name in ("events.mcb", "streams.mcb", "openings.mcb", "config.mcb")}
    raw = {name: bytes(view) for name, view in parts.items() if view is not None}
    if "events.mcb" in raw:
        openings.check_events(report, raw["events.mcb"], call, shown)
    if "streams.mcb" in raw:
        openings.check_streams(report, raw["streams.mcb"], call, shown)
    if "openings.mcb" in raw:
        openings.check_openings(report, raw["openings.mcb"], call, shown)
    if "config.mcb" in raw:
        openings.check_config(report, raw["config.mcb"], call, stated, shown)
    if shown.withheld:
        report.add("withheld", "bundle", ", ".join(shown.withheld))
    if contents.get("media.mcb") is None:
        report_states(report, call, seal_states(call, ()), 0, "media.mcb")
        return
    media = check_media(report, contents, call, progress)
    if audio_to is not None:
        audio.write(report, media, shown.streams, audio_to)


def headline(report: Report, call: Call) -> str:
    """The one sentence that the report proves, never more."""
    good = sum(s["last"] - s["first"] + 1 for s in report.seconds if s["state"] == MATCH)
    due = sum(s["last"] - s["first"] + 1 for s in report.seconds)
    if not report.ok:
        found = count(sum(report.counts.values()), "finding")
        return f"Call {call.number}: {found}; {good:,} of {count(due, 'second')} match their seals."
    whole = (
        "from its first second to its last"
        if call.last is not None
        else "as far as it goes: it had not ended"
    )
    by = "a log whose key nobody has vouched for here" if report.limits else "the log whose key you gave"
    withheld = ", except that parts are withheld" if report.counts.get("media-withheld") else ""
    return (
        f"The recording of call {call.number} is unaltered since it was sealed, and whole {whole}{withheld}: "
        f"{good:,} of {count(due, 'second')} match the seals in {by}.{_but(call)}"
    )


def _but(call: Call) -> str:
    """What that sentence alone leaves out: packets that never came, an end nobody on the call made."""
    parts = ""
    streams = call.leaves[-1].leaf.streams if call.leaves else ()
    missing = sum(max(0, s.expected - (s.received - s.duplicates)) for s in streams if s.kind == KIND_RTP)
    if missing:
        parts += f" By the recorder's own count {count(missing, 'packet')} never came."
    if call.last is not None and call.last.cause in CUT_SHORT:
        parts += f" The call did not end there ({CAUSES[call.last.cause]}): what followed is not here."
    return parts


def _say_not_checked(report: Report) -> None:
    report.not_checked += [
        "That what reached the recorder was genuine, or that it reached it at once: seals date the sealing, "
        "not the speech",
        "Calls that never reached the recorder, and other calls of this log, were it one of the same number: "
        "the slot records show that, to whoever has the structure key",
        "The operator's counters of expected, lost, doubled and reordered packets (not: received)",
        "The receipt in the answer to the INVITE, the custodians' wraps, the ciphertexts (not in a bundle)",
        "Names of parties: they are what the sender said",
    ]
