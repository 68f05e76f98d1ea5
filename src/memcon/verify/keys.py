"""Whom the reader trusts, and the checkpoint's signatures (C2SP signed-note, tlog-checkpoint).

The trusted keys come from the person who checks: `--key` or `--policy`. Keys that the checked
material states itself are looked at too, but only to see whether it agrees with itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from memcon.errors import FormatError
from memcon.tlog.checkpoint import Checkpoint
from memcon.tlog.cosignature import verifier as make_verifier
from memcon.tlog.note import COSIGNATURE_ED25519, Note, Verifier, VerifierKey
from memcon.tlog.policy import Policy
from memcon.verify.words import utc

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memcon.verify.findings import Report


MAX_STATED = 16
"""Keys of a genesis statement that are looked at: each costs more than it took to write."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Log keys the reader trusts (none: signatures cannot be judged), and the policy if it asks witnesses."""

    keys: tuple[VerifierKey, ...] = ()
    policy: Policy | None = None


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint that was read; whether its signatures hold stands in the report."""

    note: Note
    checkpoint: Checkpoint


@lru_cache(64)
def verifier(key: VerifierKey) -> Verifier:
    """The verifier of a key, made once: its tables cost more than a check. Raises FormatError."""
    return make_verifier(key)


def trust(vkeys: Iterable[str] = (), policy_file: bytes | None = None) -> Trust:
    """The reader's keys from vkeys and a tlog-policy. Raises FormatError for one that cannot be used."""
    keys = [VerifierKey.parse(text.strip()) for text in vkeys]
    asked = None
    if policy_file is not None:
        read = Policy.parse(policy_file, overlap=False)
        if not read.logs:
            raise FormatError("policy", "names no log", cure="Add a line: log <vkey>")
        keys += [log.key for log in read.logs]
        if read.quorum is not None:
            read.check_overlap()
            asked = read
    for key in keys:
        verifier(key)  # refuses weak keys
        if key.kind == COSIGNATURE_ED25519:
            raise FormatError("key", "is a witness's key (type 04), not a log's", where=key.name)
    return Trust(tuple(dict.fromkeys(keys)), asked)


def read_checkpoint(
    report: Report, data: bytes | None, trusted: Trust, *, quorum: bool = True
) -> SignedCheckpoint | None:
    """Read the checkpoint and judge it by the reader's keys; without `quorum`, others judge the witnesses."""
    if data is None:
        report.add("checkpoint-form", "checkpoint", "is not there")
        return None
    try:
        note = Note.parse(data)
        checkpoint = Checkpoint.parse(note.text)
    except FormatError as error:
        report.add("checkpoint-form", "checkpoint", str(error))
        return None
    report.facts["origin"] = checkpoint.origin
    report.facts["tree size"] = checkpoint.size
    report.facts["root"] = checkpoint.root.hex()
    held = [key for key in trusted.keys if _holds(report, note, checkpoint, key)]
    if held:
        names = ", ".join(f"{key.name}+{key.key_id.hex()}" for key in held)
        report.checked.append(
            f"The checkpoint of {checkpoint.size:,} leaves is signed by {len(held)} of {len(trusted.keys)} "
            f"given keys ({names})"
        )
    if not trusted.keys:
        report.limits.append(
            "No key was given: everything but the signer was checked. Whoever made this could have made "
            "the log with it; ask someone you trust for the log's key and give it with --key"
        )
    if trusted.policy is not None and not quorum:
        return SignedCheckpoint(note, checkpoint)
    if trusted.policy is not None:
        _check_quorum(report, note, trusted.policy)
    else:
        report.not_checked.append(
            "Witnesses: no cosignature was judged, so every time here is by the operator's own clock, and "
            "that everyone was shown this same log is not proved"
        )
    return SignedCheckpoint(note, checkpoint)


def _check_quorum(report: Report, note: Note, asked: Policy) -> None:
    try:
        verdict = asked.evaluate(note)
    except FormatError as error:
        report.add("checkpoint-quorum", "checkpoint", str(error))
        return
    if verdict.quorum_time is None:
        names = ", ".join(sorted({name for name, _ in verdict.stamps})) or "none"
        report.add("checkpoint-quorum", "checkpoint", f"cosigned by {names}: no quorum of the policy")
        return
    when = utc(verdict.quorum_time * 1_000_000_000)
    report.facts["cosigned by a quorum of your witnesses at"] = when
    report.checked.append(f"A quorum of the witnesses you named had seen this log by {when}")


def _holds(report: Report, note: Note, checkpoint: Checkpoint, key: VerifierKey) -> bool:
    name = f"{key.name}+{key.key_id.hex()}"
    if key.name != checkpoint.origin:
        report.add(
            "checkpoint-origin",
            "checkpoint",
            f"is of {checkpoint.origin!r}; the given key is of {key.name!r}",
        )
        return False
    return _signed(report, note, key, "checkpoint-unsigned", "checkpoint-signature", f"given key {name}")


def _signed(report: Report, note: Note, key: VerifierKey, absent: str, broken: str, who: str) -> bool:
    found = [s for s in note.signatures if (s.name, s.key_id) == (key.name, key.key_id)]
    if not found:
        report.add(absent, "checkpoint", f"has no signature by the {who}")
        return False
    check = verifier(key)
    if not all(check.verify(note.text, signature.blob) for signature in found):
        report.add(broken, "checkpoint", f"the signature by the {who} does not hold")
        return False
    return True


def check_stated(report: Report, signed: SignedCheckpoint, stated: Iterable[str], trusted: Trust) -> None:
    """Check the signatures by the keys of the genesis statement: does the log agree with itself?"""
    stated = list(stated)
    if not 1 <= len(stated) <= MAX_STATED:
        text = f"states {len(stated)} keys, not 1 to {MAX_STATED}"
        report.add("genesis-statement", "genesis statement", text)
    stated = stated[:MAX_STATED]
    held = total = 0
    for text in stated:
        total += 1
        try:
            key = VerifierKey.parse(text)
            verifier(key)
        except FormatError as error:
            report.add("genesis-statement", "genesis statement", f"states a key that cannot be used: {error}")
            continue
        if key.name != signed.checkpoint.origin:
            report.add("genesis-statement", "genesis statement", f"states a key of {key.name!r}")
        elif key in trusted.keys:
            held += 1  # judged already, with the code that is due
        else:
            who = f"key {key.name}+{key.key_id.hex()} that the log states"
            held += _signed(report, signed.note, key, "checkpoint-stated", "checkpoint-stated", who)
    report.facts["keys, as the log states them"] = list(stated)
    report.checked.append(
        f"{held} of {total} keys that the log itself states have signed the checkpoint "
        "(this shows that it agrees with itself, not whose it is)"
    )
    known = {(k.name, k.key_id) for k in _readable(stated)} | {(k.name, k.key_id) for k in trusted.keys}
    others = sum((s.name, s.key_id) not in known for s in signed.note.signatures)
    if others:
        report.not_checked.append(f"{others} signature lines by keys that nobody named here")


def _readable(stated: Iterable[str]) -> list[VerifierKey]:
    keys = []
    for text in stated:
        try:
            keys.append(VerifierKey.parse(text))
        except FormatError:
            continue  # reported above
    return keys
